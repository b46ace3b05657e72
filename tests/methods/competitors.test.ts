import { describe, expect, test } from 'vitest';
import { drawNegatives, KeyQueue, MemoryBank } from '../../src/banks/index.js';
import type { Config } from '../../src/config/index.js';
import {
  bankNce,
  bankSoftmax,
  crossEntropy,
  denseContrast,
  denseCorrespondence,
  estimateNormalizer,
  infoNce,
  ntXent,
  queueContrast,
} from '../../src/losses/index.js';
import type { Batch, Method } from '../../src/methods/index.js';
import { Sgd } from '../../src/optim/index.js';
import { autocast, noGrad, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { buildMethod } from '../../src/training/build.js';
import { trainingStep } from '../../src/training/step.js';
import { relativeError } from '../golden/formula.js';
import { batchOf, freed, methodConfig, numbers, tinyMethod, withOneThread } from '../training/tiny.js';

withOneThread();

/** A full batch and a short last one; rows in no order, so that a row is no place in the batch. */
const BATCHES = [
  [5, 0, 9, 3],
  [2, 11, 8],
];
const RATE = 0.01;
/** The data of tinyMethod: 12 pairs, two of each subject, every third positive. */
const PAIRS = 12;
const subjectOf = (row: number) => Math.floor(row / 2);
const all = Array.from({ length: PAIRS }, (_, row) => row);

const i64 = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor([...values], [...shape], { dtype: 'i64' });
const bool = (rows: readonly (readonly boolean[])[]) =>
  ops.eqTensor(i64(rows.flat().map(Number), [rows.length, rows[0]!.length]), i64([1]));
const part = (x: Tensor, index: number, count: number) => x.narrow(0, index * count, count);
const bankOf = (name: string, rows: number) => freed(new MemoryBank({ rows, dimension: 500, seed: 0, name }));

function stepOf(method: Method) {
  const optimizer = freed(new Sgd(method.parameters()));
  return (batch: Batch) =>
    trainingStep({ method, optimizer, batch, learningRate: RATE, precision: 'fp32', device: 'cpu' });
}

interface ByHand {
  readonly terms: Readonly<Record<string, Tensor>>;
  /** 1 where left out. */
  readonly weights?: Readonly<Record<string, number>>;
  /** What the method does after the optimiser's step. */
  readonly after?: () => void;
}

/** What a method must do with a batch, written with the public losses and banks and the networks of a twin. */
interface Hand {
  step(twin: Method, images: Tensor, batch: Batch): ByHand;
  /** Memories by their names in the state. */
  memory?(): Readonly<Record<string, Tensor>>;
}

/** Two steps of the method and two by hand come to the same terms, weights, statistics and memories. */
function expectByHand(config: Config, hand: Hand): void {
  const method = tinyMethod(config);
  const twin = tinyMethod(config);
  const step = stepOf(method);
  for (const [epoch, rows] of BATCHES.entries()) {
    const batch = batchOf(rows, { epoch });
    const { terms } = step(batch);
    tidy(() => {
      const own = hand.step(twin, twin.views(batch).images, batch);
      expect(Object.keys(terms).sort()).toEqual(Object.keys(own.terms).sort());
      for (const [name, value] of Object.entries(own.terms)) {
        // To the bit, but for memories and momentum encoders that hold the rounding of an update.
        const error = relativeError([terms[name]!], [value.item()]);
        expect(error, name).toBeLessThanOrEqual(epoch === 0 ? 0 : 1e-6);
      }
      const weighted = Object.entries(own.terms).map(([name, value]) => value.mul(own.weights?.[name] ?? 1));
      weighted.reduce((sum, value) => sum.add(value)).backward();
      noGrad(() => {
        for (const parameter of twin.parameters().values()) {
          if (parameter.grad !== null) ops.copy_(parameter, parameter.sub(parameter.grad.mul(RATE)));
          parameter.grad = null;
        }
      });
      own.after?.();
    });
    expectSameState(method, new Map([...twin.state(), ...Object.entries(hand.memory?.() ?? {})]));
    // On from the same weights, so that the rounding of the update does not grow.
    noGrad(() => {
      for (const [name, tensor] of twin.state()) ops.copy_(tensor, method.state().get(name)!);
    });
  }
}

function expectSameState(method: Method, expected: ReadonlyMap<string, Tensor>): void {
  expect([...method.state().keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, tensor] of method.state()) {
    // Before batch norm a bias has no effect: its gradient is rounding noise, and so is what it becomes.
    const weight = expected.get(name.replace(/bias$/, 'weight'))!;
    if (name.endsWith('.bias') && weight.shape.length === 4) continue;
    const error = relativeError(numbers(tensor), numbers(expected.get(name)!));
    expect(error, name).toBeLessThanOrEqual(tensor.dtype === 'i64' ? 0 : 5e-5);
  }
}

/** [modality, look] of each view. */
const viewsOf = (method: Method) =>
  tidy(() => method.views(batchOf([0, 1])).specs.map(({ modality, look }) => [modality, look]));

/** InstDis: the image of modality m of pair `row` has row m·12 + row of the bank. */
const inBank = (rows: readonly number[], views: number) =>
  Array.from({ length: views }, (_, view) => rows.map((row) => view * PAIRS + row)).flat();

type Mask = 'none' | 'sample' | 'subject';

/** Which candidates (by their pair) are no negatives of which anchors. */
function excluded(mask: Mask, anchors: readonly number[], candidates: readonly number[]): Tensor | undefined {
  if (mask === 'none') return undefined;
  const same = (a: number, b: number) => (mask === 'sample' ? a === b : subjectOf(a) === subjectOf(b));
  return bool(anchors.map((anchor) => candidates.map((other) => other >= 0 && same(anchor, other))));
}

describe('instdis', () => {
  test.each([
    ['all', ['a', 'b']],
    ['a', ['a']],
    ['b', ['b']],
  ] as const)(
    '%s makes one augmented view of each modality and has a bank row for each image',
    (images, modalities) => {
      const config = methodConfig('method=instdis', `method.images=${images}`);
      const method = tinyMethod(config);
      expect(viewsOf(method)).toEqual(modalities.map((modality) => [modality, 0]));
      expect(method.state().get('bank.vectors')!.shape).toEqual([modalities.length * PAIRS, 500]);
      expect(method.encoderFor('b')).toBe(method.encoderFor('a'));
    },
  );

  test.each([
    ['all', 'none'],
    ['all', 'sample'],
    ['all', 'subject'],
    ['a', 'none'],
    ['b', 'subject'],
  ] as const)(
    'has the softmax loss computed by hand, images %s, mask %s, and a short last batch writes the rows of its images',
    (images, mask) => {
      const views = images === 'all' ? 2 : 1;
      const bank = bankOf('bank', views * PAIRS);
      const pairs = Array.from({ length: views }, () => all).flat();
      const config = methodConfig('method=instdis', `method.images=${images}`, `method.mask=${mask}`);
      expectByHand(config, {
        step: (twin, inputs, { rows }) => {
          const { embedding } = twin.encoderFor('a').forward(inputs, { training: true });
          const anchors = Array.from({ length: views }, () => rows).flat();
          const exclude = excluded(mask, anchors, pairs);
          const index = inBank(rows, views);
          return {
            terms: { instance: bankSoftmax(embedding, bank.vectors, i64(index), { tau: 0.07, exclude }) },
            after: () => bank.update(index, embedding.detach()),
          };
        },
        memory: () => bankedState(bank, 'bank'),
      });
    },
  );

  test.each(['none', 'subject'] as const)('takes the mate for a second positive, with mask %s', (mask) => {
    const bank = bankOf('bank', 2 * PAIRS);
    const config = methodConfig('method=instdis', 'method.mate=0.3', `method.mask=${mask}`);
    expectByHand(config, {
      step: (twin, inputs, { rows }) => {
        const { embedding } = twin.encoderFor('a').forward(inputs, { training: true });
        const anchors = [...rows, ...rows];
        const index = inBank(rows, 2);
        const mates = [...index.slice(rows.length), ...index.slice(0, rows.length)];
        const weighing = (weight: number) => ({ tau: 0.07, weights: anchors.map(() => weight) });
        const exclude = excluded(mask, anchors, [...all, ...all]);
        const own = bankSoftmax(embedding, bank.vectors, i64(index), { ...weighing(0.7), exclude });
        // The rows of the sample are no negatives of its mate.
        const sample = bool(
          anchors.map((row) =>
            [...all, ...all].map((other) => {
              return other === row || (mask === 'subject' && subjectOf(other) === subjectOf(row));
            }),
          ),
        );
        const mate = bankSoftmax(embedding, bank.vectors, i64(mates), { ...weighing(0.3), exclude: sample });
        return {
          terms: { instance: own.add(mate) },
          after: () => bank.update(index, embedding.detach()),
        };
      },
      memory: () => bankedState(bank, 'bank'),
    });
  });

  test('refuses mates where rows are drawn', () => {
    const config = methodConfig('method=instdis', 'method.mate=0.3', 'method.loss=nce');
    expect(() => tinyMethod(config)).toThrow('method.mate is 0.3, expected with method.loss=softmax alone');
  });

  test('has the nce loss computed by hand, with a normaliser that starts at its expectation and becomes the average', () => {
    const bank = bankOf('bank', 2 * PAIRS);
    let normalizer = 2 * PAIRS * Math.exp(1 / (2 * 500 * 0.07 ** 2));
    const estimates: number[] = [];
    const config = methodConfig(
      'method=instdis',
      'method.loss=nce',
      'method.negatives=7',
      'method.mask=subject',
    );
    expect(numbers(tinyMethod(config).state().get('bank.normalizer')!)).toEqual([normalizer, 0]);
    expectByHand(config, {
      step: (twin, inputs, { rows, epoch }) => {
        const { embedding } = twin.encoderFor('a').forward(inputs, { training: true });
        const own = inBank(rows, 2);
        const drawn = drawNegatives({ rows: 2 * PAIRS, own, count: 7, key: [0, 'bank', epoch] });
        const negatives = i64(
          drawn.flatMap((row) => [...row]),
          [own.length, 7],
        );
        const same = drawn.map((row, i) => {
          return [...row].map((other) => subjectOf(other % PAIRS) === subjectOf(own[i]! % PAIRS));
        });
        const exclude = bool(same);
        const value = bankNce(embedding, bank.vectors, i64(own), negatives, {
          tau: 0.07,
          normalizer,
          exclude,
        });
        estimates.push(estimateNormalizer(embedding, bank.vectors, negatives, 0.07));
        return {
          terms: { instance: value },
          after: () => {
            bank.update(own, embedding.detach());
            normalizer = estimates.reduce((sum, one) => sum + one) / estimates.length;
          },
        };
      },
      memory: () => ({
        ...bankedState(bank, 'bank'),
        'bank.normalizer': freed(tensor([normalizer, estimates.length], [2], { dtype: 'f64' })),
      }),
    });
  });

  test('never draws the image’s own row as a negative, however many are asked for', () => {
    const method = tinyMethod(methodConfig('method=instdis', 'method.loss=nce', 'method.negatives=4096'));
    tidy(() => {
      const { instance } = method.chance(method.forward(method.views(batchOf([0, 1]))), batchOf([0, 1]));
      expect(instance).toBeCloseTo(Math.log(24) + 23 * Math.log(24 / 23), 12); // 23 are left of 24
    });
  });

  test('takes the whole softmax below 50,000 rows with auto, and nce from there on', () => {
    const config = methodConfig('method=instdis', 'model.embeddingSize=2');
    const of = (pairs: number) => {
      const samples = Array.from({ length: pairs }, (_, i) => ({
        subject: `s${i % 7}`,
        images: { a: 0, b: 0 },
      }));
      const method = freed(buildMethod(config, { modalities: ['a', 'b'], samples }, 'cpu'));
      return method.state().has('bank.normalizer');
    };
    expect([of(24_999), of(25_000)]).toEqual([false, true]);
  });
});

function bankedState(bank: MemoryBank, name: string): Record<string, Tensor> {
  return { [`${name}.vectors`]: bank.vectors };
}

describe('memory banks', () => {
  const methods = [['method=instdis'], ['method=cmc'], ['method=cmc', 'method.loss=nce']];

  test.each(methods)('are constants, and gradients flow to the features alone, %s %s', (...set) => {
    const method = tinyMethod(methodConfig(...set.filter((setting) => setting !== undefined)));
    tidy(() => {
      const { perPair, memory } = method.forward(method.views(batchOf([0, 1, 2])));
      Object.values(perPair)[0]!.value.backward();
      for (const [name, tensor] of method.state()) {
        if (name.startsWith('bank')) expect([tensor.requiresGrad, tensor.grad]).toEqual([false, null]);
      }
      for (const tensor of Object.values(memory)) expect(tensor.requiresGrad).toBe(false);
      for (const [name, { grad }] of method.parameters()) expect(grad, name).not.toBeNull();
      expect([...method.parameters().keys()].filter((name) => name.startsWith('bank'))).toEqual([]);
      for (const parameter of method.parameters().values()) parameter.grad = null;
    });
  });

  test.each(methods)('change after scoring, and only in the rows of the batch, %s %s', (...set) => {
    const method = tinyMethod(methodConfig(...set.filter((setting) => setting !== undefined)));
    const banks = [...method.state()].filter(([name]) => /^bank(\.[ab])?\.vectors$/.test(name));
    expect(banks.length).toBeGreaterThan(0);
    const before = banks.map(([, bank]) => numbers(bank));
    tidy(() => void method.forward(method.views(batchOf([4, 1]))));
    banks.forEach(([, bank], i) => void expect(numbers(bank)).toEqual(before[i]));
    stepOf(method)(batchOf([4, 1]));
    banks.forEach(([name, bank], i) => {
      const now = numbers(bank);
      const changed = Array.from({ length: bank.size(0) }, (_, row) => row).filter((row) =>
        now.slice(500 * row, 500 * (row + 1)).some((value, j) => value !== before[i]![500 * row + j]),
      );
      expect(changed, name).toEqual(bank.size(0) === 24 ? [1, 4, 13, 16] : [1, 4]);
    });
  });

  test('store f32 after a step of half precision, whose loss is that of f32 arithmetic', () => {
    const method = tinyMethod(methodConfig('method=instdis'));
    tidy(() => {
      const views = method.views(batchOf([0, 1, 2]));
      const { perPair, memory } = autocast('bf16', () => method.forward(views, { record: false }));
      const f = ops.cat([memory['feature.a']!, memory['feature.b']!], 0);
      expect([f.dtype, perPair.instance!.value.dtype]).toEqual(['bf16', 'f32']);
      const bank = method.state().get('bank.vectors')!;
      const again = bankSoftmax(f.to({ dtype: 'f32' }), bank, i64(inBank([0, 1, 2], 2)), { tau: 0.07 });
      expect(perPair.instance!.value.item()).toBe(again.item());
    });
  });
});

describe('cmc', () => {
  /** Embeddings of A by one encoder and of B by the other; by one in one pass where they share it. */
  const embed = (twin: Method, images: Tensor, count: number): [Tensor, Tensor] => {
    const [a, b] = [twin.encoderFor('a'), twin.encoderFor('b')];
    if (a === b) {
      const { embedding } = a.forward(images, { training: true });
      return [part(embedding, 0, count), part(embedding, 1, count)];
    }
    const [fA, fB] = [a, b].map((encoder, m) => {
      return encoder.forward(part(images, m, count), { training: true }).embedding;
    });
    return [fA!, fB!];
  };

  test('makes one augmented view of each modality, in the same crop', () => {
    const config = methodConfig('method=cmc');
    expect(viewsOf(tinyMethod(config))).toEqual([
      ['a', 0],
      ['b', 0],
    ]);
    expect(config.augment.geometry).toBe('shared');
    const jitterless = methodConfig('method=cmc', 'augment.jitter=null');
    tidy(() => {
      const batch = batchOf([0, 1, 2]);
      const same = { ...batch, images: { a: batch.images.a!, b: batch.images.a! } };
      const { images } = tinyMethod(jitterless).views(same);
      expect(numbers(part(images, 1, 3))).toEqual(numbers(part(images, 0, 3)));
    });
  });

  test.each([
    ['separate', 'none'],
    ['separate', 'subject'],
    ['shared', 'none'],
  ] as const)(
    'compares A with B’s bank and B with A’s, as computed by hand: %s encoders, mask %s',
    (encoders, mask) => {
      const [bankA, bankB] = [bankOf('bank.a', PAIRS), bankOf('bank.b', PAIRS)];
      const config = methodConfig('method=cmc', `method.encoders=${encoders}`, `method.mask=${mask}`);
      expectByHand(config, {
        step: (twin, images, { rows }) => {
          const [fA, fB] = embed(twin, images, rows.length);
          const options = { tau: 0.07, exclude: excluded(mask, rows, all) };
          const value = bankSoftmax(fA, bankB.vectors, i64(rows), options).add(
            bankSoftmax(fB, bankA.vectors, i64(rows), options),
          );
          return {
            terms: { contrast: value },
            after: () => {
              bankA.update(rows, fA.detach());
              bankB.update(rows, fB.detach());
            },
          };
        },
        memory: () => ({ ...bankedState(bankA, 'bank.a'), ...bankedState(bankB, 'bank.b') }),
      });
    },
  );

  test('has the nce loss computed by hand, with a normaliser for each bank that moves on from the first batch', () => {
    const banks = [bankOf('bank.a', PAIRS), bankOf('bank.b', PAIRS)] as const;
    const start = PAIRS * Math.exp(1 / (2 * 500 * 0.07 ** 2));
    const estimates: [number[], number[]] = [[], []];
    const mean = (values: number[]) =>
      values.length === 0 ? start : values.reduce((sum, value) => sum + value) / values.length;
    expectByHand(methodConfig('method=cmc', 'method.loss=nce', 'method.negatives=5'), {
      step: (twin, images, { rows, epoch }) => {
        const f = embed(twin, images, rows.length);
        const found: number[] = [];
        const terms = f.map((features, m) => {
          const other = 1 - m;
          const key = [0, `bank.${'ab'[other]}`, epoch];
          const drawn = drawNegatives({ rows: PAIRS, own: rows, count: 5, key });
          const negatives = i64(
            drawn.flatMap((row) => [...row]),
            [rows.length, 5],
          );
          const { vectors } = banks[other]!;
          found[other] = estimateNormalizer(features, vectors, negatives, 0.07);
          const normalizer = mean(estimates[other]!);
          return bankNce(features, vectors, i64(rows), negatives, { tau: 0.07, normalizer });
        });
        return {
          terms: { contrast: terms[0]!.add(terms[1]!) },
          after: () => {
            banks.forEach((bank, m) => void bank.update(rows, f[m]!.detach()));
            estimates.forEach((list, m) => void list.push(found[m]!));
          },
        };
      },
      memory: () => {
        const normalizer = (m: 0 | 1) =>
          freed(tensor([mean(estimates[m]), estimates[m].length], [2], { dtype: 'f64' }));
        return {
          ...bankedState(banks[0], 'bank.a'),
          ...bankedState(banks[1], 'bank.b'),
          'bank.a.normalizer': normalizer(0),
          'bank.b.normalizer': normalizer(1),
        };
      },
    });
  });

  test.each(['none', 'subject'] as const)(
    'takes candidates from the batch with a shared encoder, as computed by hand: mask %s',
    (mask) => {
      const set = ['method.encoders=shared', 'method.candidates=batch', `method.mask=${mask}`];
      expectByHand(methodConfig('method=cmc', ...set), {
        step: (twin, images, { rows }) => {
          const [fA, fB] = embed(twin, images, rows.length);
          const options = { tau: 0.07, exclude: excluded(mask, rows, rows) };
          return { terms: { contrast: infoNce(fA, fB, options).add(infoNce(fB, fA, options)) } };
        },
      });
    },
  );

  test('starts and trains separate encoders apart, and tells them apart by modality', () => {
    const method = tinyMethod(methodConfig('method=cmc'));
    const [a, b] = [method.encoderFor('a'), method.encoderFor('b')];
    expect(a).not.toBe(b);
    const weight = (name: string) => numbers(method.parameters().get(name)!);
    const names = ['features.0.weight', 'encoder.b.features.0.weight'];
    const before = names.map(weight);
    expect(before[0]).not.toEqual(before[1]);
    expect(numbers(b.backbone.forward(batchImages(), {}).features)).not.toEqual(
      numbers(a.backbone.forward(batchImages(), {}).features),
    );
    stepOf(method)(batchOf([0, 1, 2, 3]));
    names.forEach((name, i) => void expect(weight(name)).not.toEqual(before[i]));
    // Half of the state is B's: encoder for encoder.
    const own = [...method.state().keys()].filter((name) => !name.startsWith('bank'));
    const second = own.filter((name) => name.startsWith('encoder.b.'));
    expect(second.map((name) => name.slice('encoder.b.'.length))).toEqual(
      own.filter((name) => !name.startsWith('encoder.b.')),
    );
  });

  test('gives B’s encoder no gradient of a loss on A’s images alone', () => {
    const method = tinyMethod(methodConfig('method=cmc'));
    tidy(() => {
      const images = part(method.views(batchOf([0, 1, 2])).images, 0, 3);
      method.encoderFor('a').forward(images, { training: true }).embedding.sum().backward();
      for (const [name, parameter] of method.parameters()) {
        expect(parameter.grad === null, name).toBe(name.startsWith('encoder.b.'));
        parameter.grad = null;
      }
    });
  });
});

function batchImages(): Tensor {
  return freed(ops.full([2, 1, 32, 32], 0.5, 'f32', null, 'cpu'));
}

describe('simclr', () => {
  test.each([
    [2, 'none'],
    [2, 'subject'],
    [4, 'none'],
  ] as const)('has the loss of %i views computed by hand, mask %s', (count, mask) => {
    const config = methodConfig('method=simclr', `method.views=${count}`, `method.mask=${mask}`);
    const looks = [0, 1].slice(0, count / 2);
    expect(viewsOf(tinyMethod(config))).toEqual(
      looks.flatMap((look) => ['a', 'b'].map((modality) => [modality, look])),
    );
    expectByHand(config, {
      step: (twin, images, { rows }) => {
        const { embedding } = twin.encoderFor('a').forward(images, { training: true });
        const views = Array.from({ length: count }, (_, view) => part(embedding, view, rows.length));
        return { terms: { contrast: ntXent(views, { tau: 0.5, exclude: excluded(mask, rows, rows) }) } };
      },
    });
  });

  test('has 2N − 2 negatives, those of the same modality too, unlike the paper’s one-way InfoNCE', () => {
    const method = tinyMethod(methodConfig('method=simclr'));
    tidy(() => {
      const same = ops.full([3, 4], 1, 'f32', null, 'cpu');
      const { contrast } = method.loss!({ 'a.0': same, 'b.0': same }, batchOf([0, 1, 2]));
      expect(contrast!.value.item()).toBeCloseTo(Math.log(5), 6);
      const forward = method.forward(method.views(batchOf([0, 1, 2])));
      expect(method.chance(forward, batchOf([0, 1, 2])).contrast).toBeCloseTo(Math.log(5), 12);
      const four = tinyMethod(methodConfig('method=simclr', 'method.views=4'));
      expect(four.chance(forward, batchOf([0, 1, 2])).contrast).toBeCloseTo(Math.log(11), 12);
    });
  });

  test('makes two different views of an image in two looks', () => {
    tidy(() => {
      const { images } = tinyMethod(methodConfig('method=simclr', 'method.views=4')).views(batchOf([0, 1]));
      expect(numbers(part(images, 2, 2))).not.toEqual(numbers(part(images, 0, 2)));
    });
  });
});

describe('densecl', () => {
  /** The dense head, two linear layers over the channels: [B, C, P] → [B, d, P]. */
  const dense = (state: ReadonlyMap<string, Tensor>, patches: Tensor) => {
    const layer = (index: number, x: Tensor) =>
      ops.linear(x, state.get(`dense.${index}.weight`)!, state.get(`dense.${index}.bias`)!);
    return ops.transpose(layer(2, ops.relu(layer(0, ops.transpose(patches, 1, 2)))), 1, 2);
  };
  const look = (method: Method, images: Tensor) => {
    const { embedding, maps } = method.encoderFor('a').forward(images, { training: true });
    const patches = ops.flatten(maps[4]!, 2, 3);
    return { embedding, patches, dense: dense(method.state(), patches) };
  };

  test.each([
    ['features', 'sample'],
    ['grid', 'none'],
    ['features', 'subject'],
  ] as const)('has the loss computed by hand: correspondence by %s, mask %s', (correspondence, mask) => {
    const set = [`method.correspondence=${correspondence}`, `method.mask=${mask}`, 'method.queueSize=9'];
    const config = methodConfig('method=densecl', ...set, 'method.lambda=0.3', 'method.momentum=0.6');
    const key = tinyMethod(config);
    const [globalQueue, denseQueue] = [
      ['queue.global', 500],
      ['queue.dense', 128],
    ].map(([name, dimension]) => {
      return freed(new KeyQueue({ size: 9, dimension: dimension as number, seed: 0, name: name as string }));
    }) as [KeyQueue, KeyQueue];
    expectByHand(config, {
      step: (twin, images, { rows }) => {
        const count = rows.length;
        const q = look(twin, images);
        const k = noGrad(() => look(key, images));
        const mate = (x: Tensor) => ops.cat([part(x, 1, count), part(x, 0, count)], 0);
        const places = q.patches.size(2);
        const match =
          correspondence === 'features'
            ? denseCorrespondence(q.patches, mate(k.patches))
            : i64(
                Array.from({ length: 2 * count * places }, (_, i) => i % places),
                [2 * count, places],
              );
        const tags = numbers(globalQueue.tags);
        const options = { tau: 0.2, exclude: excluded(mask, [...rows, ...rows], tags) };
        return {
          terms: {
            key: queueContrast(q.embedding, mate(k.embedding), globalQueue.keys, options),
            dense: denseContrast(q.dense, mate(k.dense), match, denseQueue.keys, options),
          },
          weights: { key: 0.7, dense: 0.3 },
          after: () => {
            noGrad(() => {
              for (const [name, slow] of key.parameters()) {
                ops.copy_(slow, slow.mul(0.6).add(twin.parameters().get(name)!.mul(0.4)));
              }
            });
            // A's keys, then B's, under the number of their pair; a patch grid as the mean of its patches.
            for (const view of [0, 1]) {
              globalQueue.enqueue(part(k.embedding, view, count), rows);
              denseQueue.enqueue(part(k.dense, view, count).mean([2]), rows);
            }
          },
        };
      },
      memory: () => ({
        ...Object.fromEntries(globalQueue.state()),
        ...Object.fromEntries(denseQueue.state()),
        ...Object.fromEntries(
          [...key.state()]
            .filter(([name]) => !/^(key|queue)\./.test(name))
            .map(([name, tensor]) => [`key.${name}`, tensor]),
        ),
      }),
    });
  });

  test('copies the key encoder at first, gives it no gradient and moves it by m·key + (1 − m)·query', () => {
    const method = tinyMethod(methodConfig('method=densecl', 'method.momentum=0.75'));
    const weight = (prefix = '') => numbers(method.state().get(`${prefix}features.0.weight`)!);
    expect(weight('key.')).toEqual(weight());
    expect([...method.parameters().keys()].filter((name) => name.startsWith('key'))).toEqual([]);
    tidy(() => {
      const { perPair } = method.forward(method.views(batchOf([0, 1, 2])));
      perPair.key!.value.add(perPair.dense!.value).backward();
      for (const [name, tensor] of method.state()) {
        if (/^(key|queue)\./.test(name)) expect(tensor.grad, name).toBeNull();
      }
      for (const [name, parameter] of method.parameters()) {
        expect(parameter.grad, name).not.toBeNull();
        parameter.grad = null;
      }
    });
    const before = weight('key.');
    stepOf(method)(batchOf([0, 1, 2]));
    const query = weight();
    expect(
      relativeError(
        weight('key.'),
        before.map((slow, i) => 0.75 * slow + 0.25 * query[i]!),
      ),
    ).toBeLessThan(1e-6);
    expect(query).not.toEqual(before);
  });

  test('limits the queue to the number of images, as a longer one would hold the query’s own old keys', () => {
    const size = (...set: string[]) =>
      tinyMethod(methodConfig('method=densecl', ...set))
        .state()
        .get('queue.global.keys')!
        .size(0);
    expect([size(), size('method.queueSize=500'), size('method.queueSize=7')]).toEqual([24, 24, 7]);
    expect(methodConfig('method=densecl').method).toMatchObject({ mask: 'sample', queueSize: null });
  });

  test('takes batches that do not divide the queue, drops the oldest keys and tags A’s keys before B’s by pair', () => {
    const method = tinyMethod(methodConfig('method=densecl', 'method.queueSize=7'));
    const tags = () => numbers(method.state().get('queue.dense.tags')!);
    expect(tags()).toEqual(Array(7).fill(-1));
    const step = stepOf(method);
    step(batchOf([5, 0]));
    expect(tags()).toEqual([5, 0, 5, 0, -1, -1, -1]);
    step(batchOf([9, 3]));
    expect(tags()).toEqual([3, 0, 5, 0, 9, 3, 9]);
    expect(numbers(method.state().get('queue.global.tags')!)).toEqual(tags());
  });

  test('counts the whole queue in the chance level, as the loss rises while the queue fills', () => {
    const method = tinyMethod(methodConfig('method=densecl'));
    tidy(() => {
      const forward = method.forward(method.views(batchOf([0, 1])));
      expect(method.chance(forward, batchOf([0, 1]))).toEqual({ key: Math.log(25), dense: Math.log(25) });
    });
  });

  test('allows the modalities to change places', () => {
    const config = methodConfig(
      'method=densecl',
      'model.backbone=vgg16',
      'augment={crop: null, flip: 0, jitter: null}',
    );
    const batch = batchOf([0, 1, 2]);
    const swapped = { ...batch, images: { a: batch.images.b!, b: batch.images.a! } };
    const terms = [batch, swapped].map((one) =>
      tidy(() => {
        const method = tinyMethod(config);
        const { perPair } = method.forward(method.views(one));
        return [perPair.key!.value.item(), perPair.dense!.value.item()];
      }),
    );
    expect(relativeError(terms[1]!, terms[0]!)).toBeLessThan(1e-6);
  });
});

describe('supervised', () => {
  test('has the cross-entropy of one linear layer on both embeddings, labels by row, computed by hand', () => {
    const config = methodConfig('method=supervised');
    expect(viewsOf(tinyMethod(config))).toEqual([
      ['a', 0],
      ['b', 0],
    ]);
    expectByHand(config, {
      step: (twin, images, { rows }) => {
        const { embedding } = twin.encoderFor('a').forward(images, { training: true });
        const both = ops.cat([part(embedding, 0, rows.length), part(embedding, 1, rows.length)], 1);
        const [weight, bias] = ['weight', 'bias'].map((name) => twin.parameters().get(`classifier.${name}`)!);
        const labels = i64(rows.map((row) => Number(row % 3 === 0)));
        return { terms: { classification: crossEntropy(ops.linear(both, weight!, bias!), labels) } };
      },
    });
  });

  test('refuses pairs without a label, and labels that are all the same', () => {
    const config = methodConfig('method=supervised');
    const build = (...labels: (string | undefined)[]) =>
      buildMethod(
        config,
        {
          modalities: ['a', 'b'],
          samples: labels.map((label) => ({ subject: 's', label, images: { a: 0, b: 0 } })),
        },
        'cpu',
      );
    expect(() => build('0', undefined, '1')).toThrow(/needs a label for every pair.*--column label=/);
    expect(() => build('1', '1')).toThrow(/all pairs have the same label, expected two classes/);
    expect(
      freed(build('c', 'a', 'b'))
        .parameters()
        .get('classifier.bias')!.shape,
    ).toEqual([3]);
  });
});

describe('random and imagenet', () => {
  test('train nothing and have one encoder for both modalities', () => {
    const method = tinyMethod(methodConfig('method=random'));
    expect(method.parameters().size).toBe(0);
    expect(method.encoderFor('b')).toBe(method.encoderFor('a'));
    expect([...method.state().keys()]).toContain('features.0.weight');
    expect(viewsOf(method)).toEqual([
      ['a', 'whole'],
      ['b', 'whole'],
    ]);
    tidy(() => {
      expect(() => method.forward(method.views(batchOf([0, 1])))).toThrow(
        /random: there is nothing to train/,
      );
    });
  });
});
