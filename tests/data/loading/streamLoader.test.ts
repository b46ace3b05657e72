import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { type BatchPlan, batchAt, heldAt, ImageLoader } from '../../../src/data/loading/loader.js';
import { StreamLoader } from '../../../src/data/loading/streamLoader.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { writeShards } from '../../../src/data/shards/shardsWrite.js';
import { DataError } from '../../../src/errors.js';
import { tidy } from '../../../src/tensor/index.js';
import { freed, numbers, temporaryFolder, writePairs } from '../../training/tiny.js';

const PAIRS = 40;
let folder: string;
let dataset: Dataset;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stream-'));
  const original = await openDataset({ path: await writePairs(folder, { pairs: PAIRS }) });
  await writeShards(original, join(folder, 'shards'), { shardSize: 6 });
  dataset = await openDataset({ path: join(folder, 'shards') });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('streamed pixels are the cached ones, in an order of their own, and memory stays within the buffer', async () => {
  const cache = await openImageCache(dataset, { size: 32, root: temporaryFolder() });
  const cached = freed(new ImageLoader(cache));
  const stream = freed(new StreamLoader(dataset, 32));
  const indices = dataset.samples.map((_, position) => position).filter((position) => position % 5 !== 0);
  const shards = indices.map((position) => Math.floor(position / 6));
  const plan: BatchPlan = {
    indices,
    batchSize: 4,
    dropLast: false,
    seed: 0,
    stream: { shards, buffer: 8 },
  };
  const met: number[] = [];
  // From the middle of an epoch into the next, as a resumed run does.
  for (let step = 3; step < 18; step += 1) {
    const { indices } = batchAt(plan, step);
    await stream.prepare(indices, heldAt(plan, step));
    expect(stream.holding).toBeLessThanOrEqual(8 + 2 * 4);
    // A look at other samples, which a monitor takes, gives up nothing of what is held.
    if (step % 4 === 0) {
      await stream.prepare([0, 5]);
      const [streamed, kept] = tidy(() =>
        [stream, cached].map((loader) => numbers(loader.load([0]).images.a!)),
      );
      expect(streamed).toEqual(kept);
    }
    const [one, other] = tidy(() =>
      [stream, cached].map((loader) => Object.values(loader.load(indices).images).map(numbers)),
    );
    expect(one).toEqual(other);
    met.push(...indices);
  }
  const cachedOrder = batchAt({ ...plan, stream: undefined }, 3).indices;
  expect(met.slice(0, 4)).not.toEqual(cachedOrder);
});

test('an image that was not prepared cannot be asked for', () => {
  const stream = freed(new StreamLoader(dataset, 32));
  expect(() => stream.load([3])).toThrow('sample 3 is not prepared');
});

test('a damaged image stops the run when its turn comes, and names its shard', async () => {
  const bent = temporaryFolder();
  const source = dataset.samples[7]!.images.a!;
  if (source.kind !== 'member') throw new Error('expected a member');
  const bytes = readFileSync(source.path);
  bytes.fill(0, source.offset + 40, source.offset + source.length);
  const path = join(bent, 'bent.tar');
  writeFileSync(path, bytes);
  const samples = dataset.samples.map((sample, i) =>
    i === 7 ? { ...sample, images: { ...sample.images, a: { ...source, path } } } : sample,
  );
  const stream = freed(new StreamLoader({ ...dataset, samples }, 32));
  await stream.prepare([6], [6, 7, 8]);
  await stream.prepare([8], [7, 8, 9]);
  await expect(stream.prepare([7], [7])).rejects.toThrow(DataError);
  await expect(stream.prepare([7], [7])).rejects.toThrow(/bent\.tar: 000007\.a\.png/);
});
