export interface SubjectScores {
  /** The subjects in order of first appearance. */
  readonly subjects: readonly string[];
  readonly scores: Float64Array;
  /** 1 where any image of the subject is positive. */
  readonly labels: Uint8Array;
}

/**
 * One score a subject from the scores of its images: their mean, or their maximum for findings that one slice can show.
 *
 * @param scores [n] probability of the positive class
 * @param labels [n] 0 or 1
 * @param subjects [n]
 * @throws RangeError when lengths differ
 */
export function aggregateBySubject(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  subjects: ArrayLike<string>,
  how: 'mean' | 'max' = 'mean',
): SubjectScores {
  if (labels.length !== scores.length || subjects.length !== scores.length) {
    throw new RangeError(
      `aggregateBySubject: ${scores.length} scores, ${labels.length} labels and ${subjects.length} subjects`,
    );
  }
  const images = new Map<string, number[]>();
  for (let i = 0; i < subjects.length; i += 1) {
    const own = images.get(subjects[i]!);
    if (own) own.push(i);
    else images.set(subjects[i]!, [i]);
  }
  const members = [...images.values()];
  return {
    subjects: [...images.keys()],
    scores: Float64Array.from(members, (own) => {
      const values = own.map((i) => scores[i]!);
      return how === 'max' ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / values.length;
    }),
    labels: Uint8Array.from(members, (own) => (own.some((i) => labels[i] === 1) ? 1 : 0)),
  };
}

export interface Spread {
  readonly mean: number;
  /** Sample standard deviation (n − 1); NaN of fewer than two values. */
  readonly std: number;
  readonly n: number;
  /** Values that were NaN, e.g. the AUC of a fold with one class. They are left out; a table says how many. */
  readonly skipped: number;
}

/** Mean ± sample standard deviation over folds or seeds of the values that are defined. */
export function spread(values: ArrayLike<number>): Spread {
  const defined = Array.from(values).filter((value) => !Number.isNaN(value));
  const n = defined.length;
  const mean = defined.reduce((a, b) => a + b, 0) / n;
  const squares = defined.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    std: n > 1 ? Math.sqrt(squares / (n - 1)) : Number.NaN,
    n,
    skipped: values.length - n,
  };
}
