import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { consistencyLoss, correlationMatrix, stackedConsistencyLoss } from '../../src/losses/consistency.js';
import { globalContrastiveLoss, infoNce, type PairEmbeddings } from '../../src/losses/contrastive.js';
import { autocast, type Tensor, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { flip } from '../tensor/flip.js';

const map = (shape: number[], seed: number, options = {}): Tensor =>
  tensor(values(shape, seed, 0, 1), shape, options);

describe('consistency loss', () => {
  test('is zero for equal maps, and blind to a modality’s own scale (Eq. 3 normalises)', () =>
    tidy(() => {
      const a = map([2, 3, 8, 8], 1);
      expect(consistencyLoss([a], [a]).item()).toBe(0);
      expect(consistencyLoss([a], [a.mul(7)]).item()).toBeLessThan(1e-30);
    }));

  test('is blind to a rotation of the channels: only similarities count', () =>
    tidy(() => {
      const a = map([2, 3, 8, 8], 1);
      expect(consistencyLoss([a], [flip(a, [1])]).item()).toBeLessThan(1e-30);
    }));

  test('is the share of off-diagonal elements for orthogonal against parallel one-hot patches', () =>
    tidy(() => {
      // A: patch i lights channel i only, so A = I. B: all patches alike, so every element is 1.
      const eye = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
      const a = tensor(eye, [1, 4, 2, 2], { dtype: 'f64' });
      const b = tensor(Array(16).fill(1), [1, 4, 2, 2], { dtype: 'f64' });
      expect(consistencyLoss([a], [b], { patches: [2, 2] }).item()).toBeCloseTo(12 / 16, 14);
    }));

  test('drops the remainder with floor windows and uses it with adaptive ones', () =>
    tidy(() => {
      const a = map([1, 2, 5, 4], 1);
      const changed = Float64Array.from(a.toArray() as Float64Array);
      for (const channel of [0, 1]) changed.fill(9 * channel, channel * 20 + 16, channel * 20 + 20); // the last row
      const b = tensor(changed, [1, 2, 5, 4]);
      expect(consistencyLoss([a], [b], { patches: [2, 2] }).item()).toBe(0);
      expect(consistencyLoss([a], [b], { patches: [2, 2], windows: 'adaptive' }).item()).toBeGreaterThan(
        1e-4,
      );
    }));

  test('tells with pixel normalisation, on the diagonal, how uniform a patch is', () =>
    tidy(() => {
      const uniform = tensor([1, 1, 1, 1, 0, 0, 0, 0], [1, 2, 2, 2], { dtype: 'f64' });
      const mixed = tensor([1, 0, 1, 0, 0, 1, 0, 1], [1, 2, 2, 2], { dtype: 'f64' });
      const options = { patches: [1, 1], normalize: 'pixel' } as const;
      expect(correlationMatrix(uniform, 0, options).item()).toBeCloseTo(1, 14);
      expect(correlationMatrix(mixed, 0, options).item()).toBeCloseTo(0.5, 14);
    }));

  test('does not mind the order of the pairs, nor which modality is called A', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2, max: 5 }), (seed, batch) =>
        tidy(() => {
          const [a, b] = [map([batch, 3, 6, 6], seed), map([batch, 3, 6, 6], seed + 50)];
          const loss = consistencyLoss([a], [b], { patches: [3, 2] }).item();
          expect(consistencyLoss([b], [a], { patches: [3, 2] }).item()).toBeCloseTo(loss, 14);
          const turned = [a, b].map((x) => flip(x, [0]));
          expect(consistencyLoss([turned[0]!], [turned[1]!], { patches: [3, 2] }).item()).toBeCloseTo(
            loss,
            14,
          );
        }),
      ),
      { numRuns: 20 },
    );
  });

  test('is the same, gradients too, on maps that hold A and then B', () =>
    tidy(() => {
      for (const options of [
        {},
        { distance: 'frobenius', normalize: 'pixel', windows: 'adaptive' },
      ] as const) {
        const both = map([4, 3, 7, 6], 9, { requiresGrad: true });
        stackedConsistencyLoss([both], options).backward();
        const gradient = both.grad!.toArray();
        both.grad = null;
        const [a, b] = [both.narrow(0, 0, 2), both.narrow(0, 2, 2)];
        const loss = consistencyLoss([a], [b], options);
        loss.backward();
        expect(stackedConsistencyLoss([both], options).item()).toBe(loss.item());
        expect(gradient).toEqual(both.grad!.toArray());
      }
    }));

  test('names the map and the fix in its errors', () =>
    tidy(() => {
      const a = map([1, 2, 4, 4], 1);
      expect(() => consistencyLoss([a], [a], { patches: [8, 8] })).toThrow(
        /8×8 patches is finer than map 0, which is 4×4/,
      );
      expect(() => consistencyLoss([a], [map([1, 2, 4, 5], 1)])).toThrow(
        /map 0 is \[1,2,4,4\] for A and \[1,2,4,5\] for B/,
      );
      expect(() => consistencyLoss([], [])).toThrow(TensorError);
      expect(() => consistencyLoss([a], [a], { distance: 'mes' as 'mse' })).toThrow(
        /distance is "mes", expected mse or frobenius/,
      );
      expect(() => consistencyLoss([a], [a], { patches: [0, 2] })).toThrow(/patches is \[0,2\]/);
    }));
});

