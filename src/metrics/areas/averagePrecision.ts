import { type BinaryLabels, ranking } from './ranking.js';

/**
 * Average precision, the area under the precision–recall curve as a step function, without interpolation
 * (scikit-learn's `average_precision_score`): over the distinct scores from the highest down,
 *
 *     AP = Σ_k (R_k − R_{k−1}) P_k
 *
 * with R_k and P_k the recall and precision when everything that scores at least the k-th score is called positive;
 * tied samples are called together. Of uninformative scores it is the prevalence, not ½. With only one class present it
 * is NaN: there is nothing to rank (scikit-learn says 0 without positives and 1 without negatives).
 *
 * @param scores [n], finite or infinite; higher means "more positive"
 * @param labels [n], 0/1 or booleans
 * @throws RangeError when lengths differ, a label is neither 0 nor 1, or a score is NaN
 */
export function averagePrecision(scores: ArrayLike<number>, labels: BinaryLabels): number {
  return weightedAveragePrecision(scores, labels)();
}

/**
 * {@link averagePrecision} where sample i counts `weights[i]` times. It sorts once, and each call of the returned
 * function is one walk over the samples.
 */
export function weightedAveragePrecision(
  scores: ArrayLike<number>,
  labels: BinaryLabels,
): (weights?: Float64Array) => number {
  const { order, endsTie, positive } = ranking(scores, labels, 'average precision');
  const n = order.length;
  const ones = new Float64Array(n).fill(1);
  return (weights = ones) => {
    let called = 0;
    let found = 0;
    let tied = 0;
    let sum = 0;
    for (let at = n - 1; at >= 0; at -= 1) {
      const sample = order[at]!;
      called += weights[sample]!;
      if (positive[sample] === 1) tied += weights[sample]!;
      // From above, a tie ends where the sample below has a lower score.
      if (tied > 0 && (at === 0 || endsTie[at - 1] === 1)) {
        found += tied;
        sum += tied * (found / called);
        tied = 0;
      }
    }
    return found > 0 && called > found ? sum / found : Number.NaN;
  };
}
