import { closeSync, openSync, readSync } from 'node:fs';
import type { CachedModality, ImageCache } from '../../data/cache/decodedImages.js';
import { resizeValues } from '../../data/images/resize.js';
import { type Features, featureRows } from '../../metrics/features/features.js';
import { modalitiesIn, modalityKey } from '../results/modalitySets.js';
import { featuresOfSet, type PresentFeatures, placesWith } from './presentFeatures.js';
import type { Representations } from './representations.js';

/** The side of a thumbnail in pixels. */
export const THUMBNAIL = 12;

/**
 * Shrinks the images at `positions` to gray thumbnails, values 0 … 1, for each set of modalities. The keys are
 * `pixels/a`, `pixels/a+b`, `pixels/any`, …. The rows of samples that lack an image of a set are NaN there.
 */
export function thumbnails(
  cache: ImageCache,
  positions: readonly number[],
  sets: readonly (readonly string[])[],
): Representations {
  const modalities = Object.keys(cache.modalities);
  const used = new Set(sets.flatMap((set) => modalitiesIn(set, modalities)));
  const pixels = new Map(
    [...used].map((modality): [string, PresentFeatures] => {
      const places = placesWith(cache, modality, positions);
      const own = places?.map((place) => positions[place]!) ?? positions;
      return [modality, { features: shrunken(cache.modalities[modality]!, cache.size, own), places }];
    }),
  );
  const partOf = (modality: string) => pixels.get(modality)!;
  return new Map(
    sets.map((set) => [
      `pixels/${modalityKey(set)}`,
      featuresOfSet(set, partOf, modalities, positions.length),
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
