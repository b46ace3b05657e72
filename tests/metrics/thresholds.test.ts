import { describe, expect, test } from 'vitest';
import { chooseThreshold, type ThresholdRule } from '../../src/metrics/thresholds.js';

// Sorted by score: 0.9 +, 0.8 +, 0.7 −, 0.4 +, 0.3 −, 0.2 −.
const scores = [0.9, 0.3, 0.8, 0.7, 0.2, 0.4];
const labels = [1, 0, 1, 0, 0, 1];
const chosen = (rule: ThresholdRule) => chooseThreshold(scores, labels, rule);

describe('chooseThreshold', () => {
  test('youden: two points have the same sum, and the more specific one is taken', () => {
    // Above 0.7: sensitivity 2/3, specificity 1. Above 0.3: sensitivity 1, specificity 2/3.
    const { threshold, sensitivity, specificity } = chosen({ kind: 'youden' });
    expect(threshold).toBeCloseTo(0.75, 15);
    expect(sensitivity).toBeCloseTo(2 / 3, 15);
    expect(specificity).toBe(1);
  });

  test('sensitivity: the most specific threshold that is sensitive enough', () => {
    expect(chosen({ kind: 'sensitivity', least: 0.9 })).toEqual({
      threshold: expect.closeTo(0.35, 15),
      sensitivity: 1,
      specificity: expect.closeTo(2 / 3, 15),
    });
    expect(chosen({ kind: 'sensitivity', least: 0 }).threshold).toBeCloseTo(0.95, 15);
  });

  test('specificity: the most sensitive threshold that is specific enough', () => {
    expect(chosen({ kind: 'specificity', least: 0.6 }).threshold).toBeCloseTo(0.35, 15);
    expect(chosen({ kind: 'specificity', least: 1 }).threshold).toBeCloseTo(0.75, 15);
    expect(chosen({ kind: 'specificity', least: 0 }).threshold).toBeCloseTo(0.1, 15);
  });

  test('half: what is above one half is counted', () => {
    expect(chosen({ kind: 'half' })).toEqual({
      threshold: 0.5,
      sensitivity: expect.closeTo(2 / 3, 15),
      specificity: expect.closeTo(2 / 3, 15),
    });
  });

  test('one class alone has no threshold', () => {
    expect(() => chooseThreshold([0.2, 0.4], [1, 1], { kind: 'youden' })).toThrow('expected samples of both');
  });
});
