import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConsistencyOptions, consistencyLoss } from '../../src/losses/consistency.js';
import { type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { check, differentiate, map, rearranged, unaligned } from './relationCase.js';

const loss = (a: Tensor, b: Tensor, options: ConsistencyOptions = {}) =>
  consistencyLoss([a], [b], { relation: 'alignment-free', ...options }).item();
const anyOrder = fc.shuffledSubarray([...Array(20).keys()], { minLength: 20 });

test.each(unaligned('alignment-free'))('the loss agrees with float64 PyTorch in case %i', (_, c) =>
  check(c, [100, 200], undefined),
);

describe('the distance of sorted similarities', () => {
  test('is unchanged by any permutation of the patches of either image, and by swapped images', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        anyOrder,
        anyOrder,
        fc.constantFrom('patch', 'pixel'),
        (seed, orderA, orderB, normalize) =>
          tidy(() => {
            const options = { patches: [5, 4], normalize } as const;
            const [a, b] = [map([2, 3, 5, 4], seed), map([2, 3, 5, 4], seed + 5000)];
            const expected = loss(a, b, options);
            expect(loss(rearranged(a, orderA), rearranged(b, orderB), options)).toBeCloseTo(expected, 13);
            expect(loss(b, a, options)).toBeCloseTo(expected, 13);
            expect(loss(a, rearranged(a, orderA), options)).toBeLessThan(1e-28);
          }),
      ),
      { numRuns: 25 },
    ));

  test('is at most what differs patch by patch: Eq. 5 without the diagonal', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 2, max: 6 })),
        (seed, patches) =>
          tidy(() => {
            const [a, b] = [map([2, 3, 6, 6], seed), map([2, 3, 6, 6], seed + 5000)];
            const count = patches[0] * patches[1];
            const eq5 = loss(a, b, { patches, relation: 'correlation' });
            expect(loss(a, b, { patches })).toBeLessThanOrEqual((eq5 * count) / (count - 1) + 1e-15);
          }),
      ),
      { numRuns: 25 },
    ));

  test('is known by hand for two and three patches, and 0 for one', () =>
    tidy(() => {
      /** Patches at angles in the plane, one of a pixel each. */
      const at = (...angles: number[]) =>
        tensor([...angles.map(Math.cos), ...angles.map(Math.sin)], [1, 2, 1, angles.length], {
          dtype: 'f64',
        });
      const two = loss(at(0, 1), at(0, 0.3), { patches: [1, 2] });
      expect(two).toBeCloseTo((Math.cos(1) - Math.cos(0.3)) ** 2, 14);
      // Differences 0.2, 0.5, 0.7 against 0.4, 0.1, 0.5: sorted, 0.7 faces 0.5, 0.5 faces 0.4, and 0.2 faces 0.1.
      const three = loss(at(0, 0.2, 0.7), at(0.4, 0, 0.5), { patches: [1, 3] });
      const square = (x: number, y: number) => (Math.cos(x) - Math.cos(y)) ** 2;
      expect(three).toBeCloseTo((square(0.7, 0.5) + square(0.5, 0.4) + square(0.2, 0.1)) / 3, 14);
      const one = differentiate(at(0, 1), at(2, 3), { relation: 'alignment-free', patches: [1, 1] });
      expect(one.loss).toBe(0);
      for (const gradient of one.gradients)
        for (const value of gradient) expect(Math.abs(Number(value))).toBe(0);
    }));
});
