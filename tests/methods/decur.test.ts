import { describe, expect, test } from 'vitest';
import { barlowTwins, DECUR_WEIGHTS, decurChance } from '../../src/losses/index.js';
import type { Batch, Method, Pairs } from '../../src/methods/index.js';
import { Sgd } from '../../src/optim/index.js';
import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { trainingStep } from '../../src/training/step.js';
import { relativeError } from '../golden/formula.js';
import { rows } from '../losses/embeddings.js';
import {
  batchOf,
  freed,
  GAPPED,
  gappedBatch,
  methodConfig,
  methodOf,
  numbers,
  tinyMethod,
  withOneThread,
} from '../training/tiny.js';

withOneThread();

const THREE = ['a', 'b', 'c'];
/** Seven samples in no order, which no micro-batch but one divides. */
const ROWS = [5, 0, 9, 3, 11, 8, 2];
const small = (...set: string[]) =>
  methodConfig('method=decur', 'method.projector=[24,16]', 'method.common=0.5', 'method.lambda=0.3', ...set);

/** The largest absolute value. */
const largestOf = (values: readonly number[]) => values.reduce((max, x) => Math.max(max, Math.abs(x)), 0);

/** One step, with the gradients that the optimiser is given. */
function stepped(method: Method, batch: Batch, microBatch?: number) {
  const sgd = freed(new Sgd(method.parameters()));
  const gradients = new Map<string, number[]>();
  const optimizer = {
    zeroGrad: () => sgd.zeroGrad(),
    step: (rate: number) => {
      for (const [name, { grad }] of method.parameters()) if (grad) gradients.set(name, numbers(grad));
      sgd.step(rate);
    },
  } as unknown as Sgd;
  const rates = { learningRate: 0.01, precision: 'fp32', device: 'cpu' } as const;
  return { ...trainingStep({ method, optimizer, batch, ...rates, microBatch, inspect: true }), gradients };
}

/** The projector of a modality by its tensors: linear, batch norm over both views, ReLU, linear. */
function project(state: ReadonlyMap<string, Tensor>, modality: string, embedding: Tensor): Tensor {
  const of = (name: string) => state.get(`projector.${modality}.${name}`)!;
  const hidden = ops.linear(embedding, of('0.weight'), null);
  const normed = ops.batchNorm(hidden, of('1.weight'), of('1.bias'), null, null, true, 0.1, 1e-5, true);
  return ops.linear(ops.relu(normed), of('3.weight'), null);
}

/** Both views of A, then both of B, as a twin of the method makes them. */
function projected(twin: Method, batch: Batch): Tensor[] {
  const count = batch.ids.length;
  const { embedding } = twin.encoderFor('a').forward(twin.views(batch).images, { training: true });
  return ['a', 'b'].flatMap((modality, m) => {
    const z = project(twin.state(), modality, embedding.narrow(0, 2 * m * count, 2 * count));
    return [z.narrow(0, 0, count), z.narrow(0, count, count)];
  });
}

/** Σ_k (1 − C_kk)² or Σ_k C_kk², and λ Σ_{k≠l} C_kl², of some components, by BatchNorm1d's operator. */
function redundancy(x: Tensor, y: Tensor, diagonal: 0 | 1, lambda: number): Tensor {
  const normed = (z: Tensor) => {
    const [one, zero] = [1, 0].map((value) => ops.full([z.size(1)], value, z.dtype, null, 'cpu'));
    return ops.batchNorm(z, one!, zero!, null, null, true, 0.1, 1e-5, true);
  };
  const squares = normed(x).t().matmul(normed(y)).div(x.size(0));
  const own = ops.diagonal(squares);
  const others = squares.pow(2).sum().sub(own.pow(2).sum());
  return own.sub(diagonal).pow(2).sum().add(others.mul(lambda));
}

