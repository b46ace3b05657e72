import { describe, expect, it } from 'vitest';
import { classificationMetrics, metricNames, resampledMetrics } from '../../src/metrics/metricSet.js';
import { metricsGolden } from '../golden/metrics.js';

/** Sums of some tens of numbers: rounding only. The recalibration is fitted, by both sides, to about 1e-10. */
const DIGITS = 9;

describe('classificationMetrics', () => {
  it('equals scikit-learn and statsmodels for two classes, with ties and with weights', () => {
    for (const { labels, probabilities, weights, plain, weighted } of metricsGolden.binary) {
      const metrics = classificationMetrics(probabilities, labels);
      expect(Object.keys(metrics)).toEqual(metricNames(2));
      expect(Object.keys(plain).sort()).toEqual(metricNames(2).sort());
      const resampled = resampledMetrics(probabilities, labels)(Float64Array.from(weights));
      for (const [m, name] of metricNames(2).entries()) {
        expect(metrics[name], name).toBeCloseTo(plain[name]!, DIGITS);
        expect(resampled[m], name).toBeCloseTo(weighted[name]!, DIGITS);
      }
      const bothColumns = probabilities.flatMap((p) => [1 - p, p]);
      expect(classificationMetrics(bothColumns, labels)).toEqual(metrics);
    }
  });

  it('equals them for three classes', () => {
    const { labels, probabilities, weights, plain, weighted } = metricsGolden.threeClasses;
    const metrics = classificationMetrics(probabilities, labels, { classes: 3 });
    expect(Object.keys(metrics)).toEqual(metricNames(3));
    expect(Object.keys(plain).sort()).toEqual(metricNames(3).sort());
    const resampled = resampledMetrics(probabilities, labels, { classes: 3 })(Float64Array.from(weights));
    for (const [m, name] of metricNames(3).entries()) {
      expect(metrics[name], name).toBeCloseTo(plain[name]!, DIGITS);
      expect(resampled[m], name).toBeCloseTo(weighted[name]!, DIGITS);
    }
  });

  it('counts a weight as copies', () => {
    const { labels, probabilities, weights } = metricsGolden.binary[1]!;
    const copies = labels.flatMap((_, i) => Array<number>(weights[i]!).fill(i));
    const repeated = classificationMetrics(
      copies.map((i) => probabilities[i]!),
      copies.map((i) => labels[i]!),
    );
    const weighted = resampledMetrics(probabilities, labels)(Float64Array.from(weights));
    for (const [m, name] of metricNames(2).entries()) {
      expect(weighted[m], name).toBeCloseTo(repeated[name]!, DIGITS);
    }
  });

  it('has no number, and no 0, for what one class leaves undefined', () => {
    const metrics = classificationMetrics([0.2, 0.7, 0.6], [1, 1, 1]);
    for (const name of [
      'auc',
      'averagePrecision',
      'specificity',
      'calibrationSlope',
      'calibrationIntercept',
    ]) {
      expect(metrics[name], name).toBeNaN();
    }
    expect(metrics.recall).toBeCloseTo(2 / 3, 15);
    expect(metrics.kappa).toBe(0); // two of three called, all positive: what chance gives
    expect(classificationMetrics([0.7, 0.6], [1, 1]).kappa).toBeNaN();
    const missing = classificationMetrics([0.5, 0.3, 0.2, 0.1, 0.8, 0.1], [0, 1], { classes: 3 });
    expect(missing.macroAuc).toBeNaN();
    expect(missing.macroAveragePrecision).toBeNaN();
    expect(missing.brier).toBeCloseTo((0.38 + 0.06) / 2, 15);
    for (const [name, value] of Object.entries(classificationMetrics([], []))) {
      expect(value, name).toBeNaN();
    }
  });

  it('judges no calibration of scores that are no probabilities, in range or not', () => {
    const labels = [0, 1, 0, 1];
    const asked = ['brier', 'calibrationError', 'calibrationSlope', 'calibrationIntercept'];
    const outside = classificationMetrics([-0.1, 0.6, 0.4, 0.3], labels);
    const said = classificationMetrics([0.1, 0.6, 0.4, 0.3], labels, { probabilistic: false });
    const probable = classificationMetrics([0.1, 0.6, 0.4, 0.3], labels);
    for (const name of asked) {
      expect(outside[name], name).toBeNaN();
      expect(said[name], name).toBeNaN();
      expect(probable[name], name).not.toBeNaN();
    }
    expect(said.auc).toBe(probable.auc);
    expect(said.f1).toBe(probable.f1);
  });

  it('names the row of a NaN', () => {
    expect(() => classificationMetrics([0.1, Number.NaN], [0, 1])).toThrow('row 1 is NaN');
    expect(() => classificationMetrics([0.1, 0.9, Number.NaN, 0.2], [0, 1])).toThrow('row 1 is NaN');
  });
});
