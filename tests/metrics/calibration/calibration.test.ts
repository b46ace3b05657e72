import { describe, expect, it } from 'vitest';
import { brier, weightedMulticlassBrier } from '../../../src/metrics/calibration/brier.js';
import { calibrationError, reliabilityBins } from '../../../src/metrics/calibration/calibration.js';
import {
  calibrationIntercept,
  calibrationSlope,
  weightedCalibrationSlope,
} from '../../../src/metrics/calibration/recalibration.js';
import { Random } from '../../../src/tensor/random.js';
import { metricsGolden } from '../../golden/metrics.js';

const logistic = (z: number) => 1 / (1 + Math.exp(-z));

describe('reliabilityBins', () => {
  it.each(['equal-width', 'equal-mass'] as const)('%s equals scikit-learn', (binning) => {
    for (const { labels, probabilities, diagrams } of metricsGolden.binary) {
      const { observed, predicted, error } = diagrams[binning];
      const bins = reliabilityBins(probabilities, labels, { bins: 5, binning });
      expect(bins.length).toBe(observed.length);
      for (const [b, bin] of bins.entries()) {
        expect(bin.observed).toBeCloseTo(observed[b]!, 12);
        expect(bin.meanPredicted).toBeCloseTo(predicted[b]!, 12);
      }
      expect(bins.reduce((sum, { samples }) => sum + samples, 0)).toBe(labels.length);
      expect(calibrationError(probabilities, labels, { bins: 5, binning })).toBeCloseTo(error, 12);
    }
  });

  it('puts an edge into the bin below it and 0 into the first', () => {
    const bins = reliabilityBins([0, 0.5, 0.500001, 1], [0, 0, 1, 1], { bins: 2 });
    expect(bins.map(({ samples }) => samples)).toEqual([2, 2]);
    expect(calibrationError([0, 0.5, 0.500001, 1], [0, 0, 1, 1], { bins: 2 })).toBeCloseTo(0.25, 5);
  });

  it('leaves out bins without samples, and values that are no probabilities', () => {
    expect(reliabilityBins([0.95, 0.96], [1, 1]).map(({ low, high }) => [low, high])).toEqual([[0.9, 1]]);
    expect(reliabilityBins([0.3, 1.2], [0, 1])).toEqual([]);
    expect(calibrationError([0.3, 1.2], [0, 1])).toBeNaN();
    expect(calibrationError([], [])).toBeNaN();
  });

  it('names what does not fit', () => {
    expect(() => reliabilityBins([0.1], [0], { bins: 0 })).toThrow('bins is 0');
    expect(() => reliabilityBins([Number.NaN], [0])).toThrow('probability 0 is NaN');
    expect(() => calibrationError([0.1], [2])).toThrow('label 0 is 2');
  });
});

describe('Brier score', () => {
  it('is ¼ of saying ½, and in the form for more classes twice that', () => {
    expect(brier([0.5, 0.5], [0, 1])).toBe(0.25);
    expect(weightedMulticlassBrier([0.5, 0.5, 0.5, 0.5], [0, 1], 2)()).toBe(0.5);
    expect(brier([0, 1], [1, 0])).toBe(1);
    expect(weightedMulticlassBrier([1, 0, 0], [2], 3)()).toBe(2);
  });

  it('is undefined without samples and for what are no probabilities', () => {
    expect(brier([], [])).toBeNaN();
    expect(brier([-0.01, 0.4], [0, 1])).toBeNaN();
    expect(() => brier([0.1, Number.NaN], [0, 1])).toThrow('probability 1 is NaN');
  });
});

describe('recalibration', () => {
  const random = new Random(3, 'calibration');
  const logits = Array.from({ length: 20000 }, () => random.normal(0, 1.5));
  const labels = logits.map((z) => (random.uniform() < logistic(z) ? 1 : 0));

  it('finds what bent true probabilities', () => {
    // Standard errors at this size are near 0.02.
    const slope = (bend: (z: number) => number) =>
      calibrationSlope(
        logits.map((z) => logistic(bend(z))),
        labels,
      );
    expect(slope((z) => z)).toBeCloseTo(1, 1);
    expect(slope((z) => 2 * z)).toBeCloseTo(0.5, 1);
    expect(slope((z) => z / 3 + 1)).toBeCloseTo(3, 0.7);
    const shifted = logits.map((z) => logistic(z - 0.8));
    expect(calibrationIntercept(shifted, labels)).toBeCloseTo(0.8, 1);
    expect(calibrationSlope(shifted, labels)).toBeCloseTo(
      slope((z) => z),
      9,
    );
  });

  it('makes the mean prediction that of the labels', () => {
    const shifted = logits.map((z) => z / 2 - 1);
    const a = calibrationIntercept(shifted.map(logistic), labels);
    const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
    expect(mean(shifted.map((z) => logistic(z + a)))).toBeCloseTo(mean(labels), 10);
  });

  it('does not exist for separated classes, one logit, certain calls, one class', () => {
    expect(calibrationSlope([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])).toBeNaN();
    expect(calibrationSlope([0.1, 0.2, 0.2, 0.9], [0, 0, 1, 1])).toBeNaN();
    expect(calibrationSlope([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1])).toBeNaN();
    expect(calibrationSlope([0.3, 0.3, 0.3], [0, 1, 1])).toBeNaN();
    expect(calibrationIntercept([0.3, 0.3, 0.3], [0, 1, 1])).toBeCloseTo(Math.log(2) - Math.log(3 / 7), 9);
    expect(calibrationSlope([0.3, 0.3 + 1e-16, 0.3, 0.3 + 1e-16], [0, 1, 1, 0])).toBeNaN();
    expect(calibrationSlope([0, 0.5, 0.4, 0.7], [0, 0, 1, 1])).toBeNaN();
    expect(calibrationIntercept([5e-324, 5e-324], [0, 1])).toBeCloseTo(-Math.log(5e-324), 9);
    expect(calibrationIntercept([0.2, 0.4], [1, 1])).toBeNaN();
    expect(calibrationSlope([], [])).toBeNaN();
    const drawn = weightedCalibrationSlope([0.1, 0.6, 0.4, 0.9], [0, 0, 1, 1]);
    expect(drawn(new Float64Array([1, 0, 1, 1]))).toBeNaN();
    expect(drawn()).not.toBeNaN();
  });

  it('is found from afar', () => {
    // Predictions that are extreme and wrong: the start is where the likelihood is flat.
    const wrong = [1e-12, 1e-9, 1 - 1e-12, 1 - 1e-9, 0.4, 0.6];
    const of = [1, 0, 0, 1, 1, 0];
    const slope = calibrationSlope(wrong, of);
    const a = calibrationIntercept(wrong, of);
    expect(Math.abs(slope)).toBeLessThan(1);
    const fitted = wrong.map((p) => logistic(Math.log(p) - Math.log1p(-p) + a));
    expect(fitted.reduce((sum, p) => sum + p, 0)).toBeCloseTo(3, 8);
  });
});
