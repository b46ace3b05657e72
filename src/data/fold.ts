/** The fold of samples that are kept apart from all folds, for one last judgement. */
export const SET_ASIDE = 'set-aside';

/** Which fold, 0 … k−1, a sample is tested in, or that it is set aside. */
export type Fold = number | typeof SET_ASIDE;

/** Fold of the sample at a position; undefined: of none. */
export type FoldOf = (position: number) => Fold | undefined;

/** The distinct folds for people: `0, 2, set-aside`. */
export function foldNames(folds: Iterable<Fold>): string {
  const last = (fold: Fold) => (fold === SET_ASIDE ? Number.POSITIVE_INFINITY : fold);
  return [...new Set(folds)].sort((a, b) => last(a) - last(b)).join(', ');
}
