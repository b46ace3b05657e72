import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { ImageLoader, type Loaded, type Loader } from '../../../src/data/loading/loader.js';
import { StreamLoader } from '../../../src/data/loading/streamLoader.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { writeShards } from '../../../src/data/shards/shardsWrite.js';
import { freed, numbers } from '../../training/tiny.js';
import { gappedDataset, lacks } from '../gapped.js';

let folder: string;
let shards: Dataset;
let cached: Loader;
let streamed: Loader;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loader-gaps-'));
  await writeShards(await gappedDataset(folder), join(folder, 'shards'), { shardSize: 5 });
  shards = await openDataset({ path: join(folder, 'shards') });
  cached = new ImageLoader(await openImageCache(shards, { size: 32, root: join(folder, 'cache') }));
  streamed = new StreamLoader(shards, 32);
});
afterAll(() => {
  for (const loader of [cached, streamed]) loader.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function look({ images, present }: Loaded) {
  const entries = Object.entries(images).map(([modality, tensor]) => {
    return [modality, tensor.size(0), numbers(freed(tensor))];
  });
  return { entries, present };
}

test.each([
  ['in order', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
  ['in another order', [7, 3, 6, 10, 0]],
  ['none missing', [8, 0, 4, 2, 10]],
  ['one modality alone', [11, 3, 7]],
  ['one sample', [6]],
] as const)('cached and streamed batches hold the same images: %s', async (_, indices) => {
  await streamed.prepare(indices, indices);
  const [one, other] = [cached, streamed].map((loader) => look(loader.load(indices)));
  expect(one).toEqual(other);
  const gaps = ['a', 'b', 'c'].flatMap((modality) => {
    const places = indices.flatMap((position, place) => (lacks(position, modality) ? [] : [place]));
    return places.length === indices.length ? [] : [[modality, places] as const];
  });
  expect(one!.present).toEqual(gaps.length === 0 ? undefined : Object.fromEntries(gaps));
  expect(one!.entries.map(([modality, count]) => [modality, count])).toEqual(
    ['a', 'b', 'c'].map((modality) => [modality, indices.filter((i) => !lacks(i, modality)).length]),
  );
});

test('a batch has the image of each sample that its place names', () => {
  const all = look(cached.load([...shards.samples.keys()]));
  const some = look(cached.load([7, 6, 8]));
  const plane = (loaded: typeof all, modality: number, place: number) => {
    const [, count, values] = loaded.entries[modality] as [string, number, number[]];
    const size = values.length / count;
    return values.slice(place * size, (place + 1) * size);
  };
  // Sample 6 is the fifth that has `b` or, in the small batch, the first.
  expect(plane(some, 1, 0)).toEqual(plane(all, 1, 5));
  // Sample 8 is the second with `b` there.
  expect(plane(some, 1, 1)).toEqual(plane(all, 1, 6));
  expect(some.present).toEqual({ a: [0, 2], b: [1, 2], c: [1, 2] });
});
