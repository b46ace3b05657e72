import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { queueContrast } from '../../src/losses/index.js';
import { autocast, l2Normalize, ops, type Tensor, tidy } from '../../src/tensor/index.js';
import { flip } from '../tensor/flip.js';
import { equalRows, numbers, oneHot, rows, unitRows } from './embeddings.js';

describe('queueContrast', () => {
  test('is ln(1 + Q), the chance level, when all embeddings are equal, and 0 without keys', () =>
    tidy(() => {
      const q = equalRows(3, 4);
      for (const size of [0, 1, 6]) {
        expect(queueContrast(q, q, equalRows(size, 4)).item()).toBeCloseTo(Math.log(1 + size), 12);
      }
      expect(queueContrast(rows([2, 4], 1), rows([2, 4], 2), unitRows([0, 4], 3)).item()).toBe(0);
    }));

  test('is ln(1 + Q·exp(−1/τ)) for one-hot embeddings and an orthogonal queue', () =>
    tidy(() => {
      const all = oneHot(5);
      const [q, queue] = [all.narrow(0, 0, 2), all.narrow(0, 2, 3)];
      expect(queueContrast(q.mul(9), q, queue, { tau: 0.5 }).item()).toBeCloseTo(
        Math.log(1 + 3 * Math.exp(-2)),
        13,
      );
    }));

  test('does not depend on the order of the batch or of the queue, or on the scale of query and key', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 6 }),
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        (seed, batch, size, scale) =>
          tidy(() => {
            const [q, k] = [rows([batch, 3], seed), rows([batch, 3], seed + 1)];
            const queue = unitRows([size, 3], seed + 2);
            const loss = queueContrast(q, k, queue).item();
            expect(queueContrast(flip(q, [0]), flip(k, [0]), queue).item()).toBeCloseTo(loss, 11);
            expect(queueContrast(q, k, flip(queue, [0])).item()).toBeCloseTo(loss, 11);
            expect(queueContrast(q.mul(scale), k.mul(2), queue).item()).toBeCloseTo(loss, 11);
          }),
      ),
      { numRuns: 30 },
    );
  });

  test('treats keys and queue as constants, even where they ask for a gradient', () =>
    tidy(() => {
      const [q, k, queue] = [1, 2, 3].map((seed) => rows([3, 4], seed, { requiresGrad: true })) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      queueContrast(q, k, queue).backward();
      expect(k.grad).toBeNull();
      expect(queue.grad).toBeNull();
      expect(numbers(q.grad).some((x) => x !== 0)).toBe(true);
    }));

  test('takes the key in a query’s own row as its positive, so another order is another loss', () =>
    tidy(() => {
      const q = oneHot(4);
      const queue = unitRows([3, 4], 1);
      const right = queueContrast(q, q, queue).item();
      expect(queueContrast(q, ops.roll(q, [1], [0]), queue).item()).toBeGreaterThan(right + 2);
    }));

  test('rises while true keys replace the random ones, before anything is learned', () =>
    tidy(() => {
      // Features of an untrained encoder lie close together, random directions do not.
      const near = (seed: number, n: number) => equalRows(n, 16).add(rows([n, 16], seed).mul(0.05));
      const [q, k] = [near(1, 4), near(2, 4)];
      const random = queueContrast(q, k, unitRows([32, 16], 3)).item();
      const filled = queueContrast(q, k, l2Normalize(near(4, 32), 1)).item();
      expect(filled).toBeGreaterThan(random + 1);
      expect(Math.abs(filled - Math.log(33))).toBeLessThan(0.2);
    }));

  test('counts a key that is enqueued before scoring as a negative of its own query', () =>
    tidy(() => {
      const [q, queue] = [oneHot(4), unitRows([3, 4], 1)];
      const early = ops.cat([queue, q], 0);
      expect(queueContrast(q, q, queue).item()).toBeLessThan(0.3);
      expect(queueContrast(q, q, early).item()).toBeGreaterThan(Math.LN2);
    }));

  test('does not overflow in f32 at a small temperature, and is the f32 loss inside autocast', () =>
    tidy(() => {
      const [q, k] = [1, 2].map((seed) => rows([3, 8], seed, { dtype: 'f32', requiresGrad: true })) as [
        Tensor,
        Tensor,
      ];
      const queue = unitRows([5, 8], 3, 'f32');
      const loss = queueContrast(q, k, queue, { tau: 0.001 });
      loss.backward();
      expect([loss.item(), ...numbers(q.grad)].every(Number.isFinite)).toBe(true);
      const inside = autocast('bf16', () => queueContrast(q, k, queue));
      expect(inside.dtype).toBe('f32');
      expect(inside.item()).toBe(queueContrast(q, k, queue).item());
    }));

  test('names wrong shapes and temperatures', () =>
    tidy(() => {
      const q = rows([2, 3], 1);
      expect(() => queueContrast(q, rows([3, 3], 1), q)).toThrow(/k is \[3,3\].*\[2,3\]/);
      expect(() => queueContrast(q, q, rows([5, 4], 1))).toThrow(
        /queue is \[5,4\], expected \[Q, d\] with d = 3/,
      );
      expect(() => queueContrast(q, q, q, { tau: Number.NaN })).toThrow(/tau is NaN/);
    }));
});
