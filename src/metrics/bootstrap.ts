/** The bootstrap over subjects: percentile intervals of metrics and paired differences between them. */
import { Random } from '../tensor/random.js';
import { type Confusion, confusion } from './classification.js';

/** A metric of a resampled data set: sample i was drawn `weights[i]` times. NaN where the metric is undefined. */
export type ResampledMetric = (weights: Float64Array) => number;

/** Several metrics of a resampled data set, which always come in the same order. */
export type ResampledMetrics = (weights: Float64Array) => readonly number[];

export interface BootstrapOptions {
  readonly replicates?: number;
  /** The share of the replicates inside the interval; by default 0.95. */
  readonly confidence?: number;
  readonly seed?: number;
}

export interface BootstrapInterval {
  /** The metric on the data as they are. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** The standard deviation of the replicates. */
  readonly standardError: number;
  /**
   * The number of replicates without a value, such as an AUC where only one class was drawn. The interval rests on the
   * others.
   */
  readonly undefinedReplicates: number;
}

export interface BootstrapDifference extends BootstrapInterval {
  /** The two-sided p-value: at least 2 / (replicates + 1), and at least {@link smallestP} of the subjects. */
  readonly pValue: number;
  /** The smallest true difference that is likely to be found; see {@link minimumDetectableDifference}. */
  readonly minimumDetectable: number;
}

/**
 * Computes the percentile interval of a metric (Efron & Tibshirani 1993, §13.3). It resamples whole **subjects** with
 * replacement, because images of one patient are not independent and resampling images would make the interval too
 * narrow.
 *
 * @param metric such as `weightedRocAuc(scores, labels)`
 * @param subjects [n] the unit each sample belongs to
 * @throws RangeError with fewer than two subjects or impossible options
 */
export function bootstrapInterval(
  metric: ResampledMetric,
  subjects: ArrayLike<string | number>,
  options: BootstrapOptions = {},
): BootstrapInterval {
  return bootstrapIntervals((weights) => [metric(weights)], subjects, options)[0]!;
}

/**
 * Computes {@link bootstrapInterval} of several metrics of the same samples by the same draws. Each interval is the
 * same as alone.
 */
export function bootstrapIntervals(
  metrics: ResampledMetrics,
  subjects: ArrayLike<string | number>,
  options: BootstrapOptions = {},
): BootstrapInterval[] {
  const whole = metrics(new Float64Array(subjects.length).fill(1));
  const replicates = replicated(metrics, whole.length, subjects, options);
  return replicates.map((values, m) => intervalOfReplicates(whole[m]!, values, options));
}

/**
 * Computes the paired difference `first − second` of two metrics on the **same** samples. Both see the same draws of
 * subjects, so a patient who is easy or hard for both cancels out. The p-value inverts the percentile interval (Davison
 * & Hinkley 1997, §5.5): it falls below 5 % where the 95 % interval leaves out 0,
 *
 *     p = 2 · min(#{d* ≤ 0} + 1, #{d* ≥ 0} + 1) / (R + 1), at most 1 and at least 2 / 2ⁿ of n subjects.
 */
export function bootstrapDifference(
  first: ResampledMetric,
  second: ResampledMetric,
  subjects: ArrayLike<string | number>,
  options: BootstrapOptions = {},
): BootstrapDifference {
  const difference: ResampledMetric = (weights) => first(weights) - second(weights);
  const whole = difference(new Float64Array(subjects.length).fill(1));
  const replicates = bootstrapReplicates(difference, subjects, options);
  return differenceOfReplicates(whole, replicates, { ...options, subjects: numbered(subjects).clusters });
}

/**
 * The smallest two-sided p-value that n subjects can give, 2 / 2ⁿ: that of a test which swaps the two sides of each
 * subject at random (a sign-flip test), when all subjects agree.
 */
export function smallestP(subjects: number): number {
  return Math.min(1, 2 / 2 ** subjects);
}

/**
 * Gives the result of {@link bootstrapDifference} for differences that were found draw by draw.
 *
 * @param value the difference on the data as they are
 * @param replicates the difference in each draw, such as of two results of {@link bootstrapReplicates}
 * @param options `subjects` is the number of subjects that were drawn from
 */
export function differenceOfReplicates(
  value: number,
  replicates: Float64Array,
  options: Pick<BootstrapOptions, 'confidence'> & { readonly subjects: number },
): BootstrapDifference {
  const interval = intervalOfReplicates(value, replicates, options);
  let notAbove = 1;
  let notBelow = 1;
  for (const d of replicates) {
    if (d <= 0) notAbove += 1;
    if (d >= 0) notBelow += 1;
  }
  const defined = replicates.length - interval.undefinedReplicates;
  const p = (2 * Math.min(notAbove, notBelow)) / (defined + 1);
  return {
    ...interval,
    pValue: defined > 0 ? Math.min(1, Math.max(p, smallestP(options.subjects))) : Number.NaN,
    minimumDetectable: minimumDetectableDifference(interval.standardError),
  };
}

/**
 * The smallest true difference that one two-sided 5 % test without correction finds with 80 % power, (z₀.₉₇₅ + z₀.₈₀) ·
 * SE ≈ 2.8 · SE. A test finds 0.7 of it half of the time, so a smaller difference that a table does not show may well
 * exist.
 */
export function minimumDetectableDifference(standardError: number): number {
  return (1.959963984540054 + 0.8416212335729143) * standardError;
}

