import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { quickAudit, quickWarnings } from '../../../src/data/audit/quickAudit.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { openPack } from '../../../src/data/pack/pack.js';
import { writePack } from '../../../src/data/pack/packWrite.js';
import type { Dataset } from '../../../src/data/sample.js';
import { drawnDataset, raster, spots } from './drawnPairs.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'quick-audit-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const black = raster(32, 32, (x) => x % 2);
const picture = (key: string) => spots(key, 32);

function labelled(dataset: Dataset, labels: readonly (string | undefined)[]): Dataset {
  return {
    ...dataset,
    samples: dataset.samples.map((sample, i) => {
      const images = Object.fromEntries(
        Object.entries(sample.images).map(([name, source]) => [
          name,
          { ...source, key: `${dataset.name}/${i}/${name}` },
        ]),
      ) as typeof sample.images;
      return { ...sample, images, ...(labels[i] === undefined ? {} : { label: labels[i] }) };
    }),
  };
}

const dataset = labelled(
  drawnDataset([
    { images: { a: picture('1'), b: picture('2') } },
    { images: { a: picture('1'), b: picture('3') } },
    { images: { a: picture('4'), b: picture('2') } },
    { images: { a: picture('5'), b: picture('5') } },
    { images: { a: picture('6'), b: black } },
    { images: { a: black, b: picture('7') } },
    { images: { a: picture('8'), b: picture('9') } },
  ]),
  ['benign', 'malignant', 'benign'],
);

it('the quick audit finds blank, repeated, contradicting and equal images in the cache', async () => {
  const cache = await openImageCache(dataset, { size: 32, root });
  const found = await quickAudit(dataset, cache, root);
  expect(found).toEqual({
    blank: 2,
    repeats: [
      [1, 0],
      [2, 0],
    ],
    contradictions: 1,
    same: 1,
    narrow: [],
  });
  expect(quickWarnings(found)).toEqual([
    '2 samples have a blank image; anatomy data check tells which',
    '2 samples repeat an image of another, to the pixel; anatomy data check tells which',
    '1 of these has another class; anatomy data check tells which',
    '1 sample has one image for two modalities; anatomy data check tells which',
  ]);
});

it('the quick audit finds the same in a pack, where all modalities lie in one file', async () => {
  const folder = join(root, 'packed');
  mkdirSync(folder);
  const file = join(folder, 'pairs.safetensors');
  await writePack(dataset, file, { size: 32 });
  const packed = openPack(file);
  const cache = await openImageCache(packed, { size: 32, root: folder });
  const cached = await openImageCache(dataset, { size: 32, root });
  expect(await quickAudit(packed, cache, folder)).toEqual(await quickAudit(dataset, cached, root));
});

it('the quick audit keeps its findings in the folder of all caches, and looks again when they are damaged', async () => {
  const cache = await openImageCache(dataset, { size: 32, root });
  const first = await quickAudit(dataset, cache, root);
  const file = join(root, 'audits', `${cache.dataHash}.json`);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(first);
  writeFileSync(file, JSON.stringify({ ...first, blank: 99 }));
  expect((await quickAudit(dataset, cache, root)).blank).toBe(99);
  for (const damaged of [
    '{',
    'null',
    '{"blank":1}',
    '{"blank":0,"duplicates":0,"contradictions":0,"same":0}',
  ]) {
    writeFileSync(file, damaged);
    expect(await quickAudit(dataset, cache, root)).toEqual(first);
  }
});

it('no warning is given where nothing is wrong', () => {
  expect(quickWarnings({ blank: 0, repeats: [], contradictions: 0, same: 0, narrow: [] })).toEqual([]);
});

it('warnings tell of repeated images in different folds, and of those only', () => {
  const audit = {
    blank: 0,
    repeats: [
      [1, 0],
      [2, 0],
      [5, 4],
      [7, 6],
    ] as [number, number][],
    contradictions: 0,
    same: 0,
    narrow: [],
  };
  const foldAt = (position: number) => [0, 0, 1, 1, 2, 3, undefined, 1][position];
  expect(quickWarnings(audit, foldAt).slice(1)).toEqual([
    '2 of the repeated images lie in another fold than the first, so test images are seen in training; anatomy data split keeps them together',
  ]);
  expect(quickWarnings(audit)).toHaveLength(1);
});
