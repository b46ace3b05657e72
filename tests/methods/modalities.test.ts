import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import type { Batch, Method } from '../../src/methods/index.js';
import { matedPairs } from '../../src/methods/presence.js';
import { Sgd } from '../../src/optim/index.js';
import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { trainingStep } from '../../src/training/step.js';
import { relativeError } from '../golden/formula.js';
import {
  batchOf,
  freed,
  GAPPED,
  gappedBatch,
  hasOwnNorm,
  METHODS,
  methodConfig,
  methodOf,
  numbers,
  tinyConfig,
  tinyMethod,
  withOneThread,
} from '../training/tiny.js';

withOneThread();

const THREE = ['a', 'b', 'c'];
const COMPLETE = GAPPED.map((sample) => {
  return { ...sample, images: { a: 1, b: 1, c: 1 } as Record<string, number> };
});
const ROWS = [5, 0, 9, 8, 3, 2, 6];
const named = METHODS.map((set) => [set.join(' ').replaceAll('method.', ''), set] as const);

function step(method: Method, batch: Batch, microBatch?: number) {
  const optimizer = freed(new Sgd(method.parameters(), { momentum: 0.9 }));
  const rates = { learningRate: 0.01, precision: 'fp32', device: 'cpu' } as const;
  const result = trainingStep({ method, optimizer, batch, ...rates, microBatch, inspect: true });
  return { ...result, state: new Map([...method.state()].map(([name, x]) => [name, numbers(x)])) };
}

describe('three modalities, of which samples lack some', () => {
  // As for two modalities: max-pools whose places are equal but for rounding choose differently.
  const tolerance = 2e-2;

  test.each(named.filter(([, set]) => !hasOwnNorm(set)))(
    'train the same in micro-batches without batch norm: %s',
    (_, set) => {
      const config = methodConfig(...set, 'model.backbone=vgg16');
      // InstDis-B takes images of B alone, so its batch is of samples that have one.
      const rows = ROWS.filter((row) => !set.includes('method.images=b') || GAPPED[row]!.images.b);
      const whole = step(methodOf(config, THREE), gappedBatch(rows, THREE));
      expect(whole.finite).toBe(true);
      const parts = step(methodOf(config, THREE), gappedBatch(rows, THREE), 3);
      for (const [name, value] of Object.entries(parts.terms)) {
        expect(relativeError([value], [whole.terms[name]!]), name).toBeLessThan(1e-5);
      }
      for (const [name, value] of parts.state) {
        expect(relativeError(value, whole.state.get(name)!), name).toBeLessThan(tolerance);
      }
    },
  );

  test.each(named)('train with a batch in which nobody has two images: %s', (_, set) => {
    const samples = COMPLETE.map((sample, row) => {
      return ROWS.includes(row) ? { ...sample, images: { b: 1 } as Record<string, number> } : sample;
    });
    const method = methodOf(methodConfig(...set), THREE, samples);
    const { finite } = step(method, gappedBatch(ROWS, THREE, { samples }));
    expect(finite).toBe(true);
  });

  test('are two modalities where nobody has the third', () => {
    for (const [, set] of named.filter(([name]) => !/supervised|mask=none/.test(name))) {
      const config = methodConfig(...set, ...(set[0] === 'method=cmc' ? ['method.encoders=shared'] : []));
      const samples = GAPPED.map((sample) => ({
        ...sample,
        images: { a: 1, b: 1 } as Record<string, number>,
      }));
      const three = step(methodOf(config, THREE, samples), gappedBatch(ROWS, THREE, { samples }));
      const two = step(methodOf(config, ['a', 'b'], samples), gappedBatch(ROWS, ['a', 'b'], { samples }));
      // Rows that are taken lie otherwise in memory, so f32 sums may round otherwise.
      expect(Object.keys(three.terms)).toEqual(Object.keys(two.terms));
      for (const [name, value] of Object.entries(three.terms)) {
        expect(relativeError([value], [two.terms[name]!]), `${set.join(' ')} ${name}`).toBeLessThan(1e-6);
      }
    }
  });
});

