/** Decodes the images of single samples, for data that is streamed instead of cached. */
import { planes } from '../cache/planeFile.js';
import { readSquareImage } from '../images/readSampleImage.js';
import { hasImage } from '../presence.js';
import type { Dataset, Sample } from '../sample.js';

/** One image in the layout of tensors: uint8 `[channels, S, S]`. */
export interface PlanarImage {
  readonly channels: 1 | 3;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** The images that a sample has by modality, all of one side. */
export type PlanarImages = Readonly<Record<string, PlanarImage>>;

/** The part of a data set that the decoder needs. It can be sent to another thread. */
export type DecodedData = Pick<Dataset, 'modalities' | 'preprocess' | 'maxBytes'>;
export type DecodedSample = Pick<Sample, 'id' | 'subject' | 'images' | 'origin'>;

/** The number of samples that are decoded at once: enough to keep libuv's threads busy, few enough for memory. */
const AT_ONCE = 4;

/**
 * Decodes samples to squares of one side, as the cache holds them, a few at a time and in the order in which they are
 * asked for.
 */
export class PairDecoder {
  readonly #data: DecodedData;
  readonly #size: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(data: DecodedData, size: number) {
    this.#data = data;
    this.#size = size;
  }

  /** @throws DataError if an image cannot be read */
  async decode(sample: DecodedSample): Promise<PlanarImages> {
    if (this.#running >= AT_ONCE) await new Promise<void>((start) => this.#waiting.push(start));
    else this.#running += 1;
    try {
      const images: Record<string, PlanarImage> = {};
      for (const modality of this.#data.modalities) {
        if (!hasImage(sample, modality)) continue;
        const image = await readSquareImage(this.#data, sample, modality, this.#size);
        images[modality] = { channels: image.channels, data: planes(image, image.channels) };
      }
      return images;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