/**
 * The mean of several metrics of the same draws, such as those of one method pretrained at three seeds, which gives one
 * interval and one p for all of them. NaN where any of them is.
 */
export function meanOf(metrics: readonly ResampledMetric[]): ResampledMetric {
  return (weights) => metrics.reduce((sum, metric) => sum + metric(weights), 0) / metrics.length;
}

/** The confusion table of a resampled data set. */
export function resampledTable(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): (weights: Float64Array) => Confusion {
  confusion(predicted, labels, classes); // checks lengths and class numbers once
  const cell = Uint32Array.from(predicted, (guess, i) => labels[i]! * classes + guess);
  return (weights) => {
    const counts = new Float64Array(classes * classes);
    for (let i = 0; i < cell.length; i += 1) counts[cell[i]!]! += weights[i]!;
    return { classes, counts };
  };
}

/**
 * The mean over folds of a metric computed inside each fold. It is for scores that come from a different model in every
 * fold and so cannot be ranked together. NaN when the metric is undefined in any fold.
 *
 * @param folds [n] the fold of each sample
 * @param metricOf makes the metric of one fold from its sample numbers
 */
export function meanOverFolds(
  folds: ArrayLike<number>,
  metricOf: (samples: Uint32Array) => ResampledMetric,
): ResampledMetric {
  const all = Array.from(folds, (_, i) => i);
  return meanOf(
    [...new Set(Array.from(folds))].map((fold) => {
      const samples = Uint32Array.from(all.filter((i) => folds[i] === fold));
      return onSamples(samples, metricOf(samples));
    }),
  );
}

/** Turns metrics of some samples into metrics of all samples, which ignore the weights of the others. */
export function onSamples<Values>(
  samples: Uint32Array,
  metrics: (weights: Float64Array) => Values,
): (weights: Float64Array) => Values {
  const own = new Float64Array(samples.length);
  return (weights) => {
    for (let i = 0; i < samples.length; i += 1) own[i] = weights[samples[i]!]!;
    return metrics(own);
  };
}

/**
 * Computes the metric in each draw of subjects, in the order of the draws; NaN where it is undefined. Metrics of the
 * same subjects, seed and number of replicates see the same draws, so that their differences are paired.
 */
export function bootstrapReplicates(
  metric: ResampledMetric,
  subjects: ArrayLike<string | number>,
  options: BootstrapOptions = {},
): Float64Array {
  return replicated((weights) => [metric(weights)], 1, subjects, options)[0]!;
}

/** Computes the replicates of `count` metrics by the same draws. */
function replicated(
  metrics: ResampledMetrics,
  count: number,
  subjects: ArrayLike<string | number>,
  { replicates = 2000, seed = 0 }: BootstrapOptions,
): Float64Array[] {
  if (!(Number.isInteger(replicates) && replicates >= 1)) {
    throw new RangeError(`bootstrap: replicates is ${replicates}, expected a whole number from 1`);
  }
  const { cluster, clusters } = numbered(subjects);
  if (clusters < 2) {
    throw new RangeError(
      `bootstrap: ${clusters} subject(s) in ${subjects.length} samples; resampling needs at least 2`,
    );
  }
  const random = new Random(seed, 'bootstrap');
  const drawn = new Float64Array(clusters);
  const weights = new Float64Array(subjects.length);
  const values = Array.from({ length: count }, () => new Float64Array(replicates));
  for (let r = 0; r < replicates; r += 1) {
    drawn.fill(0);
    for (let draw = 0; draw < clusters; draw += 1) drawn[random.below(clusters)]! += 1;
    for (let i = 0; i < weights.length; i += 1) weights[i] = drawn[cluster[i]!]!;
    const drawnValues = metrics(weights);
    for (let m = 0; m < count; m += 1) values[m]![r] = drawnValues[m]!;
  }
  return values;
}

/** Computes the percentile interval of a metric whose replicates are known. */
export function intervalOfReplicates(
  value: number,
  replicates: Float64Array,
  { confidence = 0.95 }: Pick<BootstrapOptions, 'confidence'> = {},
): BootstrapInterval {
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`bootstrap: confidence is ${confidence}, expected a share between 0 and 1`);
  }
  const defined = replicates.filter((replicate) => !Number.isNaN(replicate)).sort();
  return {
    value,
    low: quantile(defined, (1 - confidence) / 2),
    high: quantile(defined, (1 + confidence) / 2),
    standardError: standardDeviation(defined),
    undefinedReplicates: replicates.length - defined.length,
  };
}

/** Numbers the subjects from 0 in order of appearance. */
function numbered(subjects: ArrayLike<string | number>): { cluster: Uint32Array; clusters: number } {
  const numberOf = new Map<string | number, number>();
  const cluster = new Uint32Array(subjects.length);
  for (let i = 0; i < subjects.length; i += 1) {
    const subject = subjects[i]!;
    if (!numberOf.has(subject)) numberOf.set(subject, numberOf.size);
    cluster[i] = numberOf.get(subject)!;
  }
  return { cluster, clusters: numberOf.size };
}

/** The quantile by linear interpolation between order statistics, numpy's default; NaN without values. */
function quantile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
}

/** The standard deviation of a sample; NaN for fewer than two values. */
function standardDeviation(values: Float64Array): number {
  if (values.length < 2) return Number.NaN;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}
