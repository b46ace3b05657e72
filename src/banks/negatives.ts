import { Random, TensorError } from '../tensor/index.js';

export interface NegativesOptions {
  /** n, the rows of the bank. */
  rows: number;
  /** Each sample's own row, which is never drawn. */
  own: readonly number[];
  /** K, at most n − 1. */
  count: number;
  /** Seed and epoch, or seed and step. The own row is added, so that a batch's composition changes nobody's draws. */
  key: readonly (string | number)[];
}

/**
 * K rows of noise for each sample, uniform without replacement: as K grows to n − 1 they become all others. (Drawing with
 * replacement, as CMC does, hits the positive, which is ruinous on small data.) Floyd's algorithm: K draws for a sample.
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