/** Embeddings of a batch by name, [n, 6] in f64, so that losses can be compared without a network. */
function embeddingsOf(batch: Batch, salt = 0): Record<string, Tensor> {
  return Object.fromEntries(
    THREE.flatMap((modality, m) =>
      [modality, `augmented ${modality}`].map((name, look) => {
        const rows = batch.rows.filter((row) => batch.images[modality] && GAPPED[row]!.images[modality]);
        const data = rows.flatMap((row) =>
          Array.from({ length: 6 }, (_, i) => Math.sin(1 + row * 7 + m * 13 + look * 29 + i * 3 + salt)),
        );
        return [name, tensor(data, [rows.length, 6], { dtype: 'f64', requiresGrad: true })] as const;
      }),
    ),
  );
}

describe('the paper’s losses over several modalities', () => {
  test('are three times as many terms averaged: equal modalities give the value of two', () => {
    tidy(() => {
      const batch = gappedBatch(ROWS, THREE, { samples: COMPLETE });
      const method = methodOf(tinyConfig(), THREE, COMPLETE);
      const [rows, hat] = [1, 2].map((salt) =>
        tensor(
          Array.from({ length: ROWS.length * 6 }, (_, i) => Math.sin(salt + i * salt)),
          [ROWS.length, 6],
          { dtype: 'f64' },
        ),
      ) as [Tensor, Tensor];
      const same = (modalities: readonly string[]) =>
        Object.fromEntries(modalities.flatMap((m) => [[m, rows] as const, [`augmented ${m}`, hat] as const]));
      const three = method.loss!(same(THREE), batch).global!.value.item();
      const two = tinyMethod().loss!(same(['a', 'b']), batchOf(ROWS)).global!.value.item();
      expect(three / two).toBeCloseTo(1, 12);
    });
  });

  test('do not depend on the order of the modalities', () => {
    tidy(() => {
      const batch = gappedBatch(ROWS, THREE);
      const embeddings = embeddingsOf(batch);
      const values = [THREE, ['c', 'a', 'b'], ['b', 'c', 'a']].map((order) =>
        methodOf(tinyConfig(), order).loss!(embeddings, batch).global!.value.item(),
      );
      for (const value of values) expect(value / values[0]!).toBeCloseTo(1, 12);
    });
  });

  test('leave the cross-modal gradients of the others as they are when a sample without B joins', () => {
    tidy(() => {
      // Sample 11 has A alone, so it takes part in A's own contrast and in nothing with B.
      const without = gappedBatch([5, 0, 9, 8, 2], THREE);
      const withIt = gappedBatch([5, 0, 9, 8, 2, 11], THREE);
      const gradients = [without, withIt].map((batch) => {
        const embeddings = embeddingsOf(batch);
        methodOf(tinyConfig(), THREE).loss!(embeddings, batch).global!.value.backward();
        return numbers(embeddings.b!.grad!);
      });
      expect(GAPPED[11]!.images).toEqual({ a: 1 });
      expect(
        relativeError(
          gradients[1]!.map((x) => x * (imagesIn(withIt) / imagesIn(without))),
          gradients[0]!,
        ),
      ).toBeGreaterThan(0);
      const crossed = [without, withIt].map((batch) => {
        const embeddings = embeddingsOf(batch);
        const alone = methodOf(tinyConfig('method.crossModal=none'), THREE).loss!(embeddings, batch).global!
          .value;
        const all = methodOf(tinyConfig(), THREE).loss!(embeddings, batch).global!.value;
        all.sub(alone).backward();
        return numbers(embeddings.b!.grad!);
      });
      expect(relativeError(crossed[1]!, crossed[0]!)).toBeLessThan(1e-12);
    });
  });

  test('have ln n of each group as their chance level', () => {
    tidy(() => {
      const batch = gappedBatch(ROWS, THREE);
      const method = methodOf(tinyConfig(), THREE);
      const forward = method.forward(method.views(batch));
      const same = Object.fromEntries(
        Object.entries(forward.embeddings).map(([name, x]) => [
          name,
          ops.full(x.shape, 1, 'f64', null, 'cpu'),
        ]),
      );
      const loss = method.loss!(same, batch).global!.value.item();
      expect(method.chance(forward, batch).global! / loss).toBeCloseTo(1, 12);
    });
  });
});

