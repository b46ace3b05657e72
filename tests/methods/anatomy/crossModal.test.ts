import { describe, expect, test } from 'vitest';
import { infoNce } from '../../../src/losses/index.js';
import type { Method } from '../../../src/methods/index.js';
import { Sgd } from '../../../src/optim/index.js';
import { noGrad, ops, type Tensor, tensor, tidy } from '../../../src/tensor/index.js';
import { trainingStep } from '../../../src/training/step.js';
import { relativeError } from '../../golden/formula.js';
import { batchOf, freed, numbers, tinyConfig, tinyMethod, withOneThread } from '../../training/tiny.js';

withOneThread();

const BATCH = [0, 3, 5, 8, 10];

/** The value of L_Glo and its gradient at the head's weights, for the same images and initial weights. */
function globalOf(method: Method): { value: number; gradient: number[] } {
  return tidy(() => {
    const batch = batchOf(BATCH);
    const { embeddings } = method.forward(method.views(batch));
    const { value } = method.loss!(embeddings, batch).global!;
    value.backward();
    const weight = method.parameters().get('head.weight')!;
    const gradient = numbers(weight.grad!);
    for (const parameter of method.parameters().values()) parameter.grad = null;
    return { value: value.item(), gradient };
  });
}

const dot = (x: readonly number[], y: readonly number[]): number =>
  x.reduce((sum, value, i) => sum + value * y[i]!, 0);
const unit = (x: readonly number[]): number[] => x.map((value) => value / Math.sqrt(dot(x, x)));

const methodOf = (...set: string[]): Method => tinyMethod(tinyConfig(...set));

describe('the weight of L_M', () => {
  test('scales L_M beside L_AUG, 1 is what stands without it to the bit', () => {
    const augmentation = globalOf(methodOf('method.crossModal=none'));
    const whole = globalOf(methodOf());
    expect(globalOf(methodOf('method.crossModalWeight=1'))).toEqual(whole);
    const part = globalOf(methodOf('method.crossModalWeight=0.3'));
    // f32 sums of numbers near 10.
    expect(part.value).toBeCloseTo(0.7 * augmentation.value + 0.3 * whole.value, 5);
    expect(globalOf(methodOf('method.crossModalWeight=0')).value).toBe(augmentation.value);
  });

  test('moves the chance level by β·2·ln N', () => {
    const method = methodOf('method.crossModalWeight=0.3');
    tidy(() => {
      const batch = batchOf(BATCH);
      const { global } = method.chance(method.forward(method.views(batch)), batch);
      expect(global).toBeCloseTo(2.6 * Math.log(BATCH.length), 12);
    });
  });

  test('grows as the running mean of L_AUG falls below chance, and is part of the state', () => {
    const method = methodOf('method.crossModalFrom=0.5', 'method.alpha=1', 'method.consistencyWeight=0');
    const augmentation = globalOf(methodOf('method.crossModal=none'));
    const whole = globalOf(methodOf());
    const mean = method.state().get('curriculum')!;
    expect(numbers(mean)).toEqual([1]);
    expect(globalOf(method).value).toBe(augmentation.value);
    noGrad(() => tidy(() => ops.copy_(mean, tensor([0.8], [1], { dtype: 'f64' }))));
    // 0.2 of the way down, where 0.5 is all of it.
    expect(globalOf(method).value).toBeCloseTo(0.6 * augmentation.value + 0.4 * whole.value, 5);
    noGrad(() => tidy(() => ops.copy_(mean, tensor([0.3], [1], { dtype: 'f64' }))));
    expect(globalOf(method).value).toBeCloseTo(whole.value, 5);
  });

  test('takes a hundredth of each step’s L_AUG, as a share of chance, into the running mean', () => {
    const method = methodOf('method.crossModalFrom=0.5', 'method.alpha=1', 'method.consistencyWeight=0');
    const optimizer = freed(new Sgd(method.parameters(), { momentum: 0 }));
    const rates = { learningRate: 0.001, precision: 'fp32', device: 'cpu' } as const;
    const { terms } = tidy(() => trainingStep({ method, optimizer, batch: batchOf(BATCH), ...rates }));
    const share = terms.global! / (2 * Math.log(BATCH.length));
    expect(numbers(method.state().get('curriculum')!)[0]).toBeCloseTo(0.99 + 0.01 * share, 12);
  });
});

