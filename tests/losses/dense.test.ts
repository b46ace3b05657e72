import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { denseContrast, denseCorrespondence, queueContrast } from '../../src/losses/index.js';
import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { flip } from '../tensor/flip.js';
import { equalRows, i64, numbers, rows, unitRows } from './embeddings.js';

describe('denseCorrespondence', () => {
  test('finds a permutation of the positions, whatever their scales', () =>
    tidy(() => {
      const fk = rows([2, 5, 6], 1);
      const order = [3, 0, 5, 1, 4, 2];
      const scales = tensor([1, 20, 0.1, 3, 7, 0.5], [1, 1, 6], { dtype: 'f64' });
      const fq = ops.indexSelect(fk, 2, i64(order));
      expect(numbers(denseCorrespondence(fq, fk.mul(scales)))).toEqual([...order, ...order]);
    }));

  test('allows several positions the same match', () =>
    tidy(() => {
      const fk = tensor([1, 0, 0, 1], [1, 2, 2], { dtype: 'f64' }); // positions (1, 0) and (0, 1)
      const fq = tensor([1, 0.9, 0.1, 0.2], [1, 2, 2], { dtype: 'f64' }); // both near (1, 0)
      expect(numbers(denseCorrespondence(fq, fk))).toEqual([0, 0]);
    }));

  test('works on a single position, and has no gradient', () =>
    tidy(() => {
      const fq = rows([3, 4, 1], 1, { requiresGrad: true });
      const match = denseCorrespondence(fq, rows([3, 4, 1], 2));
      expect(match.dtype).toBe('i64');
      expect(numbers(match)).toEqual([0, 0, 0]);
      expect(match.requiresGrad).toBe(false);
    }));

  test('names grids of another shape', () =>
    tidy(() => {
      expect(() => denseCorrespondence(rows([1, 2, 4], 1), rows([1, 2, 9], 1))).toThrow(
        /fk is \[1,2,9\], expected \[B, channels, P\] as the other grid, \[1,2,4\]/,
      );
      expect(() => denseCorrespondence(rows([2, 4], 1), rows([2, 4], 1))).toThrow(/fq is \[2,4\]/);
    }));
});

describe('denseContrast', () => {
  /** [B, d, P] as [B·P, d]: each position a row. */
  const positions = (x: Tensor): Tensor => ops.reshape(ops.transpose(x, 1, 2), [-1, x.size(1)]);

  test('is ln(1 + Q), the chance level, when all embeddings are equal, and 0 without keys', () =>
    tidy(() => {
      const q = tensor(Array(2 * 3 * 4).fill(1), [2, 3, 4], { dtype: 'f64' });
      const match = i64([0, 3, 1, 1, 2, 2, 0, 3], [2, 4]);
      expect(denseContrast(q, q, match, equalRows(6, 3)).item()).toBeCloseTo(Math.log(7), 12);
      expect(denseContrast(q, q, match, equalRows(0, 3)).item()).toBe(0);
    }));

  test('is queueContrast over all positions with their matched keys', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 5 }), (seed, grid) =>
        tidy(() => {
          const [q, k] = [rows([3, 4, grid], seed), rows([3, 4, grid], seed + 1)];
          const match = Array.from({ length: 3 * grid }, (_, at) => (at * 7 + seed) % grid);
          const queue = unitRows([5, 4], seed + 2);
          const index = match.map((position, at) => Math.floor(at / grid) * grid + position);
          const matched = ops.indexSelect(positions(k), 0, i64(index));
          expect(denseContrast(q, k, i64(match, [3, grid]), queue).item()).toBeCloseTo(
            queueContrast(positions(q), matched, queue).item(),
            12,
          );
        }),
      ),
      { numRuns: 20 },
    );
  });

  test('takes the match from the backbone’s features and not from the dense embeddings', () =>
    tidy(() => {
      // Backbone: positions in the same order. Dense embeddings: still the other way round.
      const backbone = rows([1, 3, 2], 1);
      const q = tensor([1, 0, 0, 1], [1, 2, 2], { dtype: 'f64' });
      const k = flip(q, [2]);
      const match = denseCorrespondence(backbone, backbone);
      const queue = unitRows([4, 2], 2);
      expect(numbers(match)).toEqual([0, 1]);
      expect(numbers(denseCorrespondence(q, k))).toEqual([1, 0]);
      const loss = denseContrast(q, k, match, queue).item();
      expect(loss).toBeGreaterThan(denseContrast(q, k, denseCorrespondence(q, k), queue).item() + 2);
    }));

  test('treats keys and queue as constants', () =>
    tidy(() => {
      const [q, k] = [1, 2].map((seed) => rows([2, 3, 4], seed, { requiresGrad: true })) as [Tensor, Tensor];
      const queue = rows([5, 3], 3, { requiresGrad: true });
      denseContrast(q, k, denseCorrespondence(q, k), queue).backward();
      expect(k.grad).toBeNull();
      expect(queue.grad).toBeNull();
      expect(numbers(q.grad).some((x) => x !== 0)).toBe(true);
    }));

  test('names wrong matches and queues', () =>
    tidy(() => {
      const q = rows([2, 3, 4], 1);
      expect(() => denseContrast(q, q, i64([0, 0, 0, 0], [1, 4]), unitRows([2, 3], 1))).toThrow(
        /match is i64 \[1,4\], expected i64 \[2,4\]/,
      );
      const match = denseCorrespondence(q, q);
      expect(() => denseContrast(q, q, match, unitRows([2, 4], 1))).toThrow(/queue is \[2,4\]/);
      expect(() => denseContrast(q, q, match, unitRows([2, 3], 1), { tau: 0 })).toThrow(
        /denseContrast: tau is 0/,
      );
    }));
});
