import { join } from 'node:path';
import { openDataset } from '../../src/data/openDataset.js';
import type { Dataset, Sample } from '../../src/data/sample.js';
import { writePairs } from '../training/tiny.js';

/** Tells whether a sample of `gappedDataset` lacks the image: every second one `c`, every fourth `b`, and one `a`. */
export function lacks(position: number, modality: string): boolean {
  if (modality === 'c') return position % 2 === 1;
  return modality === 'b' ? position % 4 === 3 : position === 6;
}

/** Writes PNG files of three modalities, `b` in colour. @returns the data set without a gap */
export async function threeModalities(folder: string, pairs = 12, perSubject = 2): Promise<Dataset> {
  const dataset = await openDataset({ path: await writePairs(join(folder, 'ab'), { pairs, perSubject }) });
  const third = await openDataset({
    path: await writePairs(join(folder, 'c'), { pairs, perSubject, salt: () => 1 }),
  });
  const samples = dataset.samples.map((sample, i) => ({
    ...sample,
    images: { ...sample.images, c: third.samples[i]!.images.a! },
  }));
  return { ...dataset, modalities: ['a', 'b', 'c'], samples };
}

/** The same files with gaps: of 12 samples 10 of the 36 images are missing, and three samples have `a` alone. */
export async function gappedDataset(folder: string, pairs = 12, perSubject = 2): Promise<Dataset> {
  return withGaps(await threeModalities(folder, pairs, perSubject), lacks);
}

/** Takes images away. */
export function withGaps(dataset: Dataset, gone: (position: number, modality: string) => boolean): Dataset {
  const samples = dataset.samples.map(
    (sample, i): Sample => ({
      ...sample,
      images: Object.fromEntries(Object.entries(sample.images).filter(([modality]) => !gone(i, modality))),
    }),
  );
  return { ...dataset, samples };
}
