import { Random } from '../../../tensor/random.js';

/** The largest number of pairs in a batch, as in the paper. */
export const BATCH = 128;

/**
 * Deals positions, in an order drawn by the seed, into batches of at most {@link BATCH}. The batches are as equal as
 * can be, so that no pair is compared with only a few left over.
 */
export function fixedBatches(positions: readonly number[], seed: number): number[][] {
  const order = new Random(seed, 'pairs', 'order').permutation(positions.length);
  const count = Math.ceil(positions.length / BATCH);
  const bound = (batch: number) => Math.round((batch * positions.length) / count);
  return Array.from({ length: count }, (_, batch) =>
    Array.from(order.subarray(bound(batch), bound(batch + 1)), (at) => positions[at]!),
  );
}
