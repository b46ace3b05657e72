import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bankNce,
  bankSoftmax,
  denseContrast,
  globalContrastiveLoss,
  infoNce,
  ntXent,
  queueContrast,
} from '../../src/losses/index.js';
import { ops, type Tensor, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { bool, i64, numbers, rows, unitRows } from './embeddings.js';

/** Every loss on the same four raw embeddings [4, 3], with a mask of 4 × its negatives. */
const losses: Record<string, { columns: number; loss: (f: Tensor, exclude?: Tensor) => Tensor }> = {
  infoNce: { columns: 4, loss: (f, exclude) => infoNce(f, rows([4, 3], 2), { exclude }) },
  globalContrastiveLoss: {
    columns: 4,
    loss: (f, exclude) =>
      globalContrastiveLoss(
        { a: f, b: rows([4, 3], 2), aHat: rows([4, 3], 3), bHat: rows([4, 3], 4) },
        { exclude },
      ),
  },
  ntXent: { columns: 4, loss: (f, exclude) => ntXent([f, rows([4, 3], 2)], { exclude }) },
  bankSoftmax: {
    columns: 6,
    loss: (f, exclude) => bankSoftmax(f, unitRows([6, 3], 2), i64([5, 1, 2, 0]), { exclude }),
  },
  bankNce: {
    columns: 2,
    loss: (f, exclude) =>
      bankNce(f, unitRows([6, 3], 2), i64([5, 1, 2, 0]), i64([0, 1, 2, 3, 4, 5, 1, 3], [4, 2]), {
        normalizer: 1e4,
        exclude,
      }),
  },
  queueContrast: {
    columns: 5,
    loss: (f, exclude) => queueContrast(f, rows([4, 3], 2), unitRows([5, 3], 3), { exclude }),
  },
  denseContrast: {
    columns: 5,
    loss: (f, exclude) =>
      denseContrast(ops.unsqueeze(f, 2), rows([4, 3, 1], 2), i64([0, 0, 0, 0], [4, 1]), unitRows([5, 3], 3), {
        exclude,
      }),
  },
};

describe.each(Object.entries(losses))('false negatives in %s', (name, { columns, loss }) => {
  const filled = (value: number): Tensor => bool(Array(4 * columns).fill(value), [4, columns]);

  test('the loss is 0 and the gradients are zero, not NaN, when everything but the positives is excluded', () =>
    tidy(() => {
      const f = rows([4, 3], 1, { requiresGrad: true });
      const value = loss(f, filled(1));
      value.backward();
      expect(Math.abs(value.item())).toBe(0);
      expect(numbers(f.grad).map(Math.abs)).toEqual(Array(12).fill(0));
    }));

  test('a mask that excludes nothing changes nothing', () =>
    tidy(() => {
      expect(loss(rows([4, 3], 1), filled(0)).item()).toBe(loss(rows([4, 3], 1)).item());
    }));

  test('each further false negative lowers the loss', () =>
    tidy(() => {
      const f = rows([4, 3], 1);
      let last = loss(f).item();
      for (let column = 0; column < columns; column += 1) {
        const marks = Array.from({ length: 4 * columns }, (_, at) => at % columns <= column);
        const value = loss(f, bool(marks, [4, columns])).item();
        expect(value).toBeLessThan(last);
        last = value;
      }
    }));

  test('a mask of another shape or dtype is refused', () =>
    tidy(() => {
      const f = rows([4, 3], 1);
      expect(() => loss(f, bool([1], [1, 1]))).toThrow(TensorError);
      expect(() => loss(f, bool([1], [1, 1]))).toThrow(
        new RegExp(`exclude is bool \\[1,1\\], expected bool \\[4,${columns}\\]`),
      );
      const numeric = tensor(new Float64Array(4 * columns), [4, columns]);
      expect(() => loss(f, numeric), name).toThrow(/exclude is f64/);
    }));
});

describe('excluding a negative', () => {
  test('holds at any temperature, as a finite stand-in for −∞ would not', () =>
    tidy(() => {
      const q = rows([2, 3], 1);
      const away = q.neg(); // logits of −1/τ for the positives
      const all = bool(Array(8).fill(1), [2, 4]);
      expect(queueContrast(q, away, unitRows([4, 3], 2), { tau: 1e-6, exclude: all }).item()).toBe(0);
      const among = bool(Array(4).fill(1), [2, 2]);
      expect(infoNce(q, away, { tau: 1e-6, exclude: among }).item()).toBe(0);
    }));

  test('has the same effect as leaving it out of the batch', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        (seed, gone) =>
          tidy(() => {
            const [f, k] = [rows([3, 4], seed), rows([3, 4], seed + 1)];
            const all = unitRows([5, 4], seed + 2);
            const kept = [0, 1, 2, 3, 4].filter((j) => !gone[j]);
            const left = ops.indexSelect(all, 0, i64(kept));
            const exclude = bool([...gone, ...gone, ...gone], [3, 5]);
            expect(queueContrast(f, k, all, { exclude }).item()).toBeCloseTo(
              queueContrast(f, k, left).item(),
              12,
            );
            // For a bank, one image and its own row first; excluded or not, that stays.
            const bank = ops.cat([unitRows([1, 4], seed + 3), all], 0);
            const rest = ops.cat([bank.narrow(0, 0, 1), left], 0);
            const one = f.narrow(0, 0, 1);
            for (const own of [true, false]) {
              expect(
                bankSoftmax(one, bank, i64([0]), { exclude: bool([own, ...gone], [1, 6]) }).item(),
              ).toBeCloseTo(bankSoftmax(one, rest, i64([0])).item(), 12);
            }
          }),
      ),
      { numRuns: 30 },
    );
  });

  test('leaves the positive, which the diagonal or its own row marks as excluded too', () =>
    tidy(() => {
      const [f, g] = [rows([3, 4], 1), rows([3, 4], 2)];
      const offDiagonal = bool([0, 1, 0, 0, 0, 0, 1, 0, 0], [3, 3]);
      const withDiagonal = bool([1, 1, 0, 0, 1, 0, 1, 0, 1], [3, 3]);
      for (const positive of ['once', 'twice'] as const) {
        expect(infoNce(f, g, { positive, exclude: withDiagonal }).item()).toBe(
          infoNce(f, g, { positive, exclude: offDiagonal }).item(),
        );
      }
      expect(ntXent([f, g], { exclude: withDiagonal }).item()).toBe(
        ntXent([f, g], { exclude: offDiagonal }).item(),
      );
      const alone = bool(Array(9).fill(1), [3, 3]);
      expect(infoNce(f, g, { positive: 'twice', exclude: alone }).item()).toBeCloseTo(Math.LN2, 14);
    }));

  test('changes nothing for the anchors that still have it', () =>
    tidy(() => {
      const [f, g] = [rows([3, 4], 1), rows([3, 4], 2)];
      const excluding = (...marks: number[]) => infoNce(f, g, { exclude: bool(marks, [3, 3]) }).item();
      const none = infoNce(f, g).item();
      const first = excluding(0, 1, 0, 0, 0, 0, 0, 0, 0) - none;
      const third = excluding(0, 0, 0, 0, 0, 0, 0, 1, 0) - none;
      expect(excluding(0, 1, 0, 0, 0, 0, 0, 1, 0) - none).toBeCloseTo(first + third, 12);
    }));

  test('does not depend on which modality is called A, as the mask of a subject is symmetric', () =>
    tidy(() => {
      const [a, b, aHat, bHat] = [1, 2, 3, 4].map((seed) => rows([3, 4], seed)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const symmetric = bool([0, 1, 0, 1, 0, 0, 0, 0, 0], [3, 3]);
      expect(
        globalContrastiveLoss({ a: b, b: a, aHat: bHat, bHat: aHat }, { exclude: symmetric }).item(),
      ).toBeCloseTo(globalContrastiveLoss({ a, b, aHat, bHat }, { exclude: symmetric }).item(), 12);
    }));
});
