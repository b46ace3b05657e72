/**
 * Calibration: of the samples called malignant with 30 %, 30 % should be. This file has the bins of the reliability
 * diagram and their mean error.
 */

import { requireLabels } from '../labels.js';
import { allProbabilities } from './brier.js';

export interface BinningOptions {
  /** The number of bins. There are fewer where samples tie. */
  readonly bins?: number;
  /**
   * The edges of the bins: at equal distances, or at the quantiles of the probabilities, so that bins hold about
   * equally many samples.
   */
  readonly binning?: 'equal-width' | 'equal-mass';
}

/** A point of the reliability diagram. */
export interface ReliabilityBin {
  /** The edges of the bin. It holds the samples with low < p ≤ high; the first bin has its lower edge too. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
  readonly meanPredicted: number;
  /** The share of positives. */
  readonly observed: number;
}

/**
 * Computes the bins of the reliability diagram (scikit-learn's `calibration_curve`, strategies `uniform` and
 * `quantile`). Bins without samples are left out. Values outside 0 … 1 are no probabilities, and the list is then
 * empty.
 *
 * @param probabilities [n] of the positive class
 * @param labels [n] 0 or 1
 * @throws RangeError when lengths differ, a label is not 0 or 1, a value is NaN, or the number of bins is not whole
 */
export function reliabilityBins(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: BinningOptions = {},
): ReliabilityBin[] {
  const binned = assignBins(probabilities, labels, options);
  if (binned === undefined) return [];
  const { edges, bin } = binned;
  const ones = new Float64Array(bin.length).fill(1);
  const { total, predicted, positives } = sums(bin, edges.length - 1, probabilities, labels, ones);
  return Array.from(total).flatMap((samples, b) =>
    samples === 0
      ? []
      : {
          low: edges[b]!,
          high: edges[b + 1]!,
          samples,
          meanPredicted: predicted[b]! / samples,
          observed: positives[b]! / samples,
        },
  );
}

/**
 * The expected calibration error (Naeini et al. 2015): the mean over samples of |observed − mean predicted| of their
 * bin. It depends on the bins and is biased upwards in small samples, the more so the more bins there are. A perfectly
 * calibrated model has an error above 0 as well, so compare only equal numbers of samples and bins. NaN without samples
 * or for values that are no probabilities.
 *
 * For more than two classes, pass the confidence, which is the highest probability, and whether that class is right
 * (Guo et al. 2017).
 */
export function calibrationError(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: BinningOptions = {},
): number {
  return weightedCalibrationError(probabilities, labels, options)();
}

/** {@link calibrationError} where sample i counts `weights[i]` times, in the bins of the samples as they are. */
export function weightedCalibrationError(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: BinningOptions = {},
): (weights?: Float64Array) => number {
  const binned = assignBins(probabilities, labels, options);
  if (binned === undefined) return () => Number.NaN;
  const { edges, bin } = binned;
  const ones = new Float64Array(bin.length).fill(1);
  return (weights = ones) => {
    const { total, predicted, positives } = sums(bin, edges.length - 1, probabilities, labels, weights);
    let error = 0;
    let all = 0;
    for (let b = 0; b < total.length; b += 1) {
      error += Math.abs(positives[b]! - predicted[b]!);
      all += total[b]!;
    }
    return error / all;
  };
}

interface Binned {
  /** The edges of the bins, [bins + 1]. */
  readonly edges: Float64Array;
  /** The bin of each sample, [n]. */
  readonly bin: Uint32Array;
}

function assignBins(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  { bins = 10, binning = 'equal-width' }: BinningOptions,
): Binned | undefined {
  requireLabels(labels, probabilities.length, 2, 'calibration');
  if (!(Number.isInteger(bins) && bins >= 1)) {
    throw new RangeError(`calibration: bins is ${bins}, expected a whole number from 1`);
  }
  if (!allProbabilities(probabilities, 'calibration')) return undefined;
  const edges = binning === 'equal-width' ? equalWidth(bins) : equalMass(probabilities, bins);
  const bin = Uint32Array.from({ length: probabilities.length }, (_, i) => {
    let b = 0;
    while (b < bins - 1 && probabilities[i]! > edges[b + 1]!) b += 1;
    return b;
  });
  return { edges, bin };
}

function equalWidth(bins: number): Float64Array {
  return Float64Array.from({ length: bins + 1 }, (_, b) => b / bins);
}

/**
 * Places the edges at quantiles by linear interpolation, numpy's default. Tied probabilities make equal edges, with
 * empty bins between them.
 */
function equalMass(probabilities: ArrayLike<number>, bins: number): Float64Array {
  const sorted = Float64Array.from(probabilities).sort();
  return Float64Array.from({ length: bins + 1 }, (_, b) => {
    const at = (b / bins) * (sorted.length - 1);
    const below = sorted[Math.floor(at)]!;
    return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
  });
}

function sums(
  bin: Uint32Array,
  bins: number,
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  weights: Float64Array,
) {
  const total = new Float64Array(bins);
  const predicted = new Float64Array(bins);
  const positives = new Float64Array(bins);
  for (let i = 0; i < bin.length; i += 1) {
    const b = bin[i]!;
    total[b]! += weights[i]!;
    predicted[b]! += weights[i]! * probabilities[i]!;
    positives[b]! += weights[i]! * labels[i]!;
  }
  return { total, predicted, positives };
}
