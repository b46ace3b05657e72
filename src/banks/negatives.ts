import { Random, TensorError } from '../tensor/index.js';

export interface NegativesOptions {
  /** The number of rows of the bank, n. */
  rows: number;
  /** The own row of each sample, which is never drawn. */
  own: readonly number[];
  /** The number of negatives for each sample, K, at most n − 1. */
  count: number;
  /**
   * The seed and the epoch, or the seed and the step. The own row is added, so that the other samples of a batch do not
   * change a sample's draws.
   */
  key: readonly (string | number)[];
}

/**
 * Draws K rows of noise for each sample, uniformly without replacement. As K grows to n − 1 they become all other rows.
 * Drawing with replacement, as CMC does, hits the positive, which is ruinous on small data. Floyd's algorithm takes K
 * draws for a sample.
 * @returns K rows for each sample
 * @throws TensorError when K > n − 1 or an own row is none of the bank's
 */
export function drawNegatives({ rows, own, count, key }: NegativesOptions): Int32Array[] {
  if (!Number.isInteger(count) || count < 0 || count > rows - 1) {
    throw new TensorError(
      `drawNegatives: count is ${count}, expected an integer from 0 to ${rows - 1}, the other rows of a bank of ${rows}`,
    );
  }
  const drawnFor = new Int32Array(rows).fill(-1); // the last sample that drew a row
  return own.map((ownRow, sample) => {
    if (!Number.isInteger(ownRow) || ownRow < 0 || ownRow >= rows) {
      throw new TensorError(`drawNegatives: own row ${ownRow}, expected an integer from 0 to ${rows - 1}`);
    }
    const random = new Random(...key, 'negatives', ownRow);
    const others = rows - 1;
    return Int32Array.from({ length: count }, (_, k) => {
      const last = others - count + k;
      const candidate = random.below(last + 1);
      const chosen = drawnFor[candidate] === sample ? last : candidate;
      drawnFor[chosen] = sample;
      return chosen < ownRow ? chosen : chosen + 1; // others are counted without the own row
    });
  });
}
