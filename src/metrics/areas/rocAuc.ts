/** The area under the ROC curve, for two classes and for more. */
import { type BinaryLabels, ranking } from './ranking.js';

/**
 * Area under the ROC curve: the chance that a positive scores above a negative, ties counting half (Mann–Whitney U with
 * mid-ranks; Hanley & McNeil 1982):
 *
 *     AUC = Σ over (positive p, negative n) of [s_p > s_n] + ½ [s_p = s_n], divided by P·N
 *
 * Higher scores mean "more positive"; any monotone map of them gives the same value. With only one class present the
 * area is undefined and the result is NaN, never 0 or ½: skip that fold and say so.
 *
 * @param scores [n], finite or infinite
 * @param labels [n], 0/1 or booleans
 * @throws RangeError when lengths differ, a label is neither 0 nor 1, or a score is NaN
 */
export function rocAuc(scores: ArrayLike<number>, labels: BinaryLabels): number {
  return weightedRocAuc(scores, labels)();
}

/**
 * The same area where sample i counts `weights[i]` times; without weights every sample counts once. It sorts once, and
 * each call of the returned function is one walk over the samples, so that thousands of bootstrap replicates are cheap.
 */
export function weightedRocAuc(
  scores: ArrayLike<number>,
  labels: BinaryLabels,
): (weights?: Float64Array) => number {
  const { order, endsTie, positive } = ranking(scores, labels, 'AUC');
  const n = order.length;
  const ones = new Float64Array(n).fill(1);

  return (weights = ones) => {
    let negativesBelow = 0;
    let positives = 0;
    let wins = 0;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (let at = 0; at < n; at += 1) {
      const sample = order[at]!;
      if (positive[sample] === 1) tiedPositives += weights[sample]!;
      else tiedNegatives += weights[sample]!;
      if (endsTie[at] === 1) {
        wins += tiedPositives * (negativesBelow + tiedNegatives / 2);
        positives += tiedPositives;
        negativesBelow += tiedNegatives;
        tiedPositives = 0;
        tiedNegatives = 0;
      }
    }
    return positives > 0 && negativesBelow > 0 ? wins / (positives * negativesBelow) : Number.NaN;
  };
}

/**
 * The unweighted mean over the classes of the one-versus-rest area (scikit-learn's `multi_class='ovr',
 * average='macro'`). NaN when a class has no sample: a mean over fewer classes would be another quantity.
 *
 * @param probabilities [n, classes], row-major
 * @param labels [n], class numbers from 0
 */
export function macroRocAuc(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): number {
  return weightedMacroRocAuc(probabilities, labels, classes)();
}

/** {@link macroRocAuc} where sample i counts `weights[i]` times. */
export function weightedMacroRocAuc(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): (weights?: Float64Array) => number {
  return oneVersusRest(weightedRocAuc, probabilities, labels, classes);
}

/** The unweighted mean, over the classes, of a metric of one class's scores against all others. */
export function oneVersusRest(
  metric: (scores: ArrayLike<number>, labels: BinaryLabels) => (weights?: Float64Array) => number,
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): (weights?: Float64Array) => number {
  const ofClass = Array.from({ length: classes }, (_, c) =>
    metric(
      classColumn(probabilities, classes, c),
      Uint8Array.from({ length: labels.length }, (_, i) => (labels[i] === c ? 1 : 0)),
    ),
  );
  return (weights) => ofClass.reduce((sum, value) => sum + value(weights), 0) / classes;
}

/** Takes the probabilities [n] of one class out of row-major [n, classes]. */
export function classColumn(probabilities: ArrayLike<number>, classes: number, column: number): Float64Array {
  return Float64Array.from(
    { length: probabilities.length / classes },
    (_, i) => probabilities[i * classes + column]!,
  );
}
