import { Random } from '../../../tensor/random.js';
import { WORKING_SIDE } from './picture.js';

const GRID = 8;
const PATCHES = GRID * GRID;
const PATCH = WORKING_SIDE / GRID;
const RESAMPLES = 1000;
/** The number of pairs below which the answer is left to chance. */
const ENOUGH = 20;

/**
 * Computes the cosine similarities between all pairs of the 8 × 8 patches of an image, as the method does between
 * patches of features (Eq. 3 and 4 of the paper). Here they are of the raw pixels, less the image's mean. The result
 * is the upper triangle, row by row.
 */
export function patchRelations(gray: Float32Array): Float32Array {
  const mean = gray.reduce((sum, value) => sum + value, 0) / gray.length;
  const patches = Array.from({ length: PATCHES }, (_, patch) => {
    const from = Math.floor(patch / GRID) * PATCH * WORKING_SIDE + (patch % GRID) * PATCH;
    const values = new Float32Array(PATCH * PATCH);
    for (let i = 0; i < values.length; i += 1) {
      values[i] = gray[from + Math.floor(i / PATCH) * WORKING_SIDE + (i % PATCH)]! - mean;
    }
    const length = Math.sqrt(dot(values, values));
    return length > 0 ? values.map((value) => value / length) : values;
  });
  const relations = new Float32Array((PATCHES * (PATCHES - 1)) / 2);
  let at = 0;
  for (let i = 0; i < PATCHES; i += 1) {
    for (let j = i + 1; j < PATCHES; j += 1) {
      relations[at] = dot(patches[i]!, patches[j]!);
      at += 1;
    }
  }
  return relations;
}

/** The patch relations of two mates. */
export interface RelatedPair {
  readonly subject: string;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** The measures of how well raw patch relations tell a mate from the images of others. */
export interface Suitability {
  readonly pairs: number;
  readonly subjects: number;
  /** The mean of the consistency loss (Eq. 5) between mates, and between images of different subjects. */
  readonly mates: number;
  readonly strangers: number;
  /**
   * The share of comparisons in which the mate is nearer than a stranger's image: 0.5 if no anatomy is shared, 1 if
   * always.
   */
  readonly nearer: number;
  /** The interval over subjects: percentiles 2.5 and 97.5, which is one of 95 % where there are enough of them. */
  readonly low: number;
  readonly high: number;
  /** The advantage of each pair, `1 − own ÷ mean of strangers`, for a picture. */
  readonly advantages: readonly number[];
}

/** Compares every pair's `b` with those of all other subjects; undefined for too few pairs or for one subject. */
export function judgeSuitability(pairs: readonly RelatedPair[], seed: number): Suitability | undefined {
  if (pairs.length < ENOUGH) return undefined;
  const judged = pairs.flatMap(({ subject, a, b }) => {
    const own = consistency(a, b);
    let [sum, nearer, count] = [0, 0, 0];
    for (const other of pairs) {
      if (other.subject === subject) continue;
      const strange = consistency(a, other.b);
      sum += strange;
      nearer += Number(own < strange) + Number(own === strange) / 2;
      count += 1;
    }
    return count === 0 ? [] : [{ subject, own, strange: sum / count, nearer: nearer / count }];
  });
  if (judged.length === 0) return undefined;
  const mean = (of: (pair: (typeof judged)[number]) => number) =>
    judged.reduce((sum, pair) => sum + of(pair), 0) / judged.length;
  const { low, high, subjects } = subjectInterval(judged, seed);
  return {
    pairs: judged.length,
    subjects,
    mates: mean(({ own }) => own),
    strangers: mean(({ strange }) => strange),
    nearer: mean(({ nearer }) => nearer),
    low,
    high,
    advantages: judged.map(({ own, strange }) => (strange > 0 ? 1 - own / strange : 0)),
  };
}

/** Computes percentiles 2.5 and 97.5 of the mean of `nearer` over resampled subjects. */
function subjectInterval(
  judged: readonly { subject: string; nearer: number }[],
  seed: number,
): { low: number; high: number; subjects: number } {
  const bySubject = new Map<string, { sum: number; count: number }>();
  for (const { subject, nearer } of judged) {
    const { sum = 0, count = 0 } = bySubject.get(subject) ?? {};
    bySubject.set(subject, { sum: sum + nearer, count: count + 1 });
  }
  const subjects = [...bySubject.values()];
  const random = new Random(seed, 'suitability');
  const means = Array.from({ length: RESAMPLES }, () => {
    let [sum, count] = [0, 0];
    for (let draw = 0; draw < subjects.length; draw += 1) {
      const one = subjects[random.below(subjects.length)]!;
      sum += one.sum;
      count += one.count;
    }
    return sum / count;
  }).sort((a, b) => a - b);
  return {
    low: means[Math.floor(0.025 * RESAMPLES)]!,
    high: means[Math.ceil(0.975 * RESAMPLES) - 1]!,
    subjects: subjects.length,
  };
}

/**
 * Computes the mean squared difference of all similarities. Those of a patch with itself, which are equal, count too.
 */
function consistency(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i]! - b[i]!) ** 2;
  return (2 * sum) / PATCHES ** 2;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}
