import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { averagePrecision } from '../../../src/metrics/areas/averagePrecision.js';
import { precisionRecallCurve, rocCurve } from '../../../src/metrics/areas/curves.js';
import { rocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { metricsGolden } from '../../golden/metrics.js';

const scored = fc
  .array(fc.tuple(fc.integer({ min: -6, max: 6 }), fc.integer({ min: 0, max: 1 })), {
    minLength: 2,
    maxLength: 40,
  })
  .filter((samples) => new Set(samples.map(([, label]) => label)).size === 2)
  .map((samples) => ({ scores: samples.map(([s]) => s), labels: samples.map(([, label]) => label) }));

describe('curves', () => {
  it('have the points of scikit-learn', () => {
    for (const { labels, probabilities, roc, pr } of metricsGolden.binary) {
      const points = rocCurve(probabilities, labels);
      expect(points[0]!.threshold).toBe(Number.POSITIVE_INFINITY);
      expect(points.slice(1).map(({ threshold }) => threshold)).toEqual(roc.thresholds);
      expect(points.map((p) => p.falsePositiveRate)).toEqual(roc.fpr);
      expect(points.map((p) => p.truePositiveRate)).toEqual(roc.tpr);
      const ascending = precisionRecallCurve(probabilities, labels).toReversed();
      expect(ascending.slice(0, -1).map(({ threshold }) => threshold)).toEqual(pr.thresholds);
      expect(ascending.map(({ recall }) => recall)).toEqual(pr.recall);
      expect(ascending.map(({ precision }) => precision)).toEqual(pr.precision);
    }
  });

  it('enclose AUC by lines and average precision by steps', () => {
    fc.assert(
      fc.property(scored, ({ scores, labels }) => {
        const roc = rocCurve(scores, labels);
        const area = roc.slice(1).reduce((sum, { falsePositiveRate: x, truePositiveRate: y }, i) => {
          return sum + ((x - roc[i]!.falsePositiveRate) * (y + roc[i]!.truePositiveRate)) / 2;
        }, 0);
        expect(area).toBeCloseTo(rocAuc(scores, labels), 12);
        const pr = precisionRecallCurve(scores, labels);
        const steps = pr.slice(1).reduce((sum, { recall, precision }, i) => {
          return sum + (recall - pr[i]!.recall) * precision;
        }, 0);
        expect(steps).toBeCloseTo(averagePrecision(scores, labels), 12);
      }),
    );
  });

  it('are empty when a class is missing', () => {
    expect(rocCurve([0.1, 0.2], [0, 0])).toEqual([]);
    expect(precisionRecallCurve([0.1, 0.2], [1, 1])).toEqual([]);
    expect(averagePrecision([0.1, 0.2], [1, 1])).toBeNaN();
    expect(averagePrecision([0.1, 0.2], [0, 0])).toBeNaN();
  });

  it('of equal scores is the prevalence', () => {
    expect(averagePrecision([1, 1, 1, 1], [1, 0, 0, 0])).toBe(0.25);
  });

  it('name what does not fit', () => {
    expect(() => averagePrecision([1], [0, 1])).toThrow('average precision: 1 scores but 2 labels');
    expect(() => rocCurve([1, Number.NaN], [0, 1])).toThrow('ROC curve: score 1 is NaN');
    expect(() => precisionRecallCurve([1, 2], [0, 3])).toThrow('label 1 is 3');
  });
});
