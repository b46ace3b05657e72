import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agreementOf, meanOver, rankRows } from '../../../../src/evaluation/pairs/measures/agreement.js';
import { spearman } from '../../../../src/metrics/rankCorrelation.js';
import { Random } from '../../../../src/tensor/random.js';

const P = 9;

/** Draws few distinct values, so that many are tied. */
function matrix(seed: number, values = 6): Float64Array {
  const random = new Random(seed);
  return Float64Array.from({ length: P * P }, () => random.below(values));
}

const rowWithoutAnchor = (m: Float64Array, anchor: number) =>
  [...m.subarray(anchor * P, (anchor + 1) * P)].filter((_, j) => j !== anchor);

test('agreement is Spearman’s correlation of the rows without the anchor, with ties', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (one, other) => {
      const [a, b] = [matrix(one), matrix(other + 7)];
      const agreement = agreementOf(rankRows(a, P), rankRows(b, P), P);
      for (let anchor = 0; anchor < P; anchor += 1) {
        const expected = spearman(rowWithoutAnchor(a, anchor), rowWithoutAnchor(b, anchor));
        if (Number.isNaN(expected)) expect(agreement[anchor]).toBeNaN();
        else expect(agreement[anchor]).toBeCloseTo(expected, 12);
      }
    }),
    { numRuns: 50 },
  );
});

test('agreement is 1 for any increasing map of a matrix and −1 for the reversed one, and ignores the anchor itself', () => {
  const a = matrix(1, 1000);
  const same = a.map((value, i) => (i % (P + 1) === 0 ? -5 : Math.exp(value / 300)));
  for (const value of agreementOf(rankRows(a, P), rankRows(same, P), P)) expect(value).toBeCloseTo(1, 12);
  const reversed = a.map((value) => -value);
  for (const value of agreementOf(rankRows(a, P), rankRows(reversed, P), P))
    expect(value).toBeCloseTo(-1, 12);
});

test('agreement is undefined for an anchor whose similarities have no order, and the mean leaves it out', () => {
  const flat = matrix(2);
  flat.fill(3, 0, P);
  const agreement = agreementOf(rankRows(flat, P), rankRows(matrix(3), P), P);
  expect(agreement[0]).toBeNaN();
  expect(meanOver(Float64Array.of(Number.NaN, 1, 2, 9), (anchor) => anchor < 3)).toBe(1.5);
  expect(meanOver(Float64Array.of(Number.NaN, 1), (anchor) => anchor === 0)).toBeNaN();
});