describe('prediction in the place of L_M', () => {
  const PREDICT = 'method.crossModal=predict';

  /** Makes each linear predictor the identity. */
  function identity(method: Method): Method {
    noGrad(() =>
      tidy(() => {
        for (const [name, parameter] of method.parameters()) {
          if (!name.startsWith('predictor.')) continue;
          const [rows, columns = 0] = parameter.shape;
          const values = Float32Array.from({ length: rows! * Math.max(1, columns) }, (_, i) =>
            columns > 0 && i % columns === Math.floor(i / columns) ? 1 : 0,
          );
          ops.copy_(parameter, tensor(values, parameter.shape));
        }
      }),
    );
    return method;
  }

  test('is L_M of Eq. 10 where the predictors are the identity and nothing is stopped', () => {
    const method = identity(methodOf(PREDICT, 'method.prediction={stopGradient: none}'));
    const predicted = globalOf(method);
    const paper = globalOf(methodOf());
    expect(predicted.value).toBeCloseTo(paper.value, 5);
    const scale = Math.max(...paper.gradient.map(Math.abs));
    const error = Math.max(...paper.gradient.map((x, i) => Math.abs(x - predicted.gradient[i]!)));
    expect(error / scale).toBeLessThan(1e-5);
  });

  test('gives targets no gradient, all or those of one modality, and the same value', () => {
    const gradients = ['none', 'all', 'a', 'b'].map((stop) => {
      const method = identity(methodOf(PREDICT, `method.prediction={stopGradient: ${stop}}`));
      return tidy(() => {
        const embeddings = Object.fromEntries(
          Object.entries(method.forward(method.views(batchOf(BATCH))).embeddings).map(([name, x]) => {
            return [name, x.detach().setRequiresGrad()] as const;
          }),
        );
        const { value } = method.loss!(embeddings, batchOf(BATCH)).global!;
        value.backward();
        const norms = ['a', 'b'].map((name) => Math.hypot(...numbers(embeddings[name]!.grad!)));
        return { value: value.item(), norms };
      });
    });
    const alone = tidy(() => {
      const method = methodOf('method.crossModal=none');
      const embeddings = Object.fromEntries(
        Object.entries(method.forward(method.views(batchOf(BATCH))).embeddings).map(([name, x]) => {
          return [name, x.detach().setRequiresGrad()] as const;
        }),
      );
      method.loss!(embeddings, batchOf(BATCH)).global!.value.backward();
      return ['a', 'b'].map((name) => Math.hypot(...numbers(embeddings[name]!.grad!)));
    });
    const [none, all, a, b] = gradients;
    for (const { value } of gradients) expect(value).toBe(none!.value);
    expect(all!.norms).toEqual(alone);
    expect(a!.norms[0]).toBe(alone[0]);
    expect(a!.norms[1]).toBe(none!.norms[1]);
    expect(b!.norms[0]).toBe(none!.norms[0]);
    expect(b!.norms[1]).toBe(alone[1]);
  });

  test('has a predictor for each direction, hidden layers included, that the encoder file does not hold', () => {
    const method = methodOf(PREDICT, 'method.prediction={hidden: 3, from: pooled}', 'model.embeddingSize=5');
    const shapes = [...method.parameters()].flatMap(([name, { shape }]) =>
      name.startsWith('predictor.') ? [[name, shape] as const] : [],
    );
    const channels = method.encoderFor('a').backbone.channels.at(-1)!;
    expect(Object.fromEntries(shapes)).toEqual({
      'predictor.a-to-b.0.weight': [3, channels],
      'predictor.a-to-b.0.bias': [3],
      'predictor.a-to-b.2.weight': [5, 3],
      'predictor.a-to-b.2.bias': [5],
      'predictor.b-to-a.0.weight': [3, channels],
      'predictor.b-to-a.0.bias': [3],
      'predictor.b-to-a.2.weight': [5, 3],
      'predictor.b-to-a.2.bias': [5],
    });
  });
});

