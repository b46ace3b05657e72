import { closeSync, openSync, readSync } from 'node:fs';
import type { CachedModality, ImageCache } from '../../data/cache/decodedImages.js';
import { resizeValues } from '../../data/images/resize.js';
import { type Features, featureRows, joinColumns } from '../../metrics/features/features.js';
import { modalityKey, modalitySets } from '../results/modalitySets.js';
import type { Representations } from './representations.js';

/** The side of a thumbnail in pixels. */
export const THUMBNAIL = 12;

/** Shrinks the images at `positions` to gray thumbnails, values 0 … 1. The keys are `pixels/a`, `pixels/a+b`, …. */
export function thumbnails(cache: ImageCache, positions: readonly number[]): Representations {
  const modalities = Object.keys(cache.modalities);
  const pixels = new Map(
    modalities.map((modality) => [modality, shrunken(cache.modalities[modality]!, cache.size, positions)]),
  );
  return new Map(
    modalitySets(modalities).map((set) => [
      `pixels/${modalityKey(set)}`,
      joinColumns(set.map((modality) => pixels.get(modality)!)),
    ]),
  );
}

function shrunken(
  { file, offset, channels }: CachedModality,
  size: number,
  positions: readonly number[],
): Features {
  const columns = THUMBNAIL ** 2;
  const data = new Float32Array(positions.length * columns);
  const plane = size * size;
  const image = new Uint8Array(channels * plane);
  const handle = openSync(file, 'r');
  try {
    for (const [row, position] of positions.entries()) {
      readSync(handle, image, 0, image.length, offset + position * image.length);
      const gray = channels === 1 ? image : luma(image, plane);
      const source = { width: size, height: size, channels: 1 };
      const small = resizeValues(gray, source, THUMBNAIL, THUMBNAIL);
      for (let j = 0; j < columns; j += 1) data[row * columns + j] = small[j]! / 255;
    }
  } finally {
    closeSync(handle);
  }
  return featureRows(data, positions.length, columns);
}

/**
 * Gray values by ITU-R BT.601, as in Pillow's `convert('L')` but not rounded. @param image three planes of `plane`
 * pixels each
 */
function luma(image: Uint8Array, plane: number): Float64Array {
  return Float64Array.from(
    { length: plane },
    (_, i) => 0.299 * image[i]! + 0.587 * image[plane + i]! + 0.114 * image[2 * plane + i]!,
  );
}
