/** Binary ground truth: 1 or true is the positive class, 0 or false the negative one. */
export type BinaryLabels = ArrayLike<number | boolean>;

/** Scored samples in ascending order of their scores. All curves and rank statistics walk along it. */
export interface Ranking {
  /** The sample numbers in this order, [n]. */
  readonly order: Uint32Array;
  /** The ends of ties by place in the order, [n]: 1 where the next sample has a higher score or there is none. */
  readonly endsTie: Uint8Array;
  /** The class by sample, [n]: 1 for positives. */
  readonly positive: Uint8Array;
}

/**
 * Ranks samples by their scores.
 *
 * @param scores [n], finite or infinite
 * @param labels [n], 0/1 or booleans
 * @param metric the name of the metric in errors
 * @throws RangeError when lengths differ, a label is neither 0 nor 1, or a score is NaN
 */
export function ranking(scores: ArrayLike<number>, labels: BinaryLabels, metric: string): Ranking {
  const n = scores.length;
  if (labels.length !== n) throw new RangeError(`${metric}: ${n} scores but ${labels.length} labels`);
  const positive = Uint8Array.from({ length: n }, (_, i) => binaryLabel(labels[i]!, i, metric));
  for (let i = 0; i < n; i += 1) {
    if (Number.isNaN(scores[i]!)) throw new RangeError(`${metric}: score ${i} is NaN; expected a number`);
  }
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  const endsTie = Uint8Array.from(order, (sample, at) =>
    at + 1 === n || scores[order[at + 1]!]! !== scores[sample]! ? 1 : 0,
  );
  return { order, endsTie, positive };
}

function binaryLabel(label: number | boolean, at: number, metric: string): number {
  const value = Number(label);
  if (value !== 0 && value !== 1) {
    throw new RangeError(`${metric}: label ${at} is ${label}; expected 0 or 1`);
  }
  return value;
}
