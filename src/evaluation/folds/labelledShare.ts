import { Random } from '../../tensor/random.js';
import type { Task } from './task.js';

/**
 * Draws the training samples whose labels a probe may use when labels are few: the given share of each class, rounded
 * up, at random by seed and fold. Shares are nested: a sample in the 1 % share is in the 10 % share too. However small
 * the share, each class has two samples, of two subjects where it has them, since inner folds could choose nothing
 * otherwise.
 *
 * Samples are drawn and not subjects, as is usual; so few labels may come from many subjects.
 *
 * @param share above 0, at most 1
 * @returns sample numbers of the task, in the order of `train`
 */
export function labelledShare(
  { labels, subjects, classes }: Task,
  train: readonly number[],
  share: number,
  { seed, fold }: { readonly seed: number; readonly fold: number },
): number[] {
  if (share === 1) return [...train];
  const chosen = new Set<number>();
  for (const [c] of classes.entries()) {
    const own = train.filter((i) => labels[i] === c);
    const order = [...new Random(seed, 'labels', fold, c).permutation(own.length)].map((i) => own[i]!);
    const other = order.findIndex((i) => subjects[i] !== subjects[order[0]!]);
    // The second sample is always of another subject, whatever the share, so that shares stay nested.
    if (other > 1) order.splice(1, 0, ...order.splice(other, 1));
    // In floating point 7 % of 100 is 7.000000000000001, which must not round up to 8 samples.
    const count = Math.ceil(share * own.length * (1 - 1e-12));
    for (const i of order.slice(0, Math.max(2, count))) chosen.add(i);
  }
  return train.filter((i) => chosen.has(i));
}
