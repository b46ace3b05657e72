/** What a search needs to know of one image. */
import type { Raster } from '../sample.js';

/** A gray image with values in 0 … 255, row-major and square: the picture, whatever its shape, squashed. */
export interface GrayImage {
  readonly side: number;
  readonly gray: Float32Array;
}

/** The side of the image on which shifts are tried. */
const COARSE_SIDE = 32;
/** The levels of about equally many pixels that intensities are counted in, of the coarse image and of the image. */
export const COARSE_LEVELS = 8;
export const LEVELS = 16;

/** An image with its intensities in levels. One image serves for both directions, and for several mates. */
export interface LeveledImage {
  readonly side: number;
  /** The levels, and the same with what lies between them. */
  readonly levels: Uint8Array;
  readonly values: Float32Array;
  /** The levels of the image at `coarseSide`². */
  readonly coarse: Uint8Array;
  readonly coarseSide: number;
}

/** @throws RangeError for a side that is no multiple of `coarseSide` */
export function leveled(image: GrayImage, coarseSide = COARSE_SIDE): LeveledImage {
  const { side, gray } = image;
  if (!(side > 0 && side % coarseSide === 0)) {
    throw new RangeError(`leveled: the side is ${side}, expected a multiple of ${coarseSide}`);
  }
  const values = inLevels(gray, LEVELS);
  const coarse = rounded(inLevels(reduced(image, coarseSide), COARSE_LEVELS));
  return { side, levels: rounded(values), values, coarse, coarseSide };
}

/** Brings gray values to levels from 0 to `levels` − 1 of about equally many pixels, with fractions. */
function inLevels(gray: Float32Array, levels: number): Float32Array {
  const histogram = new Uint32Array(256);
  for (let i = 0; i < gray.length; i += 1) histogram[(gray[i]! + 0.5) | 0]! += 1;
  const table = new Float32Array(257);
  let below = 0;
  for (let value = 0; value < 256; value += 1) {
    // The level follows the middle of each value's ranks, so that a background of one value does not push all others
    // together.
    const level = (levels * (below + histogram[value]! / 2)) / gray.length - 0.5;
    table[value] = Math.min(levels - 1, Math.max(0, level));
    below += histogram[value]!;
  }
  table[256] = table[255]!;
  const found = new Float32Array(gray.length);
  for (let i = 0; i < gray.length; i += 1) {
    const value = gray[i]!;
    const whole = value | 0;
    found[i] = table[whole]! + (value - whole) * (table[whole + 1]! - table[whole]!);
  }
  return found;
}

function rounded(values: Float32Array): Uint8Array {
  const found = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) found[i] = (values[i]! + 0.5) | 0;
  return found;
}

/** Averages blocks of pixels to `coarseSide`². */
function reduced({ side, gray }: GrayImage, coarseSide: number): Float32Array {
  const factor = side / coarseSide;
  const small = new Float32Array(coarseSide * coarseSide);
  for (let y = 0; y < side; y += 1) {
    const row = Math.floor(y / factor) * coarseSide;
    let from = y * side;
    for (let x = 0; x < coarseSide; x += 1) {
      for (const end = from + factor; from < end; from += 1) small[row + x]! += gray[from]!;
    }
  }
  for (let i = 0; i < small.length; i += 1) small[i]! /= factor * factor;
  return small;
}

/** Luma after ITU-R BT.601. */
export function gray(image: Raster): Raster {
  const { width, height, channels, data } = image;
  if (channels === 1) return image;
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i += 1) {
    values[i] = Math.round(0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!);
  }
  return { width, height, channels: 1, data: values };
}
