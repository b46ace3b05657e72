import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawNegatives } from '../../src/banks/index.js';

describe('drawNegatives', () => {
  test('trap: without replacement and never the own row, up to K = n − 1, which is all others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), fc.nat(), fc.integer(), (rows, a, b, seed) => {
        const own = Array.from({ length: 4 }, (_, i) => (a + i * 7) % rows);
        const count = b % rows;
        const drawn = drawNegatives({ rows, own, count, key: [seed] });
        expect(drawn).toHaveLength(4);
        drawn.forEach((negatives, i) => {
          expect(negatives).toHaveLength(count);
          expect(new Set([...negatives, own[i]!]).size).toBe(count + 1);
          expect(negatives.every((row) => row >= 0 && row < rows)).toBe(true);
        });
      }),
      { numRuns: 200 },
    );
    expect([...drawNegatives({ rows: 5, own: [2], count: 4, key: [0] })[0]!].sort()).toEqual([0, 1, 3, 4]);
  });

  test('trap: K ≥ n is an error that says how many there are', () => {
    expect(() => drawNegatives({ rows: 5, own: [0], count: 5, key: [0] })).toThrow(
      /count is 5, expected an integer from 0 to 4, the other rows of a bank of 5/,
    );
    expect(() => drawNegatives({ rows: 5, own: [0], count: -1, key: [0] })).toThrow(/count is -1/);
    expect(() => drawNegatives({ rows: 5, own: [5], count: 1, key: [0] })).toThrow(
      /own row 5, expected .* 0 to 4/,
    );
  });

  test('all sets of K rows are equally likely', () => {
    // 3 of the 5 other rows: 10 sets, χ² with 9 degrees of freedom is below 27.9 in 99.9 % of cases.
    const runs = 5000;
    const counts = new Map<string, number>();
    for (let step = 0; step < runs; step += 1) {
      const [drawn] = drawNegatives({ rows: 6, own: [2], count: 3, key: [1, step] });
      const set = [...drawn!].sort().join();
      counts.set(set, (counts.get(set) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    const expected = runs / 10;
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(27.9);
  });

  test('trap: a sample draws the same whatever batch it is in, and anew with each key', () => {
    const draw = (own: number[], ...key: (string | number)[]) =>
      drawNegatives({ rows: 50, own, count: 6, key }).map((row) => [...row]);
    const [first, second] = draw([3, 40], 0, 1);
    expect(draw([40, 7, 3], 0, 1)).toEqual([second, expect.anything(), first]);
    expect(draw([3, 3], 0, 1)).toEqual([first, first]);
    expect(draw([3], 0, 2)).not.toEqual([first]);
    expect(draw([3], 1, 1)).not.toEqual([first]);
    // For ever: a resumed run draws them again.
    expect(first).toEqual([24, 18, 23, 6, 0, 10]);
  });
});
