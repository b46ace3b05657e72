import fc from 'fast-check';
import { expect, it } from 'vitest';
import { holm } from '../../src/metrics/holm.js';
import { metricsGolden } from '../golden/metrics.js';

it('steps down as by hand: 3·0.01, 2·0.02, then no less than before', () => {
  expect(holm([0.02, 0.01, 0.03])).toEqual([0.04, 0.03, 0.04]);
  expect(holm([0.6, 0.7])).toEqual([1, 1]);
  expect(holm([0.2])).toEqual([0.2]);
  expect(holm([])).toEqual([]);
});

it('equals statsmodels', () => {
  const { p, adjusted } = metricsGolden.holm;
  for (const [i, value] of holm(p).entries()) expect(value).toBeCloseTo(adjusted[i]!, 15);
});

it('lies between the p-value and Bonferroni’s, in the same order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }),
      (p) => {
        const adjusted = holm(p);
        for (const [i, value] of p.entries()) {
          expect(adjusted[i]).toBeGreaterThanOrEqual(value);
          expect(adjusted[i]).toBeLessThanOrEqual(Math.min(1, p.length * value));
          for (const [j, other] of p.entries()) {
            if (value < other) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j]!);
          }
        }
      },
    ),
  );
});

it('leaves undefined values out of the family and refuses what is no p', () => {
  expect(holm([0.01, Number.NaN, 0.04])).toEqual([0.02, Number.NaN, 0.04]);
  expect(() => holm([0.5, 1.5])).toThrow('p-value 1 is 1.5');
});
