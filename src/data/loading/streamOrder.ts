/** The order in which streamed samples are read and used, by pure functions, so that a resumed run needs no state. */
import { Random } from '../../tensor/random.js';

export interface Stream {
  /**
   * The shard of each sample that is trained on, by row. The samples of a shard stand in the order in which they are
   * stored.
   */
  readonly shards: readonly number[];
  /** The number of samples that the shuffle buffer holds. */
  readonly buffer: number;
}

export interface StreamOrder {
  /** The rows in the order in which they are read: shard after shard, the shards in an order drawn for the epoch. */
  readonly read: Uint32Array;
  /** The rows in the order in which they leave the buffer. */
  readonly used: Uint32Array;
  /** The place of each row in `used`. */
  readonly turn: Uint32Array;
}

/**
 * Orders one epoch by a shuffle buffer. The buffer is filled with the first `buffer` samples read; then one of its
 * samples, drawn at random, leaves for each that comes, until it runs empty. So the k-th sample to leave is among the
 * first k + `buffer` read.
 */
export function streamOrder({ shards, buffer }: Stream, seed: number, epoch: number): StreamOrder {
  const rowsOf = new Map<number, number[]>();
  for (const [row, shard] of shards.entries()) {
    const rows = rowsOf.get(shard);
    if (rows === undefined) rowsOf.set(shard, [row]);
    else rows.push(row);
  }
  const inOrder = [...rowsOf.values()];
  const shardOrder = new Random(seed, 'shards', epoch).permutation(inOrder.length);
  const read = Uint32Array.from([...shardOrder].flatMap((shard) => inOrder[shard]!));
  const used = new Uint32Array(read.length);
  const turn = new Uint32Array(read.length);
  const random = new Random(seed, 'order', epoch);
  const held = Array.from(read.subarray(0, buffer));
  let next = held.length;
  for (let k = 0; k < used.length; k += 1) {
    const slot = random.below(held.length);
    const row = held[slot]!;
    used[k] = row;
    turn[row] = k;
    if (next < read.length) {
      held[slot] = read[next]!;
      next += 1;
    } else {
      held[slot] = held[held.length - 1]!;
      held.pop();
    }
  }
  return { read, used, turn };
}