describe('contrastive losses', () => {
  test('are ln N, the chance level, when all embeddings are equal, and ln(N + 1) with the positive counted twice', () =>
    tidy(() => {
      const f = tensor(Array(6 * 3).fill(1), [6, 3], { dtype: 'f64' });
      expect(infoNce(f, f).item()).toBeCloseTo(Math.log(6), 12);
      expect(infoNce(f, f, { positive: 'twice' }).item()).toBeCloseTo(Math.log(7), 12);
      const views = { a: f, b: f, aHat: f, bHat: f };
      expect(globalContrastiveLoss(views).item()).toBeCloseTo(4 * Math.log(6), 12);
    }));

  test('are ln(1 + (N − 1)·exp(−1/τ)) for one-hot embeddings', () =>
    tidy(() => {
      const f = tensor([2, 0, 0, 0, 5, 0, 0, 0, 0.1], [3, 3], { dtype: 'f64' });
      expect(infoNce(f, f, { tau: 0.5 }).item()).toBeCloseTo(Math.log(1 + 2 * Math.exp(-2)), 13);
    }));

  test('are 0 for a batch of one, which has no negatives', () =>
    tidy(() => {
      const f = map([1, 4], 1);
      expect(infoNce(f, map([1, 4], 2)).item()).toBe(0);
    }));

  test('do not depend on the order of the pairs or the scale of a row', () =>
    tidy(() => {
      const [f, g] = [map([5, 4], 1), map([5, 4], 2)];
      const loss = infoNce(f, g).item();
      expect(infoNce(flip(f, [0]), flip(g, [0])).item()).toBeCloseTo(loss, 12);
      expect(infoNce(f.mul(3), g).item()).toBeCloseTo(loss, 12);
    }));

  test('name wrong shapes and temperatures', () =>
    tidy(() => {
      expect(() => infoNce(map([2, 3], 1), map([3, 3], 1))).toThrow(/g is \[3,3\].*\[2,3\]/);
      expect(() => infoNce(map([2, 3], 1), map([2, 3], 1), { tau: 0 })).toThrow(/tau is 0/);
      const f = map([2, 3], 1);
      expect(() => infoNce(f, f, { positive: 'thrice' as 'once' })).toThrow(
        /positive is "thrice", expected once or twice/,
      );
      expect(() => globalContrastiveLoss({ a: f, b: f, aHat: f } as unknown as PairEmbeddings)).toThrow(
        /bHat is missing/,
      );
    }));

  test('are the f32 losses, in f32, inside autocast', () =>
    tidy(() => {
      const f = map([16, 40], 1, { dtype: 'f32' });
      const g = map([16, 40], 2, { dtype: 'f32' });
      const plain = infoNce(f, g).item();
      const inside = autocast('bf16', () => infoNce(f, g));
      expect(inside.dtype).toBe('f32');
      expect(inside.item()).toBe(plain);
      const maps = map([2, 3, 8, 8], 3, { dtype: 'f32' });
      const other = map([2, 3, 8, 8], 4, { dtype: 'f32' });
      const consistency = autocast('bf16', () => consistencyLoss([maps], [other]));
      expect(consistency.item()).toBe(consistencyLoss([maps], [other]).item());
    }));
});
