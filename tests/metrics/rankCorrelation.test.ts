import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spearman } from '../../src/metrics/rankCorrelation.js';
import { metricsGolden } from '../golden/metrics.js';

const pairs = fc.array(fc.tuple(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -4, max: 4 })), {
  minLength: 3,
  maxLength: 30,
});

describe('spearman', () => {
  it('equals scipy, with few ties and with many', () => {
    for (const { x, y, rho } of metricsGolden.ranks) expect(spearman(x, y)).toBeCloseTo(rho, 12);
  });

  it('is 1 − 6 Σd² / (n(n² − 1)) without ties', () => {
    // Ranks 1 2 3 4 5 against 2 1 4 3 5: Σd² = 4.
    expect(spearman([10, 20, 30, 40, 50], [0.2, 0.1, 0.4, 0.3, 9])).toBeCloseTo(1 - (6 * 4) / (5 * 24), 15);
  });

  it('shares the mean rank among ties', () => {
    // Ranks 1.5 1.5 3 4 against 1 2 3.5 3.5, about 2.5: products 1.5 + 0.5 + 0.5 + 1.5, squares 4.5 each.
    expect(spearman([1, 1, 2, 3], [1, 2, 5, 5])).toBeCloseTo(4 / 4.5, 15);
  });

  it('is symmetric, turns with the sign and ignores increasing maps', () => {
    fc.assert(
      fc.property(pairs, (samples) => {
        const x = samples.map(([a]) => a);
        const y = samples.map(([, b]) => b);
        const rho = spearman(x, y);
        if (Number.isNaN(rho)) {
          expect(new Set(x).size === 1 || new Set(y).size === 1).toBe(true);
          return;
        }
        expect(Math.abs(rho)).toBeLessThanOrEqual(1 + 1e-12);
        expect(spearman(y, x)).toBeCloseTo(rho, 12);
        expect(
          spearman(
            x.map((v) => -v),
            y,
          ),
        ).toBeCloseTo(-rho, 12);
        expect(
          spearman(
            x.map((v) => Math.exp(v)),
            y,
          ),
        ).toBe(rho);
      }),
    );
  });

  it('is NaN where a side is constant or there is one sample, and ranks infinities', () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(spearman([1], [2])).toBeNaN();
    expect(spearman([], [])).toBeNaN();
    expect(spearman([Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY], [1, 2, 3])).toBeCloseTo(1, 15);
  });

  it('names what does not fit', () => {
    expect(() => spearman([1, 2], [1])).toThrow('2 values against 1');
    expect(() => spearman([1, 2], [1, Number.NaN])).toThrow('second value 1 is NaN');
  });
});
