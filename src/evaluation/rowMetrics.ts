import { spread } from '../metrics/aggregate.js';
import {
  type BootstrapOptions,
  bootstrapInterval,
  type ResampledMetric,
  resampledConfusion,
} from '../metrics/bootstrap.js';
import {
  accuracy,
  type Confusion,
  classificationMetrics,
  f1,
  macro,
  positiveColumn,
  precision,
  predictedClasses,
  recall,
  specificity,
} from '../metrics/classification.js';
import { weightedMacroRocAuc, weightedRocAuc } from '../metrics/rocAuc.js';
import type { MetricSummary } from './result.js';

/** Test predictions of one row, with what they are judged by. Entry i of each list is one sample, or one subject. */
export interface Judged {
  /** [n, classes] */
  readonly probabilities: Float64Array;
  readonly labels: readonly number[];
  readonly subjects: readonly string[];
  readonly folds: readonly number[];
  readonly classes: number;
}

const TABLE_METRICS: Readonly<Record<string, (table: Confusion) => number>> = {
  accuracy,
  f1: (table) => f1(table),
  precision: (table) => precision(table),
  recall: (table) => recall(table),
  specificity: (table) => specificity(table),
  macroF1: (table) => macro(table, f1),
  macroPrecision: (table) => macro(table, precision),
  macroRecall: (table) => macro(table, recall),
};

/** Metric names in the order of the tables; the first is what rows are compared by. */
export function metricNames(classes: number): string[] {
  if (classes > 2) return ['macroAuc', 'accuracy', 'macroF1', 'macroPrecision', 'macroRecall'];
  return ['auc', ...Object.keys(TABLE_METRICS)];
}

/** The area under the ROC curve, one versus rest where there are more than two classes, for resampling. */
export function resampledAuc({ probabilities, labels, classes }: Judged): ResampledMetric {
  return classes > 2
    ? weightedMacroRocAuc(probabilities, labels, classes)
    : weightedRocAuc(positiveColumn(probabilities, labels.length), labels);
}

/**
 * Every metric in each fold, as mean ± std over the folds, and on the predictions of all folds together with the interval
 * of a bootstrap over subjects. The two differ: scores of different folds come from different probes, which the pooled
 * value ranks together.
 */
export function summarizeRow(
  judged: Judged,
  rounds: readonly number[],
  bootstrap: BootstrapOptions,
): Record<string, MetricSummary> {
  const { probabilities, labels, subjects, folds, classes } = judged;
  const perFold = rounds.map((fold) => {
    const members = folds.flatMap((own, i) => (own === fold ? [i] : []));
    return classificationMetrics(
      Float64Array.from(members.flatMap((i) => [...probabilities.subarray(i * classes, (i + 1) * classes)])),
      members.map((i) => labels[i]!),
      { classes },
    );
  });
  const predicted = predictedClasses(probabilities, labels.length, { classes });
  const resampled = (name: string): ResampledMetric =>
    name === 'auc' || name === 'macroAuc'
      ? resampledAuc(judged)
      : resampledConfusion(predicted, labels, classes, TABLE_METRICS[name]!);
  return Object.fromEntries(
    metricNames(classes).map((name) => {
      const values = perFold.map((metrics) => metrics[name]!);
      const { mean, std, skipped } = spread(values);
      return [name, { mean, std, folds: values, skipped, ...interval(resampled(name), subjects, bootstrap) }];
    }),
  );
}

/** Of a row without predictions: every value undefined. */
export function undefinedSummary(classes: number, rounds: readonly number[]): Record<string, MetricSummary> {
  const nothing = { mean: NaN, std: NaN, pooled: NaN, low: NaN, high: NaN, standardError: NaN };
  const folds = rounds.map(() => Number.NaN);
  return Object.fromEntries(
    metricNames(classes).map((name) => [name, { ...nothing, folds, skipped: rounds.length }]),
  );
}

function interval(metric: ResampledMetric, subjects: readonly string[], options: BootstrapOptions) {
  if (new Set(subjects).size < 2) {
    const pooled = metric(new Float64Array(subjects.length).fill(1));
    return { pooled, low: Number.NaN, high: Number.NaN, standardError: Number.NaN };
  }
  const { value, low, high, standardError } = bootstrapInterval(metric, subjects, options);
  return { pooled: value, low, high, standardError };
}
