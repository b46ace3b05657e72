import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchPlan, batchAt, heldAt, stepsPerEpoch } from '../../../src/data/loading/loader.js';
import { streamOrder } from '../../../src/data/loading/streamOrder.js';

/** Samples in shards of any sizes. */
const shardsOf = fc
  .array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 })
  .map((sizes) => sizes.flatMap((size, shard) => new Array<number>(size).fill(shard)));
const seed = fc.nat(1000);
const buffer = fc.integer({ min: 1, max: 40 });

describe('one epoch', () => {
  test('uses every sample once, no sooner than the buffer allows', () => {
    fc.assert(
      fc.property(shardsOf, buffer, seed, fc.nat(5), (shards, buffer, seed, epoch) => {
        const { read, used, turn } = streamOrder({ shards, buffer }, seed, epoch);
        const rows = shards.map((_, row) => row);
        expect([...used].sort((a, b) => a - b)).toEqual(rows);
        const readAt = new Map([...read].map((row, at) => [row, at]));
        used.forEach((row, k) => {
          expect(turn[row]).toBe(k);
          expect(readAt.get(row)!).toBeLessThan(k + buffer);
        });
      }),
    );
  });

  test('reads shard after shard, each from its beginning to its end', () => {
    fc.assert(
      fc.property(shardsOf, seed, (shards, seed) => {
        const { read } = streamOrder({ shards, buffer: 5 }, seed, 0);
        const met: number[] = [];
        read.forEach((row, at) => {
          if (at > 0 && shards[row] === shards[read[at - 1]!]) expect(row).toBe(read[at - 1]! + 1);
          else met.push(shards[row]!);
        });
        expect(new Set(met).size).toBe(met.length);
      }),
    );
  });

  test('has an order of its own, the same for the same seed, and shuffles across shards', () => {
    const shards = Array.from({ length: 60 }, (_, row) => Math.floor(row / 6));
    const order = (epoch: number, seed = 0, buffer = 20) =>
      [...streamOrder({ shards, buffer }, seed, epoch).used].join();
    expect(order(0)).toBe(order(0));
    expect(new Set([order(0), order(1), order(0, 1)]).size).toBe(3);
    const { used } = streamOrder({ shards, buffer: 20 }, 0, 0);
    expect(new Set([...used.subarray(0, 6)].map((row) => shards[row])).size).toBeGreaterThan(1);
    const { read, used: straight } = streamOrder({ shards, buffer: 1 }, 0, 0);
    expect(straight).toEqual(read);
  });
});

test('the held samples cover this step and the next, within the buffer and two batches', () => {
  const plans = fc.record({
    shards: shardsOf,
    buffer,
    seed,
    batchSize: fc.integer({ min: 1, max: 7 }),
    dropLast: fc.boolean(),
  });
  fc.assert(
    fc.property(plans, ({ shards, buffer, seed, batchSize, dropLast }) => {
      // Every second sample is kept out, as a held-out fold is.
      const indices = shards.map((_, row) => 2 * row);
      const plan: BatchPlan = { indices, batchSize, dropLast, seed, stream: { shards, buffer } };
      for (let step = 0; step < 3 * stepsPerEpoch(plan); step += 1) {
        const held = heldAt(plan, step);
        const now = new Set(held);
        expect(now.size).toBeLessThanOrEqual(buffer + 2 * batchSize);
        expect(held.every((position) => indices.includes(position))).toBe(true);
        for (const ahead of [0, 1]) {
          for (const position of batchAt(plan, step + ahead).indices) expect(now).toContain(position);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('a plan that streams nothing holds nothing', () => {
  expect(heldAt({ indices: [0, 1, 2], batchSize: 2, dropLast: false, seed: 0 }, 1)).toEqual([]);
});
