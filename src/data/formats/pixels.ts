import { Distribution, type Values } from './distribution.js';

/**
 * A decoded image before it is cropped and mapped to 8 bits, with the file's own values: row-major, channels
 * interleaved.
 */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Values;
  /** The values of black and white where the format itself fixes them: 8-bit images, 16-bit PNG and TIFF. */
  readonly fullScale?: readonly [black: number, white: number];
  /**
   * Whether low values are bright (DICOM's MONOCHROME1). The mapped image is then inverted; the values stay as they
   * are.
   */
  readonly inverted?: boolean;
  /** The windows through which the file says that its values should be shown, the preferred one first. */
  readonly windows?: readonly FileWindow[];
  /**
   * The values that extremes and percentiles are taken from, where they are not the image itself but a slice's whole
   * volume.
   */
  readonly population?: Distribution;
  /** The areas of an ultrasound screen that show tissue, as a DICOM file declares them. */
  readonly regions?: readonly Box[];
  /** What the file lacks although all of its pixels are there, in words that are the same for all such files. */
  readonly note?: string;
}

export interface ValuesConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): Values;
}

export type FileWindow =
  /** A map that is linear between `low` and `high`, and clipped outside. */
  | { readonly kind: 'linear'; readonly low: number; readonly high: number }
  /** The map 1 / (1 + exp(−4 (x − centre) / width)). */
  | { readonly kind: 'sigmoid'; readonly centre: number; readonly width: number }
  /** The map to `output[x − first]`, of 0 … `white`; the first and the last entry go on outside. */
  | { readonly kind: 'table'; readonly first: number; readonly output: Uint16Array; readonly white: number }
  /** A window that the file carries but that cannot be read. */
  | { readonly kind: 'damaged'; readonly reason: string };

/** A rectangle of whole pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Takes the pixels inside a box that lies within the image. */
export function cropPixels(pixels: Pixels, box: Box): Pixels {
  const { left, top, width, height } = box;
  if (width === pixels.width && height === pixels.height) return pixels;
  const { channels } = pixels;
  const rowLength = width * channels;
  const data = emptyLike(pixels.data, rowLength * height);
  for (let y = 0; y < height; y += 1) {
    const from = ((top + y) * pixels.width + left) * channels;
    data.set(pixels.data.subarray(from, from + rowLength), y * rowLength);
  }
  const regions = pixels.regions
    ?.filter((region) => contains(box, region))
    .map((region) => ({ ...region, left: region.left - left, top: region.top - top }));
  return { ...pixels, width, height, data, regions };
}

/** Makes zeros of the same type. */
export function emptyLike(values: Values, length: number): Values {
  return new (values.constructor as ValuesConstructor)(length);
}

/** Tells whether `inner` lies wholly inside `outer`. */
export function contains(outer: Box, inner: Box): boolean {
  return (
    inner.left >= outer.left &&
    inner.top >= outer.top &&
    inner.left + inner.width <= outer.left + outer.width &&
    inner.top + inner.height <= outer.top + outer.height
  );
}

/** Gives the values that extremes and percentiles are taken from. */
export function populationOf(pixels: Pixels): Distribution {
  return pixels.population ?? new Distribution(pixels.data);
}