/** The objective of the source for two modalities over the number of components, from the views of A and of B: half of 16 components are common. */
function byHand([a, aHat, b, bHat]: readonly Tensor[]): { terms: Record<string, Tensor>; objective: Tensor } {
  const half = (x: Tensor, part: 0 | 1) => x.narrow(1, 8 * part, 8);
  const [ofA, ofB] = [redundancy(a!, aHat!, 1, 0.3), redundancy(b!, bHat!, 1, 0.3)];
  const common = redundancy(half(a!, 0), half(b!, 0), 1, 0.3);
  const unique = redundancy(half(a!, 1), half(b!, 1), 0, 0.3);
  const crossed = common.add(unique).div(2);
  return {
    terms: { intra: ofA.add(ofB).div(2), common, unique },
    objective: ofA.add(ofB).add(crossed).div(3).div(16),
  };
}

describe('decur', () => {
  test.each([undefined, 3])(
    'has the loss and the gradients computed by hand on the whole batch, micro-batches of %s',
    (microBatch) => {
      const [method, twin] = [tinyMethod(small()), tinyMethod(small())];
      const batch = batchOf(ROWS);
      const result = stepped(method, batch, microBatch);
      tidy(() => {
        // Seven pairs, three at a time at most, are micro-batches of 3, 2 and 2: each has batch norm's statistics of
        // its own, and the correlations are those of all seven.
        const sizes = microBatch === undefined ? [7] : [3, 2, 2];
        const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
        const parts = sizes.map((size, i) =>
          projected(twin, batchOf(ROWS.slice(starts[i], starts[i]! + size))),
        );
        const views = [0, 1, 2, 3].map((view) =>
          ops.cat(
            parts.map((part) => part[view]!),
            0,
          ),
        );
        const { terms, objective } = byHand(views);
        objective.backward();
        // f32: the loss takes other operators, and the gradients go through thirteen layers of batch norm.
        expect(relativeError([result.loss], [objective.item()])).toBeLessThan(1e-5);
        expect(Object.keys(result.terms).sort()).toEqual(Object.keys(terms).sort());
        for (const [name, value] of Object.entries(terms)) {
          expect(relativeError([result.terms[name]!], [value.item()]), name).toBeLessThan(1e-5);
        }
        const parameters = [...twin.parameters()];
        const largest = largestOf(parameters.map(([, { grad }]) => largestOf(numbers(grad!))));
        expect([...result.gradients.keys()]).toEqual(parameters.map(([name]) => name));
        for (const [name, parameter] of parameters) {
          const expected = numbers(parameter.grad!);
          const worst = largestOf(expected.map((x, i) => x - result.gradients.get(name)![i]!));
          expect(worst / largest, name).toBeLessThan(1e-4);
          parameter.grad = null;
        }
      });
    },
  );

  test('looks twice at each modality, in two different views', () => {
    tidy(() => {
      const { specs, images } = tinyMethod(small()).views(batchOf([0, 1]));
      expect(specs).toEqual(['a', 'b'].flatMap((modality) => [0, 1].map((look) => ({ modality, look }))));
      const parts = [0, 1, 2, 3].map((view) => numbers(images.narrow(0, 2 * view, 2)).join());
      expect(new Set(parts).size).toBe(4);
    });
  });

  // In the published code both projectors are made of the same layers.
  test('gives each modality a projector of its own, which trains apart', () => {
    const method = tinyMethod(small());
    const of = (modality: string) =>
      [...method.parameters()].filter(([name]) => name.startsWith(`projector.${modality}.`));
    const layers = ['0.weight', '1.weight', '1.bias', '3.weight'];
    for (const modality of ['a', 'b']) {
      expect(of(modality).map(([name]) => name)).toEqual(
        layers.map((layer) => `projector.${modality}.${layer}`),
      );
    }
    const read = () => ['a', 'b'].map((modality) => of(modality).map(([, x]) => numbers(x)));
    const before = read();
    expect(before[0]![0]).not.toEqual(before[1]![0]);
    expect(before[0]![3]).not.toEqual(before[1]![3]);
    tidy(() => {
      const { embeddings } = method.forward(method.views(batchOf(ROWS)), { record: false });
      barlowTwins(embeddings['a.0']!, embeddings['a.1']!).backward();
      for (const [name, parameter] of method.parameters()) {
        expect(parameter.grad === null, name).toBe(name.startsWith('projector.b.'));
        parameter.grad = null;
      }
    });
    stepped(method, batchOf(ROWS));
    const after = read();
    for (const m of [0, 1]) {
      for (const [i, values] of after[m]!.entries()) expect(values).not.toEqual(before[m]![i]);
    }
    expect(after[0]![1]).not.toEqual(after[1]![1]);
  });

  // In the published code the sum over the machines carries no gradient of the others' samples.
  test('has gradients of all samples, in every parameter', () => {
    const method = tinyMethod(small());
    tidy(() => {
      const batch = batchOf(ROWS);
      const { embeddings } = method.forward(method.views(batch));
      const leaves = Object.fromEntries(
        Object.entries(embeddings).map(([name, z]) => [name, z.detach().setRequiresGrad()]),
      );
      const terms = Object.values(method.loss!(leaves, batch));
      const objective = terms.map(({ value, weight }) => value.mul(weight));
      objective.reduce((sum, value) => sum.add(value)).backward();
      for (const [name, { grad }] of Object.entries(leaves)) {
        const sizes = numbers(ops.vectorNorm(grad!, 2, [1], false));
        expect(sizes, name).toHaveLength(7);
        expect(Math.min(...sizes), name).toBeGreaterThan(1e-3 * Math.max(...sizes));
      }
    });
    const { gradients } = stepped(method, batchOf(ROWS));
    expect([...gradients.keys()]).toEqual([...method.parameters().keys()]);
    for (const name of ['features.0.weight', 'head.weight', 'head.bias', 'projector.b.0.weight']) {
      expect(largestOf(gradients.get(name)!), name).toBeGreaterThan(0);
    }
  });

  // In the published code the correlations are divided by a batch size that is written down.
  test.each([2, 3, 7])('divides by the number of samples, of which there are %i', (count) => {
    const method = tinyMethod(methodConfig('method=decur', 'method.projector=[1]', 'method.common=1'));
    tidy(() => {
      // Both views of each modality are the same, so all correlations are 1.
      const z = rows([count, 1], 3, { dtype: 'f64' }).mul(1e4);
      const terms = method.loss!({ 'a.0': z, 'a.1': z, 'b.0': z, 'b.1': z }, batchOf(ROWS.slice(0, count)));
      expect(terms.intra!.value.item()).toBeCloseTo(0, 12);
      expect(terms.common!.value.item()).toBeCloseTo(0, 12);
    });
  });

  test('keeps batch norm’s running statistics in the state, and moves them only when told to', () => {
    const method = tinyMethod(small());
    const names = [...method.state().keys()].filter((name) => /^projector.*(running|tracked)/.test(name));
    expect(names).toEqual(
      ['a', 'b'].flatMap((modality) =>
        ['running_mean', 'running_var', 'num_batches_tracked'].map(
          (name) => `projector.${modality}.1.${name}`,
        ),
      ),
    );
    const read = () => names.map((name) => numbers(method.state().get(name)!));
    const before = read();
    tidy(() => {
      const views = method.views(batchOf(ROWS));
      method.forward(views, { record: false });
      expect(read()).toEqual(before);
      method.forward(views);
      read().forEach((values, i) => void expect(values, names[i]).not.toEqual(before[i]));
    });
  });

  test('has the means over images and over pairs of images of three modalities with gaps', () => {
    tidy(() => {
      const batch = gappedBatch(ROWS, THREE);
      const having = (modality: string) => ROWS.filter((row) => modality in GAPPED[row]!.images);
      const embeddings = Object.fromEntries(
        THREE.flatMap((modality, m) =>
          [0, 1].map((look) => {
            const shape = [having(modality).length, 16];
            return [`${modality}.${look}`, rows(shape, 10 * m + look, { dtype: 'f64' })] as const;
          }),
        ),
      );
      const { intra, common, unique } = methodOf(small(), THREE).loss!(embeddings, batch);
      const mean = (parts: readonly (readonly [number, number])[]) =>
        parts.reduce((sum, [value, count]) => sum + value * count, 0) /
        parts.reduce((sum, [, count]) => sum + count, 0);
      const alone = THREE.map((modality) => {
        const [x, y] = [embeddings[`${modality}.0`]!, embeddings[`${modality}.1`]!];
        return [redundancy(x, y, 1, 0.3).item(), x.size(0)] as const;
      });
      expect(alone.map(([, count]) => count)).toEqual([7, 5, 3]);
      expect(intra!.value.item()).toBeCloseTo(mean(alone), 10);
      const crossed = (part: 0 | 1) =>
        [
          ['a', 'b'],
          ['a', 'c'],
          ['b', 'c'],
        ].map((pair) => {
          const both = ROWS.filter((row) => pair.every((modality) => modality in GAPPED[row]!.images));
          const [x, y] = pair.map((modality) => {
            const places = both.map((row) => having(modality).indexOf(row));
            const index = tensor(places, [places.length], { dtype: 'i64' });
            return ops.indexSelect(embeddings[`${modality}.0`]!, 0, index).narrow(1, 8 * part, 8);
          });
          return [redundancy(x!, y!, part === 0 ? 1 : 0, 0.3).item(), both.length] as const;
        });
      expect(common!.value.item()).toBeCloseTo(mean(crossed(0)), 10);
      expect(unique!.value.item()).toBeCloseTo(mean(crossed(1)), 10);
      expect([intra!.weight, common!.weight, unique!.weight]).toEqual([2 / 48, 1 / 96, 1 / 96]);
    });
  });

  test('is two modalities to the bit where nobody has the third', () => {
    const samples = GAPPED.map((sample) => ({ ...sample, images: { a: 1, b: 1 } as Record<string, number> }));
    for (const microBatch of [undefined, 3]) {
      const [three, two] = [THREE, ['a', 'b']].map((modalities) => {
        const batch = gappedBatch(ROWS, modalities, { samples });
        return stepped(methodOf(small(), modalities, samples), batch, microBatch);
      });
      expect(three!.terms).toEqual(two!.terms);
      expect(three!.gradients.size).toBeGreaterThan(12);
      for (const [name, gradient] of two!.gradients)
        expect(three!.gradients.get(name), name).toEqual(gradient);
    }
  });

  test('is Barlow Twins of one modality, times ⅔ over the number of components', () => {
    const samples = GAPPED.map((sample) => ({ ...sample, images: { a: 1 } as Record<string, number> }));
    tidy(() => {
      const method = methodOf(small(), ['a'], samples);
      const batch = gappedBatch(ROWS, ['a'], { samples });
      const { embeddings } = method.forward(method.views(batch));
      const terms = method.loss!(embeddings, batch);
      expect(Object.keys(terms)).toEqual(['intra']);
      const whole = barlowTwins(embeddings['a.0']!, embeddings['a.1']!, { lambda: 0.3 }).item();
      expect(terms.intra).toMatchObject({ weight: DECUR_WEIGHTS.intra / 16 });
      expect(terms.intra!.value.item()).toBe(whole);
    });
  });

  test('compares as many pairs of modalities of a sample as method.pairsPerSample says', () => {
    const samples = GAPPED.map((sample) => ({
      ...sample,
      images: { a: 1, b: 1, c: 1 } as Record<string, number>,
    }));
    const batch = gappedBatch(ROWS, THREE, { samples });
    tidy(() => {
      const chances = [1, 2, 3].map((limit) => {
        const method = methodOf(small(`method.pairsPerSample=${limit}`), THREE, samples);
        const forward = method.forward(method.views(batch), { record: false });
        return method.chance(forward, batch);
      });
      // Fewer samples a pair: more noise in its correlations.
      expect(chances[0]!.common).toBeGreaterThan(chances[1]!.common!);
      expect(chances[1]!.common).toBeGreaterThan(chances[2]!.common!);
      expect(chances[0]!.intra).toBe(chances[2]!.intra);
      expect(chances[2]).toEqual(
        decurChance([7, 7, 7], [7, 7, 7], { components: 16, common: 8, lambda: 0.3 }),
      );
    });
  });

  test('has the chance levels of the whole batch in every micro-batch', () => {
    const method = tinyMethod(small());
    const { inspection } = stepped(method, batchOf(ROWS), 3);
    const chance = decurChance([7, 7], [7], { components: 16, common: 8, lambda: 0.3 });
    for (const [name, value] of Object.entries(chance)) {
      expect(inspection[`chance/${name}`], name).toBeCloseTo(value, 10);
    }
  });

  test('trains on micro-batches of one pair, and learns nothing from a batch of one', () => {
    const method = tinyMethod(small());
    const { finite } = stepped(method, batchOf(ROWS), 1);
    expect(finite).toBe(true);
    for (const [name, x] of method.state()) expect(numbers(x).every(Number.isFinite), name).toBe(true);
    const alone = stepped(method, batchOf([4]));
    expect(alone.terms).toEqual({ intra: 0 });
    for (const [name, gradient] of alone.gradients) expect(largestOf(gradient), name).toBe(0);
    const one: Pairs = { ids: ['pair-4'], rows: [4], epoch: 0 };
    expect(method.chance({} as never, one)).toEqual({});
  });

  test('falls within twenty steps on the same pairs, and so does the term of the common components', () => {
    const method = tinyMethod(small('method.lambda=0.0051', 'augment={crop: null, jitter: null}'));
    const optimizer = freed(new Sgd(method.parameters(), { momentum: 0.9 }));
    const values = Array.from({ length: 20 }, (_, epoch) => {
      const batch = batchOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], { epoch });
      const rates = { learningRate: 0.1, precision: 'fp32', device: 'cpu' } as const;
      return trainingStep({ method, optimizer, batch, ...rates });
    });
    const mean = (from: number, of: (value: (typeof values)[number]) => number) =>
      values.slice(from, from + 4).reduce((sum, value) => sum + of(value), 0) / 4;
    expect(mean(16, ({ loss }) => loss)).toBeLessThan(0.8 * mean(0, ({ loss }) => loss));
    expect(mean(16, ({ terms }) => terms.common!)).toBeLessThan(mean(0, ({ terms }) => terms.common!));
  });
});

