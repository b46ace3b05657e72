/** The name for samples that are kept apart from all folds, for one last judgement. */
export const SET_ASIDE = 'set-aside';

/** The fold, 0 … k−1, that a sample is tested in; or `SET_ASIDE`. */
export type Fold = number | typeof SET_ASIDE;

/** Gives the fold of the sample at a position, undefined where it has none. */
export type FoldOf = (position: number) => Fold | undefined;

/** Writes the distinct folds for people, as in `0, 2, set-aside`. */
export function foldNames(folds: Iterable<Fold>): string {
  const last = (fold: Fold) => (fold === SET_ASIDE ? Number.POSITIVE_INFINITY : fold);
  return [...new Set(folds)].sort((a, b) => last(a) - last(b)).join(', ');
}
