import { createHash } from 'node:crypto';
import { resizeValues } from '../../images/resize.js';
import type { Raster } from '../../sample.js';

/** The side of the gray square that every image is brought to for measures of its content. */
export const WORKING_SIDE = 128;
/** The number of bytes of a digest. */
export const DIGEST_BYTES = 16;

/** The measures that the audit takes of one decoded image. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** The digest of the pixels and the size, equal for equal images, whatever their files. */
  readonly digest: Uint8Array;
  /** The mean and deviation of the gray image, 0 … 255. */
  readonly mean: number;
  readonly deviation: number;
  /** The level that one of a thousand pixels exceeds. */
  readonly top: number;
  /** The largest share of pixels that lie within five neighbouring gray levels. */
  readonly flatShare: number;
  /** The mean distance of a pixel's colour from gray, 0 … 255. */
  readonly colour: number;
  /**
   * The mean step between neighbouring pixels of `gray` as a share of its deviation: high for fine texture, low for
   * smooth maps.
   */
  readonly texture: number;
  /** The gray image squashed to `WORKING_SIDE`², row-major. */
  readonly gray: Float32Array;
}

/**
 * The share within five neighbouring gray levels from which an image is blank: black, or black with a compressor's
 * noise.
 */
export const BLANK_SHARE = 0.95;

const LEVELS_OF_ONE_TONE = 5;

export function describePicture(image: Raster): Picture {
  const { width, height, channels, data } = image;
  const digest = createHash('sha256').update(`${width}x${height}x${channels}:`).update(data).digest();
  const { gray, colour } = toGray(image);
  const histogram = new Uint32Array(256);
  for (let i = 0; i < gray.length; i += 1) histogram[gray[i]!]! += 1;
  const { mean, deviation } = moments(histogram, gray.length);
  const size = { width, height, channels: 1 };
  const squashed = Float32Array.from(resizeValues(gray, size, WORKING_SIDE, WORKING_SIDE));
  return {
    width,
    height,
    channels,
    digest: digest.subarray(0, DIGEST_BYTES),
    mean,
    deviation,
    top: topLevel(histogram, gray.length),
    flatShare: flatShare(histogram, gray.length),
    colour,
    texture: deviation > 0 ? meanStep(squashed) / deviation : 0,
    gray: squashed,
  };
}

function meanStep(gray: Float32Array): number {
  let sum = 0;
  for (let i = 1; i < gray.length; i += 1) {
    if (i % WORKING_SIDE > 0) sum += Math.abs(gray[i]! - gray[i - 1]!);
  }
  return sum / (WORKING_SIDE * (WORKING_SIDE - 1));
}

/** Makes the image gray, as luma by ITU-R BT.601. */
function toGray({ channels, data }: Raster): { gray: Uint8Array; colour: number } {
  if (channels === 1) return { gray: data, colour: 0 };
  const gray = new Uint8Array(data.length / 3);
  let distance = 0;
  for (let i = 0; i < gray.length; i += 1) {
    const r = data[3 * i]!;
    const g = data[3 * i + 1]!;
    const b = data[3 * i + 2]!;
    gray[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    distance += Math.max(r, g, b) - Math.min(r, g, b);
  }
  return { gray, colour: distance / gray.length };
}

function moments(histogram: Uint32Array, count: number): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0];
  for (let level = 0; level < 256; level += 1) {
    sum += level * histogram[level]!;
    squares += level * level * histogram[level]!;
  }
  const mean = sum / count;
  return { mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
}

/** Finds the largest share of `count` pixels within five neighbouring gray levels. */
export function flatShare(histogram: Uint32Array, count: number): number {
  let most = 0;
  let inWindow = 0;
  for (let level = 0; level < 256; level += 1) {
    inWindow += histogram[level]! - (histogram[level - LEVELS_OF_ONE_TONE] ?? 0);
    most = Math.max(most, inWindow);
  }
  return most / count;
}

/** The level, of 255, up to which an image uses a small part: 14 bits of 16 come out as 0 … 64. */
const NARROW_LEVEL = 64;

/** Finds the least level that at most one of a thousand of `count` pixels exceeds. */
export function topLevel(histogram: Uint32Array, count: number): number {
  let above = 0;
  for (let level = 255; level > 0; level -= 1) {
    above += histogram[level]!;
    if (above > count / 1000) return level;
  }
  return 0;
}

export function isNarrowLevel(top: number): boolean {
  return top <= NARROW_LEVEL;
}

/** Tells whether so many narrow images are more than the dark ones that every set has. */
export function usesFewLevels(narrow: number, all: number): boolean {
  return all > 0 && 2 * narrow > all;
}
