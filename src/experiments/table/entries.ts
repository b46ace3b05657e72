/**
 * A number of the table: the measurements of one row on one set of images, and their bootstrap, which is computed
 * once.
 */
import { subjectsPerClass, tooFew } from '../../evaluation/results/fewSubjects.js';
import { type Judged, metricNames, resampledAuc } from '../../evaluation/summary/rowMetrics.js';
import {
  type BootstrapDifference,
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapReplicates,
  differenceOfReplicates,
  intervalOfReplicates,
  meanOverFolds,
  type ResampledMetric,
} from '../../metrics/bootstrap.js';
import { classificationMetrics } from '../../metrics/metricSet.js';
import type { Choice } from './compose.js';

/** The result of one seed, or of one draw of the labels. */
export interface Measurement {
  readonly seed: number;
  /** The number of the draw, where the labels were drawn several times. */
  readonly draw?: number;
  /** The metrics of all test predictions together; a metric that is undefined is null. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** The interval that the evaluation stored. */
  readonly interval?: { readonly low: number | null; readonly high: number | null };
  /** The mean of the first metric over the test folds; null where a fold has none. */
  readonly foldMean?: number | null;
  /** Test predictions; undefined where their file is not here. */
  readonly predicted?: {
    readonly ids: readonly string[];
    readonly judged: Judged;
    /** The class names, for words about too few subjects of one. */
    readonly classes: readonly string[];
  };
  /** The choice of each fold, of a tuned row. */
  readonly choices?: readonly Choice[];
}

/** Metrics that the paper prints too, beside the AUC. */
export const SHOWN_METRICS = ['accuracy', 'f1', 'precision'] as const;

/** The metrics of predictions that were put together from several evaluations, so that none of these stored them. */
export function pooledMetrics(judged: Judged): Record<string, number | null> {
  const { probabilities, labels, classes } = judged;
  const all = classificationMetrics(probabilities, labels, { classes });
  const [first] = metricNames(classes);
  const shown = [first!, ...SHOWN_METRICS.filter((name) => Object.hasOwn(all, name))];
  return Object.fromEntries(
    shown.map((name) => [name, Number.isFinite(all[name]!) ? all[name]! : null] as const),
  );
}

/** The mean of the AUCs inside the test folds; null where a fold has none. */
export function meanFoldAuc({ probabilities, labels, folds, classes }: Judged): number | null {
  const metric = meanOverFolds(folds, (samples) =>
    resampledAuc({
      probabilities: Float64Array.from({ length: samples.length * classes }, (_, at) => {
        const sample = samples[Math.floor(at / classes)]!;
        return probabilities[sample * classes + (at % classes)]!;
      }),
      labels: Array.from(samples, (i) => labels[i]!),
      classes,
    }),
  );
  const value = metric(new Float64Array(labels.length).fill(1));
  return Number.isFinite(value) ? value : null;
}

/** Makes the metric that is resampled from predictions. */
export type ResampledOf = (predicted: NonNullable<Measurement['predicted']>) => ResampledMetric;

export interface EntryOptions {
  /** The name of the table’s metric. */
  readonly metric: string;
  readonly bootstrap: BootstrapOptions;
  /** The same metric for resampling; the AUC by default. */
  readonly resampled?: ResampledOf;
}

export class Entry {
  readonly measurements: readonly Measurement[];
  readonly #options: EntryOptions;
  #replicates: Float64Array | undefined;

  constructor(measurements: readonly Measurement[], options: EntryOptions) {
    this.measurements = measurements;
    this.#options = options;
  }

  get seeds(): number[] {
    return [...new Set(this.measurements.map(({ seed }) => seed))];
  }

