import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import type { GeneratedSource } from '../../../src/data/sample.js';
import { MessageConsole } from '../../../src/log/console.js';
import { contactSheet, type Preview, preview, tileSide } from '../../../src/report/source/preview.js';
import { gapped, packed } from '../../evaluation/gappedImages.js';
import { Capture } from '../../log/capture.js';
import { undisposedTensors } from '../../tensor/undisposed.js';
import { writePairs } from '../../training/tiny.js';

let folder: string;
let shown: Preview;
let leaked: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'preview-'));
  const path = await writePairs(folder, { pairs: 12 });
  const config = resolveConfig({
    // Images are not stored larger than shown, so A must come out as it is in the cache; the mean is taken off and
    // put back.
    set: [
      'data.size=32',
      'data.cacheSize=32',
      'data.normalize=imagenet',
      'method.patches=[2,2]',
      'model.width=1',
    ],
    flags: { 'data.path': path, 'data.cacheFolder': join(folder, 'cache') },
  });
  const before = undisposedTensors();
  shown = await preview(config, { console: new MessageConsole({ stream: new Capture(false) }), pairs: 4 });
  leaked = undisposedTensors() - before;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the preview shows pairs of all classes with the four views, and leaves no tensor behind', () => {
  expect(shown.views).toEqual(['A', 'B', 'Â', 'B̂']);
  expect(shown.pairs).toHaveLength(4);
  expect(new Set(shown.pairs.map(({ label }) => label)).size).toBe(2);
  expect(new Set(shown.pairs.map(({ id }) => id)).size).toBe(4);
  for (const { images } of shown.pairs) {
    expect(images).toHaveLength(4);
    for (const image of images) {
      const { width, height, channels, data } = image!;
      expect([width, height]).toEqual([32, 32]);
      expect(data).toHaveLength(32 * 32 * channels);
    }
    expect(images[2]!.data).not.toEqual(images[0]!.data);
  }
  // Below 0 where the collector took what another file of this worker had left.
  expect(leaked).toBeLessThanOrEqual(0);
});

test('A is the image on disk, made smaller', async () => {
  for (const { id, images } of shown.pairs) {
    const stored = await sharp(join(folder, 'images', `a${id.slice('pair-'.length)}.png`))
      .greyscale()
      .raw()
      .toBuffer();
    expect(mean(images[0]!.data)).toBeCloseTo(mean(stored), -1);
  }
});

test('the sheet has a row for each pair, pixels enlarged by a whole factor, and letters at the side', async () => {
  const png = sharp(await contactSheet(shown));
  const tile = tileSide(32);
  expect(tile % 32).toBe(0);
  const { data, info } = await png.raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([150 + 4 * (tile + 10), 34 + 4 * (tile + 10)]);
  const factor = tile / 32;
  const at = (x: number, y: number) => data[(y * info.width + x) * info.channels];
  shown.pairs.forEach(({ images }, row) => {
    images.forEach((image, column) => {
      const { channels, data: pixels } = image!;
      for (const [x, y] of [
        [0, 0],
        [31, 0],
        [7, 20],
        [31, 31],
      ] as const) {
        const [left, top] = [150 + column * (tile + 10) + x * factor, 34 + row * (tile + 10) + y * factor];
        const pixel = pixels[(y * 32 + x) * channels];
        expect(at(left, top)).toBe(pixel);
        expect(at(left + factor - 1, top + factor - 1)).toBe(pixel);
      }
    });
  });
  expect(at(info.width - 2, 40)).toBe(255);
});

test('three modalities are shown as A, B and C, each whole and augmented', async () => {
  const third = join(folder, 'three.csv');
  writeFileSync(third, 'id,a,b,c\n1,images/a1.png,images/b1.png,images/a2.png\n');
  const { views, pairs } = await preview(
    resolveConfig({
      set: [
        `data.path=${third}`,
        'data.columns.c=c',
        'data.size=64',
        `data.cacheFolder=${join(folder, 'cache-three')}`,
      ],
    }),
    { console: new MessageConsole({ stream: new Capture(false) }) },
  );
  expect(views).toEqual(['A', 'B', 'C: c', 'Â', 'B̂', 'Ĉ: c']);
  expect(pairs[0]!.images).toHaveLength(6);
});

test('an error comes before any image is decoded where nothing can be shown', async () => {
  const cacheFolder = join(folder, 'untouched');
  const shownBy = (...set: string[]) =>
    preview(
      resolveConfig({
        set: [
          `data.path=${join(folder, 'manifest.csv')}`,
          'data.size=64',
          `data.cacheFolder=${cacheFolder}`,
          ...set,
        ],
      }),
      { console: new MessageConsole({ stream: new Capture(false) }) },
    );
  await expect(shownBy('data.cacheSize=32')).rejects.toThrow('data.cacheSize is 32, less than data.size 64');
  await expect(shownBy('method.patches=[16,16]')).rejects.toThrow('16×16 on map');
  expect(existsSync(cacheFolder)).toBe(false);
});

function mean(values: Uint8Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test('a sample that lacks an image has a gap in its row, in the preview and on the sheet', async () => {
  const three = gapped(['flair', 't1', 't1c'], 4, (modality, i) => modality === 'flair' || i % 2 === 0);
  const path = await packed(join(folder, 'three'), 'three', three);
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.25', 'method.maps=[1,2,3]', 'method.patches=[2,2]'],
    flags: { 'data.path': path, 'data.cacheFolder': join(folder, 'cache') },
  });
  const console = new MessageConsole({ stream: new Capture(false) });
  const found = await preview(config, { console, pairs: 8 });
  expect(found.views).toEqual(['A: flair', 'B: t1', 'C: t1c', 'Â: flair', 'B̂: t1', 'Ĉ: t1c']);
  for (const { id, images } of found.pairs) {
    const complete = Number(id.slice(1)) % 2 === 0;
    const there = ['flair', 't1', 't1c'].map((modality) => modality === 'flair' || complete);
    expect(images.map((image) => image !== undefined)).toEqual([...there, ...there]);
    // The first view is the image as it is.
    const source = three.samples[Number(id.slice(1))]!.images.flair as GeneratedSource;
    expect(images[0]!.data).toEqual(source.render(32).data);
  }
  const { height } = await sharp(await contactSheet(found)).metadata();
  expect(height).toBe(34 + 8 * (tileSide(32) + 10));
});
