import { describe, expect, test } from 'vitest';
import { Random } from '../../src/tensor/index.js';

const draws = (count: number, draw: () => number) => Array.from({ length: count }, draw);

/** Pearson's χ² of counts that should be equal. */
function chiSquare(values: readonly number[], bins: number): number {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[value]! += 1;
  const expected = values.length / bins;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('Random', () => {
  test('draws the same numbers for ever: runs are resumed and compared by them', () => {
    const random = new Random(0, 'crop', 3, 'patient-7', 'a');
    expect(draws(4, () => random.uint32())).toEqual([389421126, 1411533647, 1163514541, 1252392630]);
    expect(new Random(1, 'init').uniform()).toBe(0.4878579573066828);
    expect([...new Random('order').permutation(8)]).toEqual([7, 2, 1, 3, 4, 0, 6, 5]);
  });

  test('is a function of its key alone', () => {
    const one = new Random(5, 'x');
    const two = new Random(5, 'x');
    new Random(5, 'y').uint32();
    expect(draws(5, () => one.uint32())).toEqual(draws(5, () => two.uint32()));
  });

  test('keys that differ in any way draw different numbers', () => {
    const keys = [
      [],
      ['ab', 'c'],
      ['a', 'bc'],
      ['as', 'b'],
      ['a', 'sb'],
      ['abc'],
      ['abc', ''],
      [1, 23],
      [12, 3],
      ['1', 23],
      [123],
      ['123'],
      [-1],
      [0.5],
    ];
    const firsts = keys.map((key) =>
      draws(
        2,
        (
          (random) => () =>
            random.uint32()
        )(new Random(...key)),
      ).join(),
    );
    expect(new Set(firsts).size).toBe(keys.length);
  });

  test('neighbouring keys are unrelated', () => {
    // The first draw of consecutive epochs: 16 bins, χ² with 15 degrees of freedom is below 37.7 in 99.9 % of cases.
    const firsts = Array.from({ length: 4000 }, (_, epoch) => new Random(0, 'flip', epoch).below(16));
    expect(chiSquare(firsts, 16)).toBeLessThan(37.7);
    const words = new Set(Array.from({ length: 20_000 }, (_, i) => new Random(i).uint32()));
    expect(words.size).toBeGreaterThan(19_990);
  });

  test('uniform() fills [low, high) evenly', () => {
    const random = new Random('uniform');
    const values = draws(20_000, () => random.uniform(-2, 3));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...values)).toBeLessThan(3);
    expect(
      chiSquare(
        values.map((value) => Math.floor((value + 2) * 4)),
        20,
      ),
    ).toBeLessThan(43.8); // 19 degrees, 99.9 %
  });

  test('below() reaches every value without bias, also where 2³² is no multiple', () => {
    const random = new Random('below');
    expect(
      chiSquare(
        draws(14_000, () => random.below(7)),
        7,
      ),
    ).toBeLessThan(22.5); // 6 degrees, 99.9 %
    // A remainder of plain 32-bit draws would put half of all values into the first third of 3·2³⁰.
    const n = 3 * 2 ** 30;
    expect(
      chiSquare(
        draws(6000, () => Math.floor(random.below(n) / 2 ** 30)),
        3,
      ),
    ).toBeLessThan(13.8);
    expect(new Random(0).below(1)).toBe(0);
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1])
      expect(() => random.below(bad)).toThrow(RangeError);
  });

  test('chance(p) is true in a share p of the draws', () => {
    const random = new Random('chance');
    const hits = draws(10_000, () => (random.chance(0.2) ? 1 : 0)).reduce((sum, hit) => sum + hit, 0);
    expect(Math.abs(hits - 2000)).toBeLessThan(160); // 4 standard deviations
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });

  test('normal() has the moments of a normal distribution', () => {
    const random = new Random('normal');
    const n = 20_000;
    const values = draws(n, () => (random.normal(3, 2) - 3) / 2);
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / n;
    // Four standard errors each: √(1/n), √(2/n), √(15/n), √(96/n).
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    // The second of each pair is no function of the first.
    const product = values.reduce((sum, value, i) => sum + (i % 2 === 1 ? value * values[i - 1]! : 0), 0);
    expect(Math.abs(product / (n / 2))).toBeLessThan(4 / Math.sqrt(n / 2));
  });

  test('permutation() holds each number once, all orders equally often', () => {
    const random = new Random('permutation');
    expect([...random.permutation(0)]).toEqual([]);
    expect([...random.permutation(50)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    const orders = new Map<string, number>();
    for (let i = 0; i < 6000; i += 1) {
      const order = random.permutation(3).join();
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    for (const count of orders.values())
      expect(Math.abs(count - 1000)).toBeLessThan(4 * Math.sqrt(1000 * (5 / 6)));
  });
});
