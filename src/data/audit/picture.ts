import { createHash } from 'node:crypto';
import { bilinearTaps } from '../../bilinearTaps.js';
import type { Raster } from '../sample.js';

/** Side of the gray square that every image is brought to for whatever looks at its content. */
export const WORKING_SIDE = 128;
/** Side of the square of detail that near-duplicates are compared by. */
export const DETAIL_SIDE = 24;
/** Bytes of a digest. */
export const DIGEST_BYTES = 16;

/** What the audit keeps of one decoded image. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Of the pixels and the size: equal for equal images, whatever their files. */
  readonly digest: Uint8Array;
  /** Of the gray image, 0 … 255. */
  readonly mean: number;
  readonly deviation: number;
  /** Largest share of pixels that lie within five neighbouring gray levels. */
  readonly flatShare: number;
  /** Mean distance of a pixel's colour from gray, 0 … 255. */
  readonly colour: number;
  /** The gray image squashed to `WORKING_SIDE`², row-major. */
  readonly gray: Float32Array;
}

/** An image is blank if this share of it lies within five neighbouring gray levels: black, or black with a compressor's noise. */
export const BLANK_SHARE = 0.95;

const LEVELS_OF_ONE_TONE = 5;

export function describePicture(image: Raster): Picture {
  const { width, height, channels, data } = image;
  const digest = createHash('sha256').update(`${width}x${height}x${channels}:`).update(data).digest();
  const { gray, colour } = toGray(image);
  const histogram = new Uint32Array(256);
  for (const level of gray) histogram[level]! += 1;
  return {
    width,
    height,
    channels,
    digest: digest.subarray(0, DIGEST_BYTES),
    ...moments(histogram, gray.length),
    flatShare: flatShare(histogram, gray.length),
    colour,
    gray: squash(gray, width, height, WORKING_SIDE),
  };
}

/** Luma by ITU-R BT.601. */
function toGray({ channels, data }: Raster): { gray: Uint8Array; colour: number } {
  if (channels === 1) return { gray: data, colour: 0 };
  const gray = new Uint8Array(data.length / 3);
  let distance = 0;
  for (let i = 0; i < gray.length; i += 1) {
    const [r, g, b] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
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

function flatShare(histogram: Uint32Array, count: number): number {
  let most = 0;
  let inWindow = 0;
  for (let level = 0; level < 256; level += 1) {
    inWindow += histogram[level]! - (histogram[level - LEVELS_OF_ONE_TONE] ?? 0);
    most = Math.max(most, inWindow);
  }
  return most / count;
}

/** Bilinear with antialiasing, both directions to `side`. `resize` rounds and checks; this is the inner loop of 100,000 pairs. */
export function squash(values: ArrayLike<number>, width: number, height: number, side: number): Float32Array {
  const across = tapsOf(width, side);
  const narrowed = new Float32Array(height * side);
  for (let y = 0; y < height; y += 1) {
    const row = y * width;
    for (let x = 0; x < side; x += 1) {
      const { first, weights } = across[x]!;
      let sum = 0;
      for (let k = 0; k < weights.length; k += 1) sum += weights[k]! * values[row + first + k]!;
      narrowed[y * side + x] = sum;
    }
  }
  const squashed = new Float32Array(side * side);
  tapsOf(height, side).forEach(({ first, weights }, y) => {
    for (let k = 0; k < weights.length; k += 1) {
      const weight = weights[k]!;
      const from = (first + k) * side;
      for (let x = 0; x < side; x += 1) squashed[y * side + x]! += weight * narrowed[from + x]!;
    }
  });
  return squashed;
}

const remembered = new Map<string, ReturnType<typeof bilinearTaps>>();

/** Most images of a data set have one of a few sizes. */
function tapsOf(from: number, to: number): ReturnType<typeof bilinearTaps> {
  const key = `${from}/${to}`;
  let taps = remembered.get(key);
  if (taps === undefined) {
    if (remembered.size >= 64) remembered.clear();
    taps = bilinearTaps(from, to, true);
    remembered.set(key, taps);
  }
  return taps;
}
