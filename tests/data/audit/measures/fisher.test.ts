import { expect, it } from 'vitest';
import { fisherExact } from '../../../../src/data/audit/measures/fisher.js';

/** Sums of binomial coefficients in exact fractions. */
it.each([
  // Fisher's lady tasting tea comes first.
  [3, 4, 4, 8, 0.4857142857142857],
  [1, 12, 10, 24, 0.002759456185],
  [0, 5, 0, 9, 1],
  [5, 5, 5, 10, 0.007936507936507936],
])('%i of %i hit, %i of %i in all: p = %f', (hits, group, hitsInAll, total, p) => {
  expect(fisherExact(hits, group, hitsInAll, total)).toBeCloseTo(p, 9);
});

it('is the same for a group and for all others, and for hits and misses', () => {
  for (const [hits, group, inAll, total] of [
    [2, 7, 9, 30],
    [12, 20, 14, 60],
  ] as const) {
    const p = fisherExact(hits, group, inAll, total);
    expect(fisherExact(inAll - hits, total - group, inAll, total)).toBeCloseTo(p, 12);
    expect(fisherExact(group - hits, group, total - inAll, total)).toBeCloseTo(p, 12);
  }
});
