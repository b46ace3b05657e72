import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bankNce, bankSoftmax, estimateNormalizer } from '../../src/losses/index.js';
import { autocast, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { flip } from '../tensor/flip.js';
import { bool, equalRows, i64, numbers, oneHot, rows, unitRows } from './embeddings.js';

/** All rows but each sample's own. */
function allOthers(own: readonly number[], n: number): Tensor {
  return i64(
    own.flatMap((row) => Array.from({ length: n - 1 }, (_, k) => (row + 1 + k) % n)),
    [own.length, n - 1],
  );
}

describe('bankSoftmax', () => {
  test('is ln n, the chance level, when all embeddings are equal', () =>
    tidy(() => {
      expect(bankSoftmax(equalRows(2, 3), equalRows(7, 3), i64([6, 0])).item()).toBeCloseTo(Math.log(7), 12);
    }));

  test('is ln(1 + (n − 1)·exp(−1/τ)) for one-hot embeddings', () =>
    tidy(() => {
      const loss = bankSoftmax(oneHot(4, 3), oneHot(4), i64([0, 1, 2, 3]), { tau: 0.5 });
      expect(loss.item()).toBeCloseTo(Math.log(1 + 3 * Math.exp(-2)), 13);
    }));

  test('weighs each image, in a mean over all of them, and refuses another number of weights', () =>
    tidy(() => {
      const [f, bank] = [rows([3, 4], 1), unitRows([6, 4], 2)];
      const own = [4, 0, 2];
      const each = own.map((row, i) => bankSoftmax(f.narrow(0, i, 1), bank, i64([row])).item());
      const weights = [0.3, 0, 1];
      const expected = each.reduce((sum, loss, i) => sum + weights[i]! * loss, 0) / 3;
      expect(bankSoftmax(f, bank, i64(own), { weights }).item()).toBeCloseTo(expected, 12);
      expect(() => bankSoftmax(f, bank, i64(own), { weights: [1] })).toThrow('1 weights for 3 images');
    }));

  test('is 0 for a bank of one row', () =>
    tidy(() => {
      expect(bankSoftmax(rows([1, 4], 1), unitRows([1, 4], 2), i64([0])).item()).toBe(0);
    }));

  test('does not depend on the order of the batch or of the bank, or on the scale of a feature', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        (seed, batch, scale) =>
          tidy(() => {
            const n = batch + 2;
            const [f, bank] = [rows([batch, 3], seed), unitRows([n, 3], seed + 1)];
            const own = Array.from({ length: batch }, (_, b) => (2 * b + seed) % n);
            const loss = bankSoftmax(f, bank, i64(own)).item();
            const turned = bankSoftmax(flip(f, [0]), bank, i64([...own].reverse()));
            expect(turned.item()).toBeCloseTo(loss, 11);
            const turnedBank = bankSoftmax(f, flip(bank, [0]), i64(own.map((row) => n - 1 - row)));
            expect(turnedBank.item()).toBeCloseTo(loss, 11);
            expect(bankSoftmax(f.mul(scale), bank, i64(own)).item()).toBeCloseTo(loss, 11);
          }),
      ),
      { numRuns: 30 },
    );
  });

  test('does not overflow in f32 at a small temperature, and is the f32 loss inside autocast', () =>
    tidy(() => {
      const f = rows([3, 8], 1, { dtype: 'f32', requiresGrad: true });
      const bank = unitRows([9, 8], 2, 'f32');
      const loss = bankSoftmax(f, bank, i64([4, 1, 8]), { tau: 0.001 });
      loss.backward();
      expect([loss.item(), ...numbers(f.grad)].every(Number.isFinite)).toBe(true);
      const inside = autocast('bf16', () => bankSoftmax(f, bank, i64([4, 1, 8])));
      expect(inside.dtype).toBe('f32');
      expect(inside.item()).toBe(bankSoftmax(f, bank, i64([4, 1, 8])).item());
    }));
});

