import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { ImageLoader } from '../../../src/data/loading/loader.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { openPack, packMetadata } from '../../../src/data/pack/pack.js';
import { writePack } from '../../../src/data/pack/packWrite.js';
import type { Dataset } from '../../../src/data/sample.js';
import { identityHash, imagesKey, sourceDigests } from '../../../src/data/sourceDigest.js';
import { readSafetensorsHeader, writeSafetensors } from '../../../src/export/safetensors.js';
import { freed, numbers, temporaryFolder } from '../../training/tiny.js';
import { drawn, raster } from '../audit/drawnPairs.js';
import { gappedDataset, lacks, threeModalities, withGaps } from '../gapped.js';

let folder: string;
let gapped: Dataset;
let file: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pack-gaps-'));
  gapped = await gappedDataset(folder);
  file = join(folder, 'gapped.safetensors');
  await writePack(gapped, file, { size: 32 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const manifestOf = (pack: string) => JSON.parse(readSafetensorsHeader(pack).metadata['anatomy-pack']!);
const having = ({ samples }: Dataset) => samples.map(({ images }) => Object.keys(images));

async function pixels(dataset: Dataset, root: string, size = 32) {
  const cache = await openImageCache(dataset, { size, root });
  const loaded = freed(new ImageLoader(cache)).load([...dataset.samples.keys()]);
  const images = Object.entries(loaded.images).map(([name, tensor]) => [name, numbers(freed(tensor))]);
  return { images, present: loaded.present, dataHash: cache.dataHash };
}

test('a pack with gaps gives back the images that the samples have, without a copy, under the same hash', async () => {
  const root = temporaryFolder();
  const packed = await openDataset({ path: file });
  expect(having(packed)).toEqual(having(gapped));
  const found = await pixels(packed, root);
  expect(readdirSync(root)).toEqual([]);
  expect(found).toEqual(await pixels(gapped, root));
});

test('a pack with gaps has the same bytes when it is made again', async () => {
  const again = join(temporaryFolder(), 'gapped.safetensors');
  await writePack(gapped, again, { size: 32 });
  expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
});

test('only a pack with gaps has the version that older readers refuse', async () => {
  const whole = join(temporaryFolder(), 'whole.safetensors');
  await writePack(await threeModalities(folder), whole, { size: 32 });
  expect([manifestOf(whole).version, manifestOf(file).version]).toEqual([1, 2]);
});

test('a pack of a later version is refused with the versions that can be read', () => {
  const later = join(temporaryFolder(), 'later.safetensors');
  const tensors = new Map([['a', { dtype: 'U8' as const, shape: [1], data: new Uint8Array(1) }]]);
  writeSafetensors(later, tensors, packMetadata({ ...manifestOf(file), version: 3 }));
  expect(() => openPack(later)).toThrow(/not one of version 1 or 2/);
});

test('a pack without gaps has the bytes that it had before samples could lack images', async () => {
  const samples = [
    { id: 'one', subject: 'p', label: 'x' },
    { id: 'two', subject: 'q' },
  ].map((sample, i) => ({
    ...sample,
    images: Object.fromEntries(
      ['a', 'b'].map((modality) => [modality, { ...drawn(raster(2, 2, () => 9)), key: `${modality}${i}` }]),
    ),
  })) as Dataset['samples'];
  const golden: Dataset = { name: 'golden', modalities: ['a', 'b'], samples };
  const folder = temporaryFolder();
  const digest = async (pseudonyms: boolean) => {
    const target = join(folder, `${pseudonyms}.safetensors`);
    await writePack(golden, target, { size: 4, pseudonyms });
    return createHash('sha256').update(readFileSync(target)).digest('hex');
  };
  expect([await digest(false), await digest(true)]).toEqual([
    '894a0cf5eeba69fcaf71d5872e712ccb8bca648821f1b3464a76ba43b0c0a053',
    '318abcc8f79f3a82be6589027e0cceb914da402598498f6d88186547d9beab58',
  ]);
  expect(await imagesKey(samples)).toBe('91a2377697f48d71fa4e049fb6bedd3c47c12c242a9901475c6b37326b58cebd');
});

test('a sample gone from the middle, or its image, leaves the others their images', async () => {
  const root = temporaryFolder();
  const packed = openPack(file);
  const without = (dataset: Dataset): Dataset => ({
    ...dataset,
    samples: dataset.samples.filter((_, i) => i !== 5 && i !== 6),
  });
  expect(await pixels(without(packed), root)).toEqual(await pixels(without(gapped), root));
  const fewer = (dataset: Dataset) =>
    withGaps(dataset, (i, modality) => lacks(i, modality) || (i === 4 && modality === 'a'));
  expect(await pixels(fewer(packed), root)).toEqual(await pixels(fewer(gapped), root));
  // The samples before the gap alone, which are complete up to the second.
  const first = (dataset: Dataset): Dataset => ({ ...dataset, samples: dataset.samples.slice(0, 1) });
  expect(await pixels(first(packed), root)).toEqual(await pixels(first(gapped), root));
});

test('a pack with gaps goes through the cache at a smaller size', async () => {
  const packed = openPack(file);
  const { present } = await pixels(packed, temporaryFolder(), 16);
  expect(present!.b).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10]);
});

async function digestsOf({ samples }: Dataset) {
  const digests: Readonly<Record<string, string>>[] = [];
  for await (const found of sourceDigests(samples)) digests.push(found);
  return digests;
}

test('digests name the images that are there, and the keys made of them know which is missing', async () => {
  const digests = await digestsOf(gapped);
  expect(digests.map((one) => Object.keys(one))).toEqual(having(gapped));
  const whole = await threeModalities(folder);
  expect(await imagesKey(gapped.samples)).not.toBe(await imagesKey(whole.samples));
  expect(identityHash(gapped, digests)).not.toBe(identityHash(whole, await digestsOf(whole)));
  // The same file under another modality is another data set.
  const moved = gapped.samples.map((sample, i) =>
    i === 3 ? { ...sample, images: { b: sample.images.a! } } : sample,
  );
  expect(await imagesKey(moved)).not.toBe(await imagesKey(gapped.samples));
});

test('pseudonyms hide ids in a pack with gaps, and keep what belongs together', async () => {
  const hidden = join(temporaryFolder(), 'hidden.safetensors');
  await writePack(gapped, hidden, { size: 32, pseudonyms: true });
  expect(readFileSync(hidden, 'latin1')).not.toMatch(/pair-|patient-/);
  const { samples, ...rest } = openPack(hidden);
  expect(having({ samples, ...rest })).toEqual(having(gapped));
  expect(new Set(samples.map(({ subject }) => subject)).size).toBe(6);
});
