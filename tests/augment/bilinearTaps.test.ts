import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bilinearTaps } from '../../src/augment/bilinearTaps.js';

const listed = (from: number, to: number, antialias: boolean) =>
  bilinearTaps(from, to, antialias).map(({ first, weights }) => [first, ...weights]);

test('4 pixels become 2 by a triangle 4 pixels wide, cut at the edge, or by the two pixels beside the centre', () => {
  expect(listed(4, 2, true)).toEqual([
    [0, 3 / 7, 3 / 7, 1 / 7],
    [1, 1 / 7, 3 / 7, 3 / 7],
  ]);
  expect(listed(4, 2, false)).toEqual([
    [0, 0.5, 0.5],
    [2, 0.5, 0.5],
  ]);
});

test('the edge repeats when 2 pixels become 4, with and without antialias', () => {
  const enlarged = [
    [0, 1],
    [0, 0.75, 0.25],
    [0, 0.25, 0.75],
    [1, 1],
  ];
  expect(listed(2, 4, true)).toEqual(enlarged);
  expect(listed(2, 4, false)).toEqual(enlarged);
});

test('taps lie on the side, sum to 1, and are the same from either end', () => {
  const side = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(side, side, fc.boolean(), (from, to, antialias) => {
      const rows = bilinearTaps(from, to, antialias).map(({ first, weights }) => {
        expect(first).toBeGreaterThanOrEqual(0);
        expect(first + weights.length).toBeLessThanOrEqual(from);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 14);
        return Array.from({ length: from }, (_, i) => weights[i - first] ?? 0);
      });
      for (const [target, row] of rows.entries()) {
        const mirrored = rows[to - 1 - target]!.toReversed();
        for (const [i, weight] of row.entries()) expect(weight).toBeCloseTo(mirrored[i]!, 12);
      }
    }),
  );
});
