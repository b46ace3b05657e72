/** One round of an inner cross-validation, with the numbers of the samples to fit on and to judge by. */
export interface InnerFold {
  readonly fit: Uint32Array;
  readonly judge: Uint32Array;
}

/**
 * Makes the rounds of a cross-validation, in which each fold number that occurs judges once. Make `folds` by subject,
 * so that no patient is on both sides.
 *
 * @param folds [n] fold of each sample
 * @throws RangeError with fewer than two folds
 */
export function innerFolds(folds: ArrayLike<number>): InnerFold[] {
  const numbers = [...new Set(Array.from(folds))].sort((a, b) => a - b);
  if (numbers.length < 2) {
    throw new RangeError(`inner cross-validation: ${numbers.length} fold(s) given; expected at least 2`);
  }
  const all = Uint32Array.from({ length: folds.length }, (_, i) => i);
  return numbers.map((fold) => ({
    fit: all.filter((i) => folds[i] !== fold),
    judge: all.filter((i) => folds[i] === fold),
  }));
}
