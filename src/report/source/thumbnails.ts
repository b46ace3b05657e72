import sharp from 'sharp';
import { readSampleImage } from '../../data/images/readSampleImage.js';
import { hasImage } from '../../data/presence.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { DataError } from '../../errors.js';

export interface ShownPicture {
  readonly modality: string;
  /** A JPEG file; undefined where the image cannot be read or must not be shown. */
  readonly jpeg?: Uint8Array;
}

/** The side of a thumbnail, in pixels. */
const SIDE = 192;

/** Reads the images that a sample has as thumbnails. */
export async function thumbnails(dataset: Dataset, sample: Sample): Promise<ShownPicture[]> {
  const modalities = dataset.modalities.filter((modality) => hasImage(sample, modality));
  return Promise.all(
    modalities.map(async (modality) => {
      try {
        const { data, width, height, channels } = await readSampleImage(dataset, sample, modality, SIDE);
        const jpeg = await sharp(data, { raw: { width, height, channels } })
          .resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true })
          .jpeg({ quality: 80 })
          .toBuffer();
        return { modality, jpeg };
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        return { modality };
      }
    }),
  );
}
