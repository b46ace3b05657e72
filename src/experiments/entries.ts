/** One number of a table, a row on some images: what was measured, and its bootstrap, computed once however often compared. */
import { type Judged, metricNames, resampledAuc } from '../evaluation/rowMetrics.js';
import {
  type BootstrapDifference,
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapReplicates,
  differenceOfReplicates,
  intervalOfReplicates,
  type ResampledMetric,
} from '../metrics/bootstrap.js';
import { classificationMetrics } from '../metrics/metricSet.js';
import type { Choice } from './compose.js';

/** What one seed, or one draw of the labels, found. */
export interface Measurement {
  readonly seed: number;
  /** Where there are several draws of the labels. */
  readonly draw?: number;
  /** Of the pooled predictions by metric; a number that is undefined is null. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** The interval that the evaluation itself gave. */
  readonly interval?: { readonly low: number | null; readonly high: number | null };
  /** Test predictions; undefined where they did not travel. */
  readonly predicted?: { readonly ids: readonly string[]; readonly judged: Judged };
  /** Of a tuned row. */
  readonly choices?: readonly Choice[];
}

/** Metrics that stand beside the paper’s. */
const SHOWN = ['accuracy', 'f1', 'precision'];

/** All metrics of predictions that no evaluation has seen together. */
export function pooledMetrics(judged: Judged): Record<string, number | null> {
  const { probabilities, labels, classes } = judged;
  const all = classificationMetrics(probabilities, labels, { classes });
  const [first] = metricNames(classes);
  const shown = [first!, ...SHOWN.filter((name) => Object.hasOwn(all, name))];
  return Object.fromEntries(
    shown.map((name) => [name, Number.isFinite(all[name]!) ? all[name]! : null] as const),
  );
}

/** The metric of the table, of predictions that are resampled. */
export type ResampledOf = (predicted: NonNullable<Measurement['predicted']>) => ResampledMetric;

export class Entry {
  readonly measurements: readonly Measurement[];
  readonly #bootstrap: BootstrapOptions;
  readonly #resampled: ResampledOf;
  #replicates: Float64Array | undefined;

  constructor(
    measurements: readonly Measurement[],
    bootstrap: BootstrapOptions,
    resampled: ResampledOf = ({ judged }) => resampledAuc(judged),
  ) {
    this.measurements = measurements;
    this.#bootstrap = bootstrap;
    this.#resampled = resampled;
  }

  /** The part of this that was measured with the same seeds and draws as the other, in its order. */
  matching({ measurements }: Entry): Entry {
    const own = measurements.flatMap(
      ({ seed, draw }) => this.measurements.find((one) => one.seed === seed && one.draw === draw) ?? [],
    );
    const same =
      own.length === this.measurements.length && own.every((one, i) => one === this.measurements[i]);
    return same ? this : new Entry(own, this.#bootstrap, this.#resampled);
  }

  /** Mean over the seeds; null where one of them has none. */
  value(metric: string): number | null {
    return mean(this.measurements.map(({ metrics }) => metrics[metric] ?? null));
  }

  /** Sample standard deviation over the seeds. */
  deviation(metric: string): number | null {
    const values = this.measurements.map(({ metrics }) => metrics[metric] ?? null);
    const center = mean(values);
    if (center === null || values.length < 2) return null;
    const squares = (values as number[]).reduce((sum, value) => sum + (value - center) ** 2, 0);
    return Math.sqrt(squares / (values.length - 1));
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

  /** Of the seed-mean; undefined where predictions are missing. */
  interval(metric: string): BootstrapInterval | undefined {
    const value = this.value(metric);
    if (value === null || !this.isResampled) return undefined;
    return intervalOfReplicates(value, this.#drawn(), this.#bootstrap);
  }

  /** This less the other, on the same draws of subjects; undefined where they cannot be paired. */
  minus(other: Entry, metric: string): BootstrapDifference | undefined {
    const [own, others] = [this.value(metric), other.value(metric)];
    if (own === null || others === null || !this.isResampled || !other.isResampled) return undefined;
    if (!sameSamples(this.measurements[0]!.predicted!.ids, other.measurements[0]!.predicted!.ids))
      return undefined;
    const replicates = other.#drawn();
    const differences = this.#drawn().map((value, r) => value - replicates[r]!);
    return differenceOfReplicates(own - others, differences, this.#bootstrap);
  }

  /** The mean of the seeds in each draw of subjects. */
  #drawn(): Float64Array {
    this.#replicates ??= this.measurements
      .map(({ predicted }) => {
        const { subjects } = predicted!.judged;
        return bootstrapReplicates(this.#resampled(predicted!), subjects, this.#bootstrap);
      })
      .reduce((sum, one) => sum.map((value, r) => value + one[r]!))
      .map((sum) => sum / this.measurements.length);
    return this.#replicates;
  }
}

function sameSamples(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((id, i) => id === b[i]);
}

/** Null when a number is undefined, as JSON has it. */
export function mean(values: readonly (number | null)[]): number | null {
  if (values.length === 0 || values.some((value) => value === null || !Number.isFinite(value))) return null;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}
