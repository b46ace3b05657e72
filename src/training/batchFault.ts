import type { BatchPlan } from '../data/loader.js';

/** What is probably not meant about the batches of a run. */
export function batchFault({ indices, batchSize, dropLast }: BatchPlan): string | undefined {
  const pairs = indices.length;
  if (batchSize === 1) {
    return 'training.batchSize is 1: with no other pair to tell a pair from, the contrastive terms teach nothing; set it to 2 or more';
  }
  if (dropLast && batchSize > pairs) {
    return `training.dropLast would leave out the only batch, ${pairs} pairs where training.batchSize is ${batchSize}; it is kept. Set training.batchSize to ${pairs} or less`;
  }
  if (!dropLast && pairs % batchSize === 1) {
    return `the last batch of each epoch is a single pair (${pairs} pairs, training.batchSize ${batchSize}): with no other pair to tell it from, the contrastive terms teach nothing in that step; leave it out with training.dropLast=true`;
  }
  return undefined;
}
