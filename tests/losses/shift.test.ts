import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ConsistencyOptions,
  consistencyLoss,
  stackedConsistencyLoss,
} from '../../src/losses/consistency.js';
import { autocast, ops, type Tensor, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { check, differentiate, map, unaligned } from './relationCase.js';

const loss = (a: Tensor, b: Tensor, options: ConsistencyOptions) => consistencyLoss([a], [b], options).item();
/** Grids of five or more patches each way, whose overlap is large enough for two patches. */
const anyGrid = fc.tuple(fc.integer({ min: 5, max: 7 }), fc.integer({ min: 5, max: 7 }));
const anySeed = fc.integer({ min: 1, max: 1000 });

test.each(unaligned('correlation'))('the loss agrees with float64 PyTorch in case %i', (_, c) =>
  check(c, [100, 200], undefined),
);

describe('the least loss over shifts', () => {
  test('is 0 for windows of one picture that are whole patches apart, for each pair by its own shift', () => {
    const shift = fc.tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -2, max: 2 }));
    fc.assert(
      fc.property(anySeed, anyGrid, shift, shift, (seed, [rows, columns], ...shifts) =>
        tidy(() => {
          const picture = map([1, 3, 2 * rows + 8, 2 * columns + 8], seed);
          // A patch is 2×2 pixels.
          const window = ([y, x]: readonly number[]) =>
            picture.narrow(2, 4 - 2 * y!, 2 * rows).narrow(3, 4 - 2 * x!, 2 * columns);
          const a = ops.cat([window([0, 0]), window([0, 0])], 0);
          const b = ops.cat(
            shifts.map((one) => window(one)),
            0,
          );
          const patches: [number, number] = [rows, columns];
          const { loss: found, gradients } = differentiate(a, b, { patches, consistencyShift: 2 });
          expect(found).toBeLessThan(1e-28);
          for (const gradient of gradients) {
            for (const value of gradient) expect(Math.abs(Number(value))).toBeLessThan(1e-12);
          }
          const furthest = Math.max(...shifts.flat().map(Math.abs));
          if (furthest > 0) {
            expect(loss(a, b, { patches, consistencyShift: furthest - 1 })).toBeGreaterThan(1e-5);
          }
        }),
      ),
      { numRuns: 25 },
    );
  });

  test('is at most that over fewer shifts, and the same with A and B swapped', () =>
    fc.assert(
      fc.property(anySeed, anyGrid, fc.constantFrom('patch', 'pixel'), (seed, patches, normalize) =>
        tidy(() => {
          const [a, b] = [map([3, 3, 8, 8], seed), map([3, 3, 8, 8], seed + 5000)];
          const upTo = (consistencyShift: number, x = a, y = b) =>
            loss(x, y, { patches, normalize, consistencyShift });
          expect(upTo(1)).toBeLessThanOrEqual(upTo(0) + 1e-15);
          expect(upTo(2)).toBeLessThanOrEqual(upTo(1) + 1e-15);
          expect(upTo(2, b, a)).toBeCloseTo(upTo(2), 13);
        }),
      ),
      { numRuns: 15 },
    ));

  test('of no shift is Eq. 5 to the bit, in both forms', () =>
    tidy(() => {
      const [a, b] = [map([2, 3, 8, 8], 1), map([2, 3, 8, 8], 2)];
      for (const patches of [
        [4, 4],
        [8, 8],
        [1, 1],
      ] as const) {
        expect(differentiate(a, b, { patches, consistencyShift: 0 })).toEqual(
          differentiate(a, b, { patches }),
        );
      }
      expect(loss(a, b, { consistencyShift: 0, form: 'gram' })).toBe(loss(a, b, { form: 'gram' }));
    }));

  test('is by the smallest of shifts that are equally good', () =>
    tidy(() => {
      // Rows of two kinds in A, one kind in B: to the left, in the middle and to the right B fits as well.
      const row = (kind: number) => Array(5).fill(kind);
      const stripes = [0, 1, 0, 1, 0].flatMap(row);
      const a = tensor([...stripes.map((kind) => 1 - kind), ...stripes], [1, 2, 5, 5], { dtype: 'f64' });
      const b = tensor([...Array(25).fill(1), ...Array(25).fill(0)], [1, 2, 5, 5], { dtype: 'f64' });
      const { loss: found, gradients } = differentiate(a, b, { patches: [5, 5], consistencyShift: 1 });
      expect(found).toBeCloseTo(12 / 25, 14);
      // Every patch of A takes part: none is beyond an edge of B.
      const [ofA] = gradients as [Float64Array];
      stripes.forEach((kind, i) => {
        expect(Math.abs(ofA[kind === 0 ? 25 + i : i]!)).toBeGreaterThan(1e-3);
      });
    }));

  test('is the same on maps that hold A and then B, and in f32 inside autocast', () =>
    tidy(() => {
      const options = { patches: [5, 6], consistencyShift: 2 } as const;
      const both = map([6, 3, 7, 6], 9);
      const [a, b] = ops.split(both, 3, 0) as [Tensor, Tensor];
      expect(stackedConsistencyLoss([both], options).item()).toBe(loss(a, b, options));
      const [narrowA, narrowB] = [a, b].map((x) => x.to({ dtype: 'f32' })) as [Tensor, Tensor];
      const inside = autocast('bf16', () => consistencyLoss([narrowA], [narrowB], options));
      expect(inside.dtype).toBe('f32');
      expect(inside.item()).toBe(loss(narrowA, narrowB, options));
    }));
});

test('errors name a shift that is too large for a grid, and what it does not go with', () =>
  tidy(() => {
    const a = map([1, 2, 8, 8], 1);
    const fails = (options: object, message: RegExp) => {
      expect(() => consistencyLoss([a], [a], options)).toThrow(TensorError);
      expect(() => consistencyLoss([a], [a], options)).toThrow(message);
    };
    fails(
      { consistencyShift: 2 },
      /consistencyShift is 2 with a grid of 4×4 patches on map 0, where at most half of the rows or columns would overlap; use consistencyShift 1, or a grid of 5×5 patches or finer/,
    );
    // The ones that the message names do.
    expect(loss(a, a, { consistencyShift: 1 })).toBeLessThan(1e-28);
    expect(loss(a, a, { consistencyShift: 2, patches: [5, 5] })).toBeLessThan(1e-28);
    fails(
      { consistencyShift: 1, patches: [1, 8] },
      /1×8 patches on map 0.*; use consistencyShift 0, or a grid of 3×3/,
    );
    fails({ consistencyShift: 1, patches: [8, 2] }, /8×2 patches on map 0/);
    for (const consistencyShift of [-1, 0.5, Number.NaN]) {
      fails(
        { consistencyShift },
        new RegExp(`consistencyShift is ${consistencyShift}, expected a whole number of patches, 0 or more`),
      );
    }
    for (const relation of ['normed', 'cka', 'transport', 'alignment-free']) {
      fails(
        { relation, consistencyShift: 1 },
        new RegExp(
          `consistencyShift is 1, which goes with relation correlation .* not with relation ${relation}`,
        ),
      );
    }
    fails(
      { distance: 'frobenius', consistencyShift: 1 },
      /not with relation correlation and distance frobenius/,
    );
    fails({ form: 'gram', consistencyShift: 1 }, /distance mse and a shift; leave form at auto/);
  }));