describe('bankNce', () => {
  test('is ln(1 + K) + K·ln(1 + 1/K) where P = 1/n everywhere', () =>
    tidy(() => {
      // A feature of zeros is at cosine 0 to all rows, so that exp = 1 and Z = n.
      const f = tensor(new Float64Array(6), [2, 3]);
      for (const drawn of [1, 2, 6]) {
        const negatives = ops.narrow(allOthers([5, 2], 7), 1, 0, drawn);
        const loss = bankNce(f, unitRows([7, 3], 1), i64([5, 2]), negatives, { normalizer: 7 });
        expect(loss.item()).toBeCloseTo(Math.log(1 + drawn) + drawn * Math.log(1 + 1 / drawn), 12);
      }
    }));

  test('has the softmax over the bank as P, given the exact Z', () =>
    tidy(() => {
      // Two rows and one negative: both terms follow from P(own) alone, which bankSoftmax gives.
      const [f, bank] = [rows([1, 3], 1), unitRows([2, 3], 2)];
      const rowTerm = (row: number) => estimateNormalizer(f, bank, i64([row], [1, 1])) / 2; // it is n·exp of one row
      const z = rowTerm(0) + rowTerm(1);
      const p = Math.exp(-bankSoftmax(f, bank, i64([0])).item());
      const expected = -Math.log(p / (p + 0.5)) - Math.log(0.5 / (1 - p + 0.5));
      const loss = bankNce(f, bank, i64([0]), i64([1], [1, 1]), { normalizer: z });
      expect(loss.item()).toBeCloseTo(expected, 12);
    }));

  test('is 0 without negatives, also for one image among others', () =>
    tidy(() => {
      const [f, bank] = [rows([2, 3], 1, { requiresGrad: true }), unitRows([4, 3], 2)];
      const none = tensor(new BigInt64Array(0), [2, 0]);
      expect(Math.abs(bankNce(f, bank, i64([0, 1]), none, { normalizer: 9 }).item())).toBe(0);
      const exclude = bool([1, 1, 0, 0], [2, 2]);
      const negatives = i64([1, 2, 2, 3], [2, 2]);
      const loss = bankNce(f, bank, i64([0, 1]), negatives, { normalizer: 9, exclude });
      const second = bankNce(f.narrow(0, 1, 1), bank, i64([1]), i64([2, 3], [1, 2]), { normalizer: 9 });
      expect(loss.item()).toBeCloseTo(second.item() / 2, 14);
      loss.backward();
      expect(numbers(f.grad).slice(0, 3).map(Math.abs)).toEqual([0, 0, 0]);
      expect(numbers(f.grad).slice(3).every(Number.isFinite)).toBe(true);
    }));

  test('treats an excluded negative as one that was not drawn, so that K is smaller too', () =>
    tidy(() => {
      const [f, bank] = [rows([2, 3], 1), unitRows([6, 3], 2)];
      const options = { tau: 0.3, normalizer: 20 };
      const exclude = bool([0, 1, 0, 0, 1, 0], [2, 3]);
      const all = i64([1, 2, 3, 5, 4, 0], [2, 3]);
      const kept = i64([1, 3, 5, 0], [2, 2]);
      expect(bankNce(f, bank, i64([0, 1]), all, { ...options, exclude }).item()).toBeCloseTo(
        bankNce(f, bank, i64([0, 1]), kept, options).item(),
        13,
      );
    }));

  test('sums over the negatives and averages over the images', () =>
    tidy(() => {
      const [f, bank] = [rows([1, 3], 1), unitRows([6, 3], 2)];
      const one = bankNce(f, bank, i64([0]), allOthers([0], 6), { normalizer: 50 }).item();
      const twice = bankNce(ops.cat([f, f], 0), bank, i64([0, 0]), allOthers([0, 0], 6), { normalizer: 50 });
      expect(twice.item()).toBeCloseTo(one, 13);
    }));

  test('refuses K ≥ n, as negatives would repeat or hold the positive', () =>
    tidy(() => {
      const [f, bank] = [rows([1, 3], 1), unitRows([3, 3], 2)];
      const drawn = i64([0, 1, 2], [1, 3]);
      expect(() => bankNce(f, bank, i64([0]), drawn, { normalizer: 9 })).toThrow(
        /3 negatives from a bank of 3 rows repeat or hold the positive, expected at most 2/,
      );
      expect(() => estimateNormalizer(f, bank, drawn)).toThrow(/expected at most 2/);
    }));

  test('does not overflow at odds of e^±1000, also in f32', () =>
    tidy(() => {
      const f = rows([2, 3], 1, { dtype: 'f32', requiresGrad: true });
      const bank = unitRows([5, 3], 2, 'f32');
      for (const normalizer of [1e-300, 1e300]) {
        const loss = bankNce(f, bank, i64([0, 1]), allOthers([0, 1], 5), { tau: 0.001, normalizer });
        loss.backward();
        expect([loss.item(), ...numbers(f.grad)].every(Number.isFinite)).toBe(true);
      }
    }));

  test('names wrong rows, negatives and normalizers', () =>
    tidy(() => {
      const [f, bank] = [rows([2, 3], 1), unitRows([5, 3], 2)];
      const [own, negatives] = [i64([0, 1]), i64([1, 2], [2, 1])];
      expect(() => bankNce(f, bank, own, negatives, { normalizer: 0 })).toThrow(/normalizer is 0/);
      expect(() => bankNce(f, bank, own, negatives, { normalizer: Number.POSITIVE_INFINITY })).toThrow(
        /Infinity/,
      );
      expect(() => bankNce(f, bank, i64([0]), negatives, { normalizer: 1 })).toThrow(/rows is i64 \[1\]/);
      expect(() => bankNce(f, bank, own, i64([1], [1, 1]), { normalizer: 1 })).toThrow(
        /negatives is i64 \[1,1\]/,
      );
      expect(() => bankSoftmax(f, bank, tensor([0, 1]))).toThrow(/rows is f32 \[2\], expected i64 \[2\]/);
      expect(() => bankSoftmax(f, bank, i64([0, 5]))).toThrow(/index 5 is out of bounds/);
      expect(() => bankSoftmax(f, unitRows([5, 4], 2), own)).toThrow(
        /bank is \[5,4\], expected \[n, d\] with d = 3/,
      );
      expect(() => bankSoftmax(tensor(new Float64Array(0), [0, 3]), bank, own)).toThrow(/f is \[0,3\]/);
      expect(() => bankSoftmax(f, bank, own, { tau: 0 })).toThrow(/tau is 0/);
      expect(() => estimateNormalizer(f, bank, tensor(new BigInt64Array(0), [2, 0]))).toThrow(/no columns/);
    }));
});

