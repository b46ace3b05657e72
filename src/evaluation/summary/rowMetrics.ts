/**
 * This room turns the test predictions of rows into numbers: metrics with intervals, differences between rows, values
 * by patient, and notes.
 */
import { spread } from '../../metrics/aggregate.js';
import { weightedMacroRocAuc, weightedRocAuc } from '../../metrics/areas/rocAuc.js';
import {
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapIntervals,
  meanOf,
  onSamples,
  type ResampledMetric,
} from '../../metrics/bootstrap.js';
import { positiveColumn } from '../../metrics/classification.js';
import { metricNames, resampledMetrics } from '../../metrics/metricSet.js';
import type { MetricSummary } from '../results/evaluationResult.js';
import type { Computed } from '../results/stored.js';

export { metricNames };

/**
 * The test predictions of one row, with what they are judged by. Entry i of each list is one sample, or one subject.
 */
export interface Judged {
  /** The predicted probabilities [n, classes]. */
  readonly probabilities: Float64Array;
  readonly labels: readonly number[];
  readonly subjects: readonly string[];
  readonly folds: readonly number[];
  readonly classes: number;
  /**
   * False for the linear estimates of the thumbnail's ridge. Metrics that need probabilities are undefined for them.
   */
  readonly probabilistic: boolean;
}

/**
 * Makes the area under the ROC curve a metric for resampling, one class against the rest when there are more than two.
 */
export function resampledAuc({
  probabilities,
  labels,
  classes,
}: Pick<Judged, 'probabilities' | 'labels' | 'classes'>): ResampledMetric {
  return classes > 2
    ? weightedMacroRocAuc(probabilities, labels, classes)
    : weightedRocAuc(positiveColumn(probabilities, labels.length), labels);
}

/**
 * Computes every metric in two ways: in each fold, as mean ± std over the folds, and on the predictions of all folds
 * together (`pooled`). Both have the interval of a bootstrap over subjects. The two differ, since scores of different
 * folds come from different probes, which the pooled value ranks together.
 */
export function summarizeRow(
  judged: Judged,
  rounds: readonly number[],
  bootstrap: BootstrapOptions,
): Record<string, Computed<MetricSummary>> {
  const { labels, subjects, folds, classes } = judged;
  const all = Array.from(labels.keys());
  const pooled = metricsOf(judged, all);
  const inFolds = rounds.map((fold) => {
    const samples = Uint32Array.from(all.filter((i) => folds[i] === fold));
    return { samples, metrics: metricsOf(judged, samples) };
  });
  const names = metricNames(classes);
  const values = names.map((name) =>
    inFolds.map(({ samples, metrics }) => metrics[name]!(new Float64Array(samples.length).fill(1))),
  );
  const means = names.map((name, m) =>
    meanOf(
      inFolds
        .filter((_, f) => !Number.isNaN(values[m]![f]))
        .map(({ samples, metrics }) => onSamples(samples, metrics[name]!)),
    ),
  );
  const intervals = intervalsOf([...names.map((name) => pooled[name]!), ...means], subjects, bootstrap);
  return Object.fromEntries(
    names.map((name, m) => {
      const { mean, std, skipped } = spread(values[m]!);
      const { value, low, high, standardError } = intervals[m]!;
      const { low: meanLow, high: meanHigh } = intervals[names.length + m]!;
      const overFolds = { mean, meanLow, meanHigh, std, folds: values[m]!, skipped };
      return [name, { ...overFolds, pooled: value, low, high, standardError }];
    }),
  );
}

function metricsOf(judged: Judged, samples: ArrayLike<number>): Record<string, ResampledMetric> {
  const { probabilities, labels, classes, probabilistic } = judged;
  const rows = Float64Array.from({ length: samples.length * classes }, (_, at) => {
    const sample = samples[Math.floor(at / classes)]!;
    return probabilities[sample * classes + (at % classes)]!;
  });
  return resampledMetrics(
    rows,
    Array.from(samples, (i) => labels[i]!),
    { classes, probabilistic },
  );
}

function intervalsOf(
  metrics: readonly ResampledMetric[],
  subjects: readonly string[],
  options: BootstrapOptions,
): Omit<BootstrapInterval, 'undefinedReplicates'>[] {
  if (new Set(subjects).size >= 2) return bootstrapIntervals(metrics, subjects, options);
  const once = new Float64Array(subjects.length).fill(1);
  return metrics.map((metric) => ({
    value: metric(once),
    low: Number.NaN,
    high: Number.NaN,
    standardError: Number.NaN,
  }));
}

/** The summary of a row without predictions, in which every value is undefined. */
export function undefinedSummary(
  classes: number,
  rounds: readonly number[],
): Record<string, Computed<MetricSummary>> {
  const overFolds = { mean: NaN, meanLow: NaN, meanHigh: NaN, std: NaN };
  const nothing = { ...overFolds, pooled: NaN, low: NaN, high: NaN, standardError: NaN };
  const folds = rounds.map(() => Number.NaN);
  return Object.fromEntries(
    metricNames(classes).map((name) => [name, { ...nothing, folds, skipped: rounds.length }]),
  );
}
