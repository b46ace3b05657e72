import { expect, it } from 'vitest';
import { normalHalfWidth, normalTail, twoSidedP } from '../../../src/metrics/areas/normal.js';
import { metricsGolden } from '../../golden/metrics.js';

it('the normal tail and its inverse equal scipy, far out too', () => {
  const { z, tail, confidences, halfWidths } = metricsGolden.normal;
  // 1e-13 of the value: exp(−z²/2) has that much rounding where z is large.
  for (const [i, at] of z.entries()) expect(Math.abs(normalTail(at) / tail[i]! - 1)).toBeLessThan(1e-12);
  for (const [i, confidence] of confidences.entries()) {
    expect(normalHalfWidth(confidence)).toBeCloseTo(halfWidths[i]!, 9);
  }
  expect(normalHalfWidth(0.95)).toBeCloseTo(1.959963984540054, 13);
});

it('p is two-sided, 1 in the middle, undefined of nothing', () => {
  expect(twoSidedP(0)).toBe(1);
  expect(twoSidedP(-1.959963984540054)).toBeCloseTo(0.05, 14);
  expect(twoSidedP(Number.NaN)).toBeNaN();
  expect(() => normalHalfWidth(95)).toThrow('confidence is 95');
});
