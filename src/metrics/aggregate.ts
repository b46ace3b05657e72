/** Summaries of several values: the scores of a subject's images, and the spread over folds or seeds. */

export interface SubjectScores {
  /** The subjects in order of first appearance. */
  readonly subjects: readonly string[];
  readonly scores: Float64Array;
  /** The label of each subject: 1 where any of its images is positive. */
  readonly labels: Uint8Array;
}

/**
 * Computes one score for each subject from the scores of its images: their mean, or their maximum for findings that a
 * single slice can show.
 *
 * @param scores [n] probability of the positive class
 * @param labels [n] 0 or 1
 * @param subjects [n] the subject of each image
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
  /** The sample standard deviation (n − 1); NaN for fewer than two values. */
  readonly std: number;
  readonly n: number;
  /**
   * The number of values that were NaN, such as the AUC of a fold with one class. They are left out, and a table says
   * how many.
   */
  readonly skipped: number;
}

/** Computes the mean and the sample standard deviation of the defined values, over folds or seeds. */
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
