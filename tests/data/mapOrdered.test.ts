import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { mapOrdered } from '../../src/data/mapOrdered.js';

it('results keep the order of the items, and the limit on running work holds', async () => {
  let running = 0;
  let most = 0;
  const results: number[] = [];
  const items = [5, 1, 4, 2, 3, 0];
  for await (const result of mapOrdered(items, 3, async (item) => {
    most = Math.max(most, ++running);
    await wait(item);
    running -= 1;
    return item * 2;
  })) {
    results.push(result);
  }
  expect(results).toEqual(items.map((item) => item * 2));
  expect(most).toBe(3);
});

it('a rejection is thrown when its turn comes, and no later one ends the process', async () => {
  const seen: number[] = [];
  const work = async (item: number) => {
    if (item > 1) throw new RangeError(`item ${item}`);
    return item;
  };
  const run = async () => {
    for await (const result of mapOrdered([0, 1, 2, 3], 4, work)) seen.push(result);
  };
  await expect(run()).rejects.toThrow('item 2');
  expect(seen).toEqual([0, 1]);
});
