import type { StoredPredictions } from '../../evaluation/results/predictions.js';
import { bootstrapInterval, type ResampledMetric } from '../../metrics/bootstrap.js';
import { reliabilityBins } from '../../metrics/calibration/calibration.js';
import { calibrationIntercept, calibrationSlope } from '../../metrics/calibration/recalibration.js';
import type { Calibration } from './calibrationFigure.js';

const BINS = 10;
/**
 * The largest number of bootstrap draws. The intervals are only drawn, and more draws would make no visible difference.
 */
const MOST_REPLICATES = 400;

/**
 * Computes the content of a reliability diagram: ten bins of about equally many images, the share of positives in each
 * bin with its interval over subjects, and the slope and intercept of the calibration.
 *
 * @param probabilities [n] of the positive class
 */
export function calibrationOf(
  probabilities: Float64Array,
  { labels, subjects }: Pick<StoredPredictions, 'labels' | 'subjects'>,
  bootstrap: { readonly replicates: number; readonly confidence: number; readonly seed: number },
): Calibration {
  const options = { ...bootstrap, replicates: Math.min(bootstrap.replicates, MOST_REPLICATES) };
  const several = new Set(subjects).size >= 2;
  const bins = reliabilityBins(probabilities, labels, { bins: BINS, binning: 'equal-mass' }).map(
    ({ low, high, samples, meanPredicted, observed }, i) => {
      const members = labels.flatMap((_, sample) => {
        const p = probabilities[sample]!;
        return (p > low || (i === 0 && p === low)) && p <= high ? [sample] : [];
      });
      const found = several
        ? bootstrapInterval(shareOfPositives(members, labels), subjects, options)
        : { low: observed, high: observed };
      return { count: samples, predicted: meanPredicted, observed, low: found.low, high: found.high };
    },
  );
  return {
    bins,
    probabilities,
    slope: calibrationSlope(probabilities, labels),
    intercept: calibrationIntercept(probabilities, labels),
  };
}

/** The share of positives among the drawn members; NaN where none of them was drawn. */
function shareOfPositives(members: readonly number[], labels: readonly number[]): ResampledMetric {
  return (weights) => {
    let positives = 0;
    let all = 0;
    for (const sample of members) {
      all += weights[sample]!;
      positives += weights[sample]! * labels[sample]!;
    }
    return positives / all;
  };
}
