/** Digests of what a data set is, wherever it lies. Runs carry them, so that the same data is recognised. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { hasImage } from '../presence.js';
import type { Dataset, ImageSource } from '../sample.js';

/** The part of decoded images that decides what the data is. */
export interface DecodedImages {
  readonly size: number;
  readonly modalities: readonly {
    readonly name: string;
    readonly channels: 1 | 3;
    /** The digest of all images of the modality, one after the other, zeros where one is missing. */
    readonly sha256: string;
  }[];
}

/**
 * Makes the digest of what the data is (ids, subjects, labels, missing images, pixels), wherever it lies. It is computed on opening
 * and not stored, as labels may be corrected while the images stay the same.
 */
export function dataHash({ size, modalities }: DecodedImages, { samples }: Pick<Dataset, 'samples'>): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([size, modalities.map((m) => [m.name, m.channels, m.sha256])]));
  for (const sample of samples) {
    const { id, subject, label } = sample;
    // An image that is missing is not one that is black.
    const missing = modalities.flatMap(({ name }) => (hasImage(sample, name) ? [] : [name]));
    hash.update(JSON.stringify([id, subject, label ?? null, ...(missing.length === 0 ? [] : [missing])]));
  }
  return hash.digest('hex');
}

/**
 * Makes the digest of streamed data, which is never decoded as a whole. It covers ids, subjects, labels, size,
 * preprocessing and two facts of each image: the told half of its source digest, and its length. Other programs'
 * shards tell no digest; the name and length of the file in its shard, and the shard's length and time of change,
 * stand in for it.
 */
export async function streamHash(dataset: Dataset, size: number): Promise<string> {
  const { modalities, preprocess = {}, samples } = dataset;
  const hash = createHash('sha256').update(JSON.stringify([size, modalities, preprocess]));
  const shards = new Map<string, readonly number[]>();
  for (const sample of samples) {
    const images: unknown[] = [];
    for (const modality of modalities) {
      const source = sample.images[modality];
      if (source === undefined) {
        images.push(null);
        continue;
      }
      const digest = sample.sourceDigests?.[modality];
      // The digest is that of the source; the length tells shards of another size or crop apart.
      const length = source.kind === 'member' ? source.length : undefined;
      images.push(digest === undefined ? await placeOf(source, shards) : [digest, length]);
    }
    const { id, subject, label } = sample;
    hash.update(JSON.stringify([id, subject, label ?? null, images]));
  }
  return hash.digest('hex');
}

async function placeOf(source: ImageSource, shards: Map<string, readonly number[]>) {
  if (source.kind !== 'member') return source;
  let state = shards.get(source.path);
  if (state === undefined) {
    const { size, mtimeMs } = await stat(source.path);
    state = [size, mtimeMs];
    shards.set(source.path, state);
  }
  return [source.name, source.length, ...state];
}