describe('the bank', () => {
  test('is a constant and gets no gradient, even where it asks for one', () =>
    tidy(() => {
      const f = rows([2, 3], 1, { requiresGrad: true });
      const bank = rows([5, 3], 2, { requiresGrad: true });
      bankSoftmax(f, bank, i64([0, 1])).backward();
      bankNce(f, bank, i64([0, 1]), allOthers([0, 1], 5), { normalizer: 30 }).backward();
      expect(bank.grad).toBeNull();
      expect(numbers(f.grad).some((x) => x !== 0)).toBe(true);
    }));

  test('gives a gradient divided by τ: at equal similarities it is (mean row − own row)/τ', () =>
    tidy(() => {
      // f is orthogonal to both rows, so P = ½ each and the normalisation of a unit f changes nothing along them.
      const f = tensor([0, 0, 1], [1, 3], { dtype: 'f64', requiresGrad: true });
      const bank = tensor([1, 0, 0, 0, 1, 0], [2, 3], { dtype: 'f64' });
      bankSoftmax(f, bank, i64([0]), { tau: 0.07 }).backward();
      const expected = [-0.5 / 0.07, 0.5 / 0.07, 0];
      numbers(f.grad).forEach((x, i) => {
        expect(x).toBeCloseTo(expected[i]!, 12);
      });
    }));
});

describe('estimateNormalizer', () => {
  test('is exactly n times the mean of exp over the rows when all rows are drawn', () =>
    tidy(() => {
      const f = equalRows(3, 4);
      expect(estimateNormalizer(f, equalRows(9, 4), allOthers([0, 4, 8], 9), 0.5)).toBeCloseTo(
        9 * Math.exp(2),
        10,
      );
      const orthogonal = estimateNormalizer(oneHot(5), oneHot(5), allOthers([0, 1, 2, 3, 4], 5));
      expect(orthogonal).toBeCloseTo(5, 12);
    }));

  test('scales with all n rows and not with the K drawn ones', () =>
    tidy(() => {
      const [f, bank] = [rows([4, 8], 1), unitRows([200, 8], 2)];
      const own = [0, 50, 100, 150];
      const full = estimateNormalizer(f, bank, allOthers(own, 200), 0.5);
      const few = estimateNormalizer(f, bank, ops.narrow(allOthers(own, 200), 1, 0, 40), 0.5);
      expect(few / full).toBeGreaterThan(0.7);
      expect(few / full).toBeLessThan(1.4);
    }));

  test('gives another Z once the bank holds features instead of noise, so Z must not be frozen at the first batch', () =>
    tidy(() => {
      const f = equalRows(2, 16).add(rows([2, 16], 1).mul(0.02));
      const negatives = allOthers([0, 1], 40);
      const first = estimateNormalizer(f, unitRows([40, 16], 3), negatives);
      const collapsed = equalRows(40, 16).add(rows([40, 16], 4).mul(0.02));
      const bank = collapsed.div(ops.vectorNorm(collapsed, 2, [1], true));
      const now = estimateNormalizer(f, bank, negatives);
      expect(now / first).toBeGreaterThan(100);
      const nce = (normalizer: number) => bankNce(f, bank, i64([0, 1]), negatives, { normalizer }).item();
      const chance = Math.log(40) + 39 * Math.log(1 + 1 / 39);
      expect(Math.abs(nce(now) - chance)).toBeLessThan(0.2);
      expect(nce(first)).toBeGreaterThan(20 * chance);
    }));

  test('sums in the logarithm, as exp(1/τ) may overflow f32 where Z does not', () =>
    tidy(() => {
      const f = equalRows(1, 4).to({ dtype: 'f32' });
      const bank = equalRows(3, 4).to({ dtype: 'f32' });
      const z = estimateNormalizer(f, bank, allOthers([0], 3), 0.01);
      expect(Math.log(z)).toBeCloseTo(Math.log(3) + 100, 4);
    }));

  test('leaves no graph behind', () =>
    tidy(() => {
      const f = rows([2, 3], 1, { requiresGrad: true });
      estimateNormalizer(f, unitRows([4, 3], 2), allOthers([0, 1], 4));
      expect(f.grad).toBeNull();
    }));
});
