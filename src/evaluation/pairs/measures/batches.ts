import { Random } from '../../../tensor/random.js';

/** Pairs of a batch at most: the paper's. */
export const BATCH = 128;

/**
 * Positions in batches of at most {@link BATCH} in an order of the seed, as equal as can be, so that no pair is compared with a
 * few left over.
 */
export function fixedBatches(positions: readonly number[], seed: number): number[][] {
  const order = new Random(seed, 'pairs', 'order').permutation(positions.length);
  const count = Math.ceil(positions.length / BATCH);
  const bound = (batch: number) => Math.round((batch * positions.length) / count);
  return Array.from({ length: count }, (_, batch) =>
    Array.from(order.subarray(bound(batch), bound(batch + 1)), (at) => positions[at]!),
  );
}