  /** The measurements that share seed and draw with the other entry, in the other’s order. */
  pairedWith({ measurements }: Entry): Entry {
    const own = measurements.flatMap(
      ({ seed, draw }) => this.measurements.find((one) => one.seed === seed && one.draw === draw) ?? [],
    );
    const same =
      own.length === this.measurements.length && own.every((one, i) => one === this.measurements[i]);
    return same ? this : new Entry(own, this.#options);
  }

  /** The mean of a metric over the seeds; null where a seed has no value. */
  value(metric = this.#options.metric): number | null {
    return mean(this.measurements.map(({ metrics }) => metrics[metric] ?? null));
  }

  /** The sample standard deviation of the table’s metric over the seeds. */
  get deviation(): number | null {
    return deviation(this.measurements.map(({ metrics }) => metrics[this.#options.metric] ?? null));
  }

  /** The mean over the seeds of the means over the folds. */
  get foldMean(): number | null {
    return mean(this.measurements.map((one) => one.foldMean ?? null));
  }

  /** Whether all seeds have predictions, on the same samples. */
  get isResampled(): boolean {
    const [first] = this.measurements;
    return (
      first !== undefined &&
      this.measurements.every(({ predicted }) => sameSamples(predicted?.ids, first.predicted?.ids)) &&
      new Set(first.predicted?.judged.subjects).size >= 2
    );
  }

  /** Counts the subjects that are too few for a test, as {@link tooFew} does; undefined where there are enough. */
  get few(): string | undefined {
    const predicted = this.measurements[0]?.predicted;
    if (predicted === undefined) return undefined;
    const { classes } = predicted;
    const { subjects, labels } = predicted.judged;
    const perClass = subjectsPerClass(subjects, labels, classes.length);
    return tooFew({ subjects: new Set(subjects).size, perClass, classes });
  }

  /** The interval of the mean over the seeds; undefined where predictions are missing. */
  interval(): BootstrapInterval | undefined {
    const value = this.value();
    if (value === null || !this.isResampled) return undefined;
    return intervalOfReplicates(value, this.#drawn(), this.#options.bootstrap);
  }

  /**
   * The difference of this entry less the other, over the seeds of both and on the same draws of subjects; undefined
   * where the two cannot be paired. Over too few subjects nothing is tested: p and the detectable difference are NaN.
   */
  minus(other: Entry): BootstrapDifference | undefined {
    const own = this.pairedWith(other);
    const others = other.pairedWith(own);
    const [value, less] = [own.value(), others.value()];
    if (value === null || less === null || !own.isResampled || !others.isResampled) return undefined;
    if (!sameSamples(own.measurements[0]!.predicted!.ids, others.measurements[0]!.predicted!.ids))
      return undefined;
    const replicates = others.#drawn();
    const differences = own.#drawn().map((drawn, r) => drawn - replicates[r]!);
    const subjects = new Set(own.measurements[0]!.predicted!.judged.subjects).size;
    const found = differenceOfReplicates(value - less, differences, { ...this.#options.bootstrap, subjects });
    return own.few === undefined ? found : { ...found, pValue: Number.NaN, minimumDetectable: Number.NaN };
  }

  /** The mean over the seeds in each draw of subjects. */
  #drawn(): Float64Array {
    const { bootstrap, resampled = ({ judged }) => resampledAuc(judged) } = this.#options;
    this.#replicates ??= this.measurements
      .map(({ predicted }) =>
        bootstrapReplicates(resampled(predicted!), predicted!.judged.subjects, bootstrap),
      )
      .reduce((sum, one) => sum.map((value, r) => value + one[r]!))
      .map((sum) => sum / this.measurements.length);
    return this.#replicates;
  }
}

function sameSamples(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((id, i) => id === b[i]);
}

/** Null where the number is undefined. */
export function defined(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** Null where any number is undefined. */
export function mean(values: readonly (number | null)[]): number | null {
  if (values.length === 0 || values.some((value) => value === null || !Number.isFinite(value))) return null;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; null of fewer than two numbers, or where one is undefined. */
export function deviation(values: readonly (number | null)[]): number | null {
  const center = mean(values);
  if (center === null || values.length < 2) return null;
  const squares = (values as number[]).reduce((sum, value) => sum + (value - center) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}
