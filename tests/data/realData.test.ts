import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findDuplicates } from '../../src/data/audit/measures/duplicates.js';
import { readSampleImage } from '../../src/data/images/readSampleImage.js';
import { openImageCache } from '../../src/data/loading/imageCache.js';
import { openDataset } from '../../src/data/openDataset.js';
import type { Dataset, FileSource } from '../../src/data/sample.js';
import { makeSplits } from '../../src/data/splits/splits.js';

const data = fileURLToPath(new URL('../../../shared/data', import.meta.url));
const absent = !existsSync(data);

function read(file: string) {
  const a = { kind: 'file', path: join(data, file) } as const;
  return readSampleImage({}, { id: file, subject: file, images: { a } }, 'a', 224);
}

describe.skipIf(absent)(`real data${absent ? ` (skipped: ${data} is absent)` : ''}`, () => {
  it('lgg-mri core has 1866 pairs of 80 patients, 953 with tumor, in five even folds', async () => {
    const dataset = await openDataset({ path: join(data, 'lgg-mri/manifest-core.csv') });
    expect(dataset).toMatchObject({ name: 'manifest-core', modalities: ['a', 'b'], positive: 'tumor' });
    expect(dataset.samples).toHaveLength(1866);
    expect(new Set(dataset.samples.map(({ subject }) => subject)).size).toBe(80);
    expect(dataset.samples.filter(({ label }) => label === 'tumor')).toHaveLength(953);

    const { folds } = makeSplits(dataset, { folds: 5, seed: 0 });
    for (let fold = 0; fold < 5; fold += 1) {
      const inFold = dataset.samples.filter(({ id }) => folds[id] === fold);
      const tumors = inFold.filter(({ label }) => label === 'tumor').length;
      expect(Math.abs(inFold.length - 1866 / 5)).toBeLessThan(4);
      expect(Math.abs(tumors - 953 / 5)).toBeLessThan(5);
    }
  });

  it('lgg-mri core is cached with one channel, at its own size if more is asked for', async () => {
    const root = mkdtempSync(join(tmpdir(), 'real-cache-'));
    try {
      const dataset = await openDataset({ path: join(data, 'lgg-mri/manifest-core.csv') });
      const few = { ...dataset, samples: dataset.samples.slice(0, 20) };
      const cache = await openImageCache(few, { size: 448, root });
      expect(cache).toMatchObject({ size: 256, count: 20 });
      expect(Object.values(cache.modalities).map(({ channels }) => channels)).toEqual([1, 1]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('iChallenge-PM, BUSI and lgg-mri images are what their folders say', async () => {
    const folders: [folder: string, size: readonly [number, number] | undefined, channels: 1 | 3][] = [
      ['iChallenge-PM/PALM-Training400/PALM-Training400', [224, 224], 3],
      ['Dataset_BUSI_with_GT/benign', undefined, 1],
      ['Dataset_BUSI_with_GT/malignant', undefined, 1],
      ['Dataset_BUSI_with_GT/normal', undefined, 1],
      ['lgg-mri/flair', [256, 256], 1],
      ['lgg-mri/t1c', [256, 256], 1],
      ['lgg-mri/mask', [256, 256], 1],
    ];
    for (const [folder, size, channels] of folders) {
      const files = readdirSync(join(data, folder)).sort();
      expect(files.length).toBeGreaterThan(100);
      for (const file of [files[0]!, files[Math.floor(files.length / 2)]!, files.at(-1)!]) {
        const image = await read(join(folder, file));
        expect(image.channels, file).toBe(channels);
        expect(image.data).toHaveLength(image.width * image.height * channels);
        if (size !== undefined) expect([image.width, image.height], file).toEqual(size);
        if (folder.includes('mask') || file.includes('_mask')) {
          for (const value of new Set(image.data)) expect([0, 255], file).toContain(value);
        }
      }
    }
  });

  it('BUSI has 647 images of two classes, 780 of three, and no mask among them', async () => {
    const path = join(data, 'Dataset_BUSI_with_GT');
    const two = await openDataset({ path });
    expect(two).toMatchObject({ name: 'BUSI', modalities: ['a'], positive: 'malignant' });
    const three = await openDataset({ path, classes: ['benign', 'malignant', 'normal'] });
    const counts = ({ samples }: Dataset) =>
      ['benign', 'malignant', 'normal'].map((name) => samples.filter(({ label }) => label === name).length);
    expect([counts(two), counts(three)]).toEqual([
      [437, 210, 0],
      [437, 210, 133],
    ]);
    expect(three.published!.counts).toEqual({ benign: 437, malignant: 210, normal: 133 });
    const files = three.samples.map(({ images }) => (images.a as FileSource).path);
    expect(files.filter((file) => file.includes('_mask'))).toEqual([]);
    expect(new Set(files).size).toBe(780);
  });

  it('iChallenge-PM has 213 of 400 images with pathologic myopia, by the outer or the inner folder', async () => {
    const path = join(data, 'iChallenge-PM');
    const outer = await openDataset({ path });
    expect(outer).toMatchObject({ name: 'iChallenge-PM', positive: 'PM' });
    const letters = outer.samples.map(({ extra, label }) => `${extra!.letter} ${label}`);
    const count = (letter: string) => letters.filter((one) => one === letter).length;
    expect(['P PM', 'H non-PM', 'N non-PM'].map(count)).toEqual([213, 26, 161]);
    const inner = await openDataset({ path: join(path, 'PALM-Training400/PALM-Training400') });
    expect(inner.samples).toEqual(outer.samples);
  });

  it('iChallenge-PM keeps its exact duplicates in one fold', async () => {
    const dataset = await openDataset({ path: join(data, 'iChallenge-PM') });
    const duplicates = await findDuplicates(dataset);
    for (let seed = 0; seed < 3; seed += 1) {
      const { folds, groups } = makeSplits(dataset, { seed, duplicates });
      expect(folds.P0014).toBe(folds.P0072);
      expect(groups.P0014).toBe(groups.P0072);
    }
  });

  it('BUSI images come out gray where they are saved as RGB, and masks where they are saved as RGBA', async () => {
    const scan = await read('busi-originals/benign/benign (54).png');
    expect(scan).toMatchObject({ width: 616, height: 468, channels: 1 });
    const mask = await read('busi-originals/benign/benign (54)_mask_1.png');
    expect(mask.channels).toBe(1);
    expect(new Set(mask.data)).toEqual(new Set([0, 255]));
  });
});
