import { DataError } from '../../errors.js';
import { readSampleImage } from '../images/readSampleImage.js';
import { resize } from '../images/resize.js';
import type { Dataset, Raster, Sample } from '../sample.js';
import { REFERENCE_SIDE, referenceExtent } from './search.js';
import type { Extent } from './transformation.js';

/** Two images as they are registered, with their sizes as they are stored. */
export interface WorkingPair {
  /** Images of one size, the longer side of which is 224: both fill the frame of the first, as in training. */
  readonly a: Raster;
  readonly b: Raster;
  /** The width and height of each as it is stored. */
  readonly frame: Extent;
  readonly of: Extent;
}

/** The least side at which four resolutions hold something to register. */
const LEAST_SIDE = 32;

/** @throws DataError if an image cannot be read, or is a mere strip */
export async function readPair(
  dataset: Pick<Dataset, 'preprocess' | 'maxBytes'>,
  sample: Sample,
  [reference, modality]: readonly [string, string],
): Promise<WorkingPair> {
  const fixed = await readSampleImage(dataset, sample, reference, REFERENCE_SIDE);
  const moving = await readSampleImage(dataset, sample, modality, REFERENCE_SIDE);
  const extent = referenceExtent(fixed);
  const [width, height] = [Math.round(extent.width), Math.round(extent.height)];
  if (Math.min(width, height) < LEAST_SIDE) {
    throw new DataError(
      `is ${fixed.width}×${fixed.height}, too long and narrow to be registered: of a picture of 224 it would be ${width}×${height}, expected ${LEAST_SIDE} pixels or more.`,
    );
  }
  const sizeOf = (image: Raster) => ({ width: image.width, height: image.height });
  return {
    a: resize(fixed, width, height),
    b: resize(moving, width, height),
    frame: sizeOf(fixed),
    of: sizeOf(moving),
  };
}