describe('a common part of the embedding', () => {
  const ALONE = 'method.consistencyWeight=0';

  /** The largest gradient at the weights of each branch and of the head's parts. */
  function pulled(method: Method): Record<string, number> {
    return tidy(() => {
      const batch = batchOf(BATCH);
      const { embeddings } = method.forward(method.views(batch));
      const terms = Object.values(method.loss!(embeddings, batch));
      for (const { value } of terms) value.backward(null, { retainGraph: true });
      const largest = [...method.parameters()].map(([name, { grad }]) => {
        return [name, grad === null ? 0 : Math.max(...numbers(grad).map(Math.abs))] as const;
      });
      return Object.fromEntries(largest);
    });
  }

  test('is all that L_M trains, and the rest all that L_AUG trains', () => {
    const set = ['model.branches=2', 'model.embeddingSize=10', ALONE];
    const own = pulled(methodOf(...set, 'method.common={augmentation: false}', 'method.crossModalWeight=0'));
    expect(own['branches.0.features.0.weight']).toBeGreaterThan(0);
    expect(own['head.0.weight']).toBeGreaterThan(0);
    expect(own['branches.1.features.0.weight']).toBe(0);
    expect(own['head.1.weight']).toBe(0);
    const both = pulled(methodOf(...set, 'method.common={augmentation: false}'));
    expect(both['branches.0.features.0.weight']).toBe(own['branches.0.features.0.weight']);
    expect(both['branches.1.features.0.weight']).toBeGreaterThan(0);
  });

  test('trains the rest by a bank of all images in the place of L_AUG, with rest: bank', () => {
    const set = ['method.alpha=1', 'method.consistencyWeight=0', 'method.crossModal=none'];
    const method = methodOf(...set, 'method.common={share: 0.3, augmentation: false, rest: bank}');
    const optimizer = freed(new Sgd(method.parameters(), { momentum: 0 }));
    tidy(() => {
      const batch = batchOf(BATCH);
      const bank = () => numbers(method.state().get('bank.vectors')!);
      const [rows, dimension] = method.state().get('bank.vectors')!.shape as [number, number];
      const { embeddings } = method.forward(method.views(batch));
      const size = embeddings['augmented a']!.size(1);
      expect(dimension).toBe(size - Math.round(0.3 * size));
      // Rows of A's images come first, then those of B's.
      const own = ['a', 'b'].flatMap((_, m) => BATCH.map((row) => (m * rows) / 2 + row));
      const rest = ['a', 'b'].flatMap((modality) => {
        const all = numbers(embeddings[`augmented ${modality}`]!.narrow(1, 0, dimension));
        return BATCH.map((_, i) => unit(all.slice(i * dimension, (i + 1) * dimension)));
      });
      const before = bank();
      const byHand = rest.map((f, i) => {
        const logits = Array.from({ length: rows }, (_, row) => {
          return dot(f, before.slice(row * dimension, (row + 1) * dimension)) / 0.07;
        });
        return Math.log(logits.reduce((sum, one) => sum + Math.exp(one), 0)) - logits[own[i]!]!;
      });
      const { global } = method.loss!(embeddings, batch);
      // f32 sums of numbers near 10.
      expect(global!.value.item()).toBeCloseTo(byHand.reduce((sum, one) => sum + one) / byHand.length, 4);
      expect(method.chance(method.forward(method.views(batch)), batch).global).toBeCloseTo(
        Math.log(rows),
        12,
      );
      // After a step each row of the batch is half its old self.
      const rates = { learningRate: 0, precision: 'fp32', device: 'cpu' } as const;
      trainingStep({ method, optimizer, batch, ...rates });
      const after = bank();
      for (const [i, row] of own.entries()) {
        const old = before.slice(row * dimension, (row + 1) * dimension);
        const mixed = unit(old.map((value, k) => (value + rest[i]![k]!) / 2));
        expect(relativeError(after.slice(row * dimension, (row + 1) * dimension), mixed)).toBeLessThan(1e-5);
      }
    });
  });

  test('adds up L_AUG of the rest, that of the common part if it is wanted, and L_M of the common part', () => {
    const set = ['model.embeddingSize=10', ALONE, 'method.alpha=1'];
    const share = 'method.common={share: 0.3, augmentation: false}';
    const parts = tidy(() => {
      const method = methodOf(...set, share);
      const batch = batchOf(BATCH);
      const { embeddings } = method.forward(method.views(batch));
      const part = (from: number, count: number) =>
        ['a', 'b', 'augmented a', 'augmented b'].map((name) => embeddings[name]!.narrow(1, from, count));
      const [rest, common] = [part(0, 7), part(7, 3)];
      const info = (f: Tensor, g: Tensor) => infoNce(f, g, { tau: 0.07 }).item();
      const augmentation = ([a, b, aHat, bHat]: readonly Tensor[]) => info(a!, aHat!) + info(b!, bHat!);
      return {
        loss: method.loss!(embeddings, batch).global!.value.item(),
        rest: augmentation(rest),
        common: augmentation(common),
        mates: info(common[0]!, common[1]!) + info(common[1]!, common[0]!),
      };
    });
    expect(parts.loss).toBeCloseTo(parts.rest + parts.mates, 5);
    const whole = globalOf(methodOf(...set, 'method.common={share: 0.3}'));
    expect(whole.value).toBeCloseTo(parts.rest + parts.common + parts.mates, 5);
  });

  test('lets L_C compare the second branch alone', () => {
    const set = ['model.branches=2', 'model.embeddingSize=10', 'method.alpha=0'];
    const method = methodOf(...set, 'method.common={}');
    tidy(() => {
      const batch = batchOf(BATCH);
      const { perPair } = method.forward(method.views(batch));
      perPair.consistency!.value.backward();
      const gradient = (name: string) => method.parameters().get(name)!.grad;
      expect(Math.max(...numbers(gradient('branches.1.features.0.weight')!).map(Math.abs))).toBeGreaterThan(
        0,
      );
      const other = gradient('branches.0.features.0.weight');
      expect(other === null || numbers(other).every((value) => value === 0)).toBe(true);
    });
  });

  test('has a chance level of (2 + 2 + 2)·ln N, and is refused where it is no part', () => {
    const method = methodOf('method.common={share: 0.5}');
    tidy(() => {
      const batch = batchOf(BATCH);
      const { global } = method.chance(method.forward(method.views(batch)), batch);
      expect(global).toBeCloseTo(6 * Math.log(BATCH.length), 12);
    });
    expect(() => methodOf('model.branches=2', 'method.common={share: 0.3}')).toThrow(
      'method.common.share is 0.3, expected 0.5, as the common part is one of two branches',
    );
    expect(() => methodOf('model.embeddingSize=2', 'method.common={share: 0.1}')).toThrow(
      'expected a part of the 2 components',
    );
    expect(() => methodOf('method.crossModal=predict', 'method.common={}')).toThrow(
      /common.*without crossModal/,
    );
  });
});

describe('settings of L_M that do not go together are refused', () => {
  test('by name, with what is expected', () => {
    expect(() => methodOf('method.prediction={hidden: 3}')).toThrow(/prediction.*crossModal: predict alone/);
    expect(() => methodOf('method.crossModal=none', 'method.crossModalWeight=0.3')).toThrow(
      /crossModal.*another than none/,
    );
    expect(() => methodOf('method.crossModalFrom=1')).toThrow(/crossModalFrom.*below 1/);
    expect(() => methodOf('method.crossModal=predict', 'method.prediction={stopGradient: c}')).toThrow(
      'stopGradient is "c", expected all, none or one of the modalities a, b',
    );
  });
});