const imagesIn = (batch: Batch): number => Object.values(batch.images).reduce((sum, x) => sum + x.size(0), 0);

describe('pairs of modalities', () => {
  const pairs = (batch: Batch, pairsPerSample?: number) =>
    matedPairs(batch, { modalities: THREE, seed: 0, pairsPerSample });

  test('hold the samples that have both, and their rows among the images of each', () => {
    const batch = gappedBatch([3, 0, 2, 6], THREE);
    // 3 has A alone, 0 and 2 have all, 6 has B and C.
    expect(pairs(batch)).toEqual([
      {
        first: 'a',
        second: 'b',
        count: 2,
        positions: [1, 2],
        rows: [
          [1, 2],
          [0, 1],
        ],
      },
      {
        first: 'a',
        second: 'c',
        count: 2,
        positions: [1, 2],
        rows: [
          [1, 2],
          [0, 1],
        ],
      },
      { first: 'b', second: 'c', count: 3, positions: [1, 2, 3], rows: [undefined, undefined] },
    ]);
  });

  test('are drawn by seed, epoch and id where there are more than asked for', () => {
    const batch = gappedBatch(ROWS, THREE, { samples: COMPLETE });
    const used = (epoch: number, limit: number) => pairs({ ...batch, epoch }, limit);
    for (const epoch of [0, 1, 2]) {
      expect(used(epoch, 1).reduce((sum, { count }) => sum + count, 0)).toBe(ROWS.length);
      expect(used(epoch, 2).reduce((sum, { count }) => sum + count, 0)).toBe(2 * ROWS.length);
      expect(used(epoch, 3)).toEqual(pairs(batch));
    }
    expect(used(0, 1)).not.toEqual(used(1, 1));
    expect(used(0, 1)).toEqual(used(0, 1));
  });

  test('cost at most as many as method.pairsPerSample says', () => {
    tidy(() => {
      const batch = gappedBatch(ROWS, THREE, { samples: COMPLETE });
      for (const name of ['anatomy', 'cmc', 'densecl']) {
        const tiny = name === 'anatomy' ? ['method.maps=[1,2]', 'method.patches=[2,2]'] : [];
        const count = (...set: string[]) =>
          methodOf(methodConfig(`method=${name}`, ...tiny, ...set), THREE, COMPLETE).perPairCount!(batch);
        expect(count('method.pairsPerSample=1') * 3, name).toBe(count());
      }
    });
  });
});

test('one modality trains what needs no other, and is refused by what compares modalities', () => {
  const samples = GAPPED.map((sample) => ({ ...sample, images: { a: 1 } as Record<string, number> }));
  for (const [name, set] of named) {
    const build = () => methodOf(methodConfig(...set), ['a'], samples);
    if (/^method=(cmc|densecl)|simclr$|alpha=0/.test(name)) {
      expect(build, name).toThrow(UsageError);
      expect(() => methodOf(methodConfig(...set), ['a', 'b'], samples), name).toThrow('no sample has two');
      expect(build, name).toThrow(/one modality \(a\).*--method instdis/s);
    } else if (!/images=b/.test(name)) {
      expect(step(build(), gappedBatch(ROWS, ['a'], { samples })).finite, name).toBe(true);
    }
  }
});

test('instdis names the modality whose images are instances, or is told which there are', () => {
  const config = (images: string) => methodConfig('method=instdis', `method.images=${images}`);
  const rows = (images: string) => methodOf(config(images), THREE).state().get('bank.vectors')!.size(0);
  expect([rows('a'), rows('b'), rows('c'), rows('all')]).toEqual([11, 9, 6, 26]);
  expect(() => rows('d')).toThrow('method.images is "d", expected all or one of the modalities a, b, c');
});
