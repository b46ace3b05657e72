import { spread } from '../../metrics/aggregate.js';
import { classificationMetrics } from '../../metrics/metricSet.js';
import type { PaperStyle } from '../results/evaluationResult.js';
import type { Computed } from '../results/stored.js';

/** The metrics that the authors add up (MathewCrespo/MM_unsupervised, utils/best_utils.py, parse_best). */
const SUMMED = ['auc', 'accuracy', 'f1', 'precision', 'recall', 'specificity'];
/** The metrics that replace them when there are more than two classes. */
const SUMMED_MACRO = ['macroAuc', 'accuracy', 'macroF1', 'macroPrecision', 'macroRecall'];

/**
 * Finds the numbers of the epoch that happens to suit the test samples best: in each fold the epoch with the largest
 * sum of the test metrics, of equal ones the first. The paper's snapshot reports such numbers. The test labels choose
 * the epoch, so they are optimistic, and no row is compared by them. A metric that is undefined counts nothing in the
 * sum.
 *
 * @param byEpoch the probabilities by fold and epoch, [test samples, classes] each
 * @param labels the labels of each fold
 */
export function bestTestEpoch(
  byEpoch: readonly (readonly Float64Array[])[],
  labels: readonly (readonly number[])[],
  classes: number,
): Computed<PaperStyle> {
  const names = classes > 2 ? SUMMED_MACRO : SUMMED;
  const folds = byEpoch.map((epochs, fold) => {
    const found = epochs.map((probabilities) =>
      classificationMetrics(probabilities, labels[fold]!, { classes }),
    );
    const sums = found.map((metrics) => names.reduce((sum, name) => sum + (metrics[name]! || 0), 0));
    const best = sums.reduce((leader, sum, epoch) => (sum > sums[leader]! ? epoch : leader), 0);
    return { epoch: best + 1, metrics: found[best]! };
  });
  const metrics = names.map((name) => {
    const values = folds.map((fold) => fold.metrics[name]!);
    return [name, { mean: spread(values).mean, folds: values }] as const;
  });
  return {
    label: 'best test epoch, as the paper’s snapshot reports; optimistic',
    epochs: folds.map(({ epoch }) => epoch),
    metrics: Object.fromEntries(metrics),
  };
}