describe('the settings of decur', () => {
  test.each([
    ['method.common=1.2', 'method.common is 1.2: Too big'],
    ['method.common=-0.1', 'method.common is -0.1: Too small'],
    ['method.common=0.99 method.projector=[8]', 'method.common is 0.99: expected 0, 1 or a share that makes'],
    ['method.common=0.01 method.projector=[8]', 'method.common is 0.01: expected 0, 1 or a share that makes'],
    ['method.lambda=-1', 'method.lambda is -1: Too small'],
    ['method.projector=[]', 'method.projector is []: Too small'],
    ['method.projector=[8,0]', 'method.projector.1 is 0: Too small'],
    ['method.pairsPerSample=0', 'method.pairsPerSample is 0: Too small'],
    ['method.tau=1', 'unknown key method.tau; it is a setting of another method'],
  ])('%s is refused', (set, message) => {
    let refusal = '';
    try {
      methodConfig('method=decur', ...set.split(' '));
    } catch (error) {
      refusal = (error as Error).message;
    }
    expect(refusal).toContain(message);
    // One fault, one line.
    expect(refusal.split('\n')).toHaveLength(1);
  });

  test('are by default two layers of 512 after the head, with 384 common components', () => {
    tidy(() => {
      const method = tinyMethod(methodConfig('method=decur'));
      const widths = [...method.parameters()].filter(([name]) => /^projector\.a\.\d\.weight$/.test(name));
      expect(widths.map(([, x]) => x.shape)).toEqual([[512, 500], [512], [512, 512]]);
      const pairs: Pairs = { ids: ['x', 'y', 'z'], rows: [0, 1, 2], epoch: 0 };
      const options = { components: 512, common: 384, lambda: 0.0051 };
      expect(method.chance({} as never, pairs)).toEqual(decurChance([3, 3], [3], options));
    });
  });

  test('take all components as common or as unique', () => {
    tidy(() => {
      const batch = batchOf(ROWS);
      for (const [share, names] of [
        [1, ['intra', 'common']],
        [0, ['intra', 'unique']],
      ] as const) {
        const method = tinyMethod(small(`method.common=${share}`));
        const { embeddings } = method.forward(method.views(batch));
        expect(Object.keys(method.loss!(embeddings, batch)).sort()).toEqual([...names].sort());
      }
    });
  });
});
