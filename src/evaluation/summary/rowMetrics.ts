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
  onSamples,
  type ResampledMetric,
  type ResampledMetrics,
} from '../../metrics/bootstrap.js';
import { positiveColumn } from '../../metrics/classification.js';
import { metricNames, resampledMetrics } from '../../metrics/metricSet.js';
import { inThreads } from '../../threads.js';
import type { BootstrapSettings, MetricSummary } from '../results/evaluationResult.js';
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

/** What the summary of a row is made of. */
export interface RowJob {
  readonly judged: Judged;
  /** The folds that are judged. */
  readonly rounds: readonly number[];
  readonly bootstrap: BootstrapSettings;
}

/** The nanoseconds that a replicate of all metrics takes for each sample. */
const REPLICATE_COST = 200;

/** Summarises rows on all cores, in their order. */
export function summarizeRows(jobs: readonly RowJob[]): Promise<Record<string, Computed<MetricSummary>>[]> {
  const planned = jobs.map((job) => ({
    cost: REPLICATE_COST * job.judged.labels.length * job.bootstrap.replicates,
    make: () => job,
  }));
  return inThreads(planned, { worker: new URL('./rowWorker.js', import.meta.url), run: summarizeRow });
}

/**
 * Computes every metric in two ways: in each fold, as mean ± std over the folds, and on the predictions of all folds
 * together (`pooled`). Both have the interval of a bootstrap over subjects. The two differ, since scores of different
 * folds come from different probes, which the pooled value ranks together.
 */
export function summarizeRow({ judged, rounds, bootstrap }: RowJob): Record<string, Computed<MetricSummary>> {
  const { labels, subjects, folds, classes } = judged;
  const all = Array.from(labels.keys());
  const pooled = metricsOf(judged, all);
  const inFolds = rounds.map((fold) => {
    const samples = Uint32Array.from(all.filter((i) => folds[i] === fold));
    return onSamples(samples, metricsOf(judged, samples));
  });
  const names = metricNames(classes);
  const once = new Float64Array(labels.length).fill(1);
  const ofFolds = inFolds.map((metrics) => metrics(once));
  const values = names.map((_, m) => ofFolds.map((metrics) => metrics[m]!));
  const means: ResampledMetrics = (weights) => {
    const drawn = inFolds.map((metrics) => metrics(weights));
    return values.map((own, m) => {
      const defined = drawn.filter((_, f) => !Number.isNaN(own[f]));
      return defined.reduce((sum, metrics) => sum + metrics[m]!, 0) / defined.length;
    });
  };
  const intervals = intervalsOf((weights) => [...pooled(weights), ...means(weights)], subjects, bootstrap);
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

function metricsOf(judged: Judged, samples: ArrayLike<number>): ResampledMetrics {
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
  metrics: ResampledMetrics,
  subjects: readonly string[],
  options: BootstrapOptions,
): Omit<BootstrapInterval, 'undefinedReplicates'>[] {
  if (new Set(subjects).size >= 2) return bootstrapIntervals(metrics, subjects, options);
  const once = new Float64Array(subjects.length).fill(1);
  return metrics(once).map((value) => ({
    value,
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
