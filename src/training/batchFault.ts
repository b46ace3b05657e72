import type { BatchPlan } from '../data/loading/loader.js';

/**
 * Describes the fault of batches that are hardly meant as they are; undefined if there is none.
 * @param comparesBatch whether the method's terms compare the pairs of a batch
 */
export function batchFault(
  { indices, batchSize, dropLast }: BatchPlan,
  comparesBatch: boolean,
): string | undefined {
  const pairs = indices.length;
  if (comparesBatch && batchSize === 1) {
    return 'training.batchSize is 1: with no other pair to tell a pair from, the contrastive terms teach nothing; set it to 2 or more';
  }
  if (dropLast && batchSize > pairs) {
    return `training.dropLast would leave out the only batch, ${pairs} pairs where training.batchSize is ${batchSize}; it is kept. Set training.batchSize to ${pairs} or less`;
  }
  if (comparesBatch && !dropLast && pairs % batchSize === 1) {
    return `the last batch of each epoch is a single pair (${pairs} pairs, training.batchSize ${batchSize}): with no other pair to tell it from, the contrastive terms teach nothing in that step; leave it out with training.dropLast=true`;
  }
  return undefined;
}
