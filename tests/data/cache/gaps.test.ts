import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quickAudit, quickWarnings } from '../../../src/data/audit/quickAudit.js';
import { chooseSize } from '../../../src/data/cache/cacheBuild.js';
import { cacheKey } from '../../../src/data/cache/cacheKey.js';
import { dataHash, streamHash } from '../../../src/data/cache/dataHash.js';
import type { ImageCache } from '../../../src/data/cache/decodedImages.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import type { Dataset } from '../../../src/data/sample.js';
import { temporaryFolder } from '../../training/tiny.js';
import { drawn, drawnDataset, raster, spots } from '../audit/drawnPairs.js';
import { gappedDataset, lacks, threeModalities, withGaps } from '../gapped.js';

let folder: string;
let gapped: Dataset;
let cache: ImageCache;
const progress: [number, number][] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cache-gaps-'));
  gapped = await gappedDataset(folder);
  const root = join(folder, 'cache');
  cache = await openImageCache(gapped, {
    size: 32,
    root,
    onProgress: (done, total) => progress.push([done, total]),
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a cache has zeros in the place of a missing image, and the images that are there as without gaps', async () => {
  const complete = await openImageCache(await threeModalities(folder), {
    size: 32,
    root: join(folder, 'cache'),
  });
  expect(complete.present).toBeUndefined();
  expect(cache.present).toEqual({
    a: [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11],
    b: [0, 1, 2, 4, 5, 6, 8, 9, 10],
    c: [0, 2, 4, 6, 8, 10],
  });
  for (const [modality, { file, channels }] of Object.entries(cache.modalities)) {
    const bytes = 32 * 32 * channels;
    const [own, whole] = [readFileSync(file), readFileSync(complete.modalities[modality]!.file)];
    expect([own.length, whole.length]).toEqual([12 * bytes, 12 * bytes]);
    for (let i = 0; i < 12; i += 1) {
      const plane = (all: Buffer) => all.subarray(i * bytes, (i + 1) * bytes);
      expect(plane(own).equals(lacks(i, modality) ? Buffer.alloc(bytes) : plane(whole))).toBe(true);
    }
  }
});

test('progress counts the images that are there', () => {
  expect(progress.length).toBe(26);
  expect(progress.at(-1)).toEqual([26, 26]);
});

test('the size is chosen by the images that are there', async () => {
  const large = drawnDataset([{ images: { a: spots('1', 64) } }]);
  expect(
    await chooseSize(
      withGaps(gapped, (i) => i === 0),
      64,
    ),
  ).toBe(40);
  expect(await chooseSize({ ...large, modalities: ['b', 'a'] }, 64)).toBe(64);
});

test('a missing image is not a black one: key and hash tell them apart, and change when a gap is filled', async () => {
  const black = drawn(raster(32, 32, () => 0));
  const [first, second] = drawnDataset([0, 1].map((i) => ({ images: { a: spots(`${i}`, 32) } }))).samples;
  const data = (b?: typeof black): Dataset => ({
    name: 'drawn',
    modalities: ['a', 'b'],
    samples: [first!, { ...second!, images: { ...second!.images, ...(b && { b }) } }],
  });
  const [missing, filled] = [data(), data(black)];
  expect(await cacheKey(missing, 32)).not.toBe(await cacheKey(filled, 32));
  const root = temporaryFolder();
  const opened = [
    await openImageCache(missing, { size: 32, root }),
    await openImageCache(filled, { size: 32, root }),
  ];
  expect(opened[0]!.modalities.b!.file).not.toBe(opened[1]!.modalities.b!.file);
  const planes = opened.map(({ modalities }) => readFileSync(modalities.b!.file));
  expect(planes[0]!.equals(planes[1]!)).toBe(true);
  expect(opened[0]!.dataHash).not.toBe(opened[1]!.dataHash);
  expect(await streamHash(missing, 32)).not.toBe(await streamHash(filled, 32));
  // Which of two images is missing matters too.
  const other = withGaps(gapped, (i, modality) => i === 0 && modality === 'b');
  const another = withGaps(gapped, (i, modality) => i === 0 && modality === 'c');
  expect(await cacheKey(other, 32)).not.toBe(await cacheKey(another, 32));
  const decoded = {
    size: 1,
    modalities: ['a', 'b', 'c'].map((name) => ({ name, channels: 1 as const, sha256: '' })),
  };
  expect(dataHash(decoded, other)).not.toBe(dataHash(decoded, another));
});

/** Digests that the program made before samples could lack images. */
test('complete data keep the hashes that runs have stored', async () => {
  const samples = [
    { id: 'one', subject: 'p', label: 'x' },
    { id: 'two', subject: 'q' },
  ].map((sample, i) => ({
    ...sample,
    images: Object.fromEntries(
      ['a', 'b'].map((modality) => [modality, { ...drawn(raster(2, 2, () => 9)), key: `${modality}${i}` }]),
    ),
  })) as Dataset['samples'];
  const dataset: Dataset = { name: 'golden', modalities: ['a', 'b'], samples };
  const modalities = ['a', 'b'].map((name) => ({ name, channels: 1 as const, sha256: name.repeat(8) }));
  expect(dataHash({ size: 32, modalities }, dataset)).toBe(
    '4845c1da5aa01e6c7f44b867411ad193ec23cc3d0596f293c6c96d785c1c2cc7',
  );
  expect(await streamHash(dataset, 32)).toBe(
    'c0e227ab0c9138ef2eaf8441f94388d9ed3a8335edca654478aab9e397a213f8',
  );
});

test('the look before a run takes a gap neither for a blank image, nor a copy, nor the same image', async () => {
  const dark = withGaps(gapped, (i, modality) => lacks(i, modality) || (modality === 'a' && i < 4));
  for (const data of [gapped, dark]) {
    const opened = await openImageCache(data, { size: 32, root: join(folder, 'cache') });
    const found = await quickAudit(data, opened, temporaryFolder());
    expect(found).toEqual({ blank: 0, repeats: [], contradictions: 0, same: 0, narrow: [] });
    expect(quickWarnings(found)).toEqual([]);
  }
});

test('the look before a run finds a blank image, a copy and the same image beside gaps, in any modality', async () => {
  const image = (key: string) => drawn(spots(key, 32));
  const [one, two] = [image('one'), image('two')];
  const make = (i: number, images: Record<string, ReturnType<typeof drawn>>) => ({
    id: `s${i}`,
    subject: `p${i}`,
    images,
  });
  const data: Dataset = {
    name: 'drawn',
    modalities: ['a', 'b', 'c'],
    samples: [
      make(0, { b: one, c: one }),
      make(1, { a: image('three'), c: drawn(raster(32, 32, () => 0)) }),
      make(2, { a: two }),
      make(3, { a: two, b: image('four') }),
    ],
  };
  const root = temporaryFolder();
  expect(await quickAudit(data, await openImageCache(data, { size: 32, root }), root)).toEqual({
    blank: 1,
    repeats: [[3, 2]],
    contradictions: 0,
    same: 1,
    narrow: [],
  });
});
