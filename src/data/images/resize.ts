import { bilinearTaps } from '../../augment/bilinearTaps.js';
import type { Raster } from '../sample.js';

export interface ResizeOptions {
  /** Whether the filter is widened when shrinking, so that every source pixel counts; default true. */
  antialias?: boolean;
}

/**
 * Resizes bilinearly, the one way in this system: as `F.interpolate(x, size, mode='bilinear', align_corners=False,
 * antialias=…)` of PyTorch does, on 8-bit pixels. The aspect ratio follows from the new size.
 *
 * Pixel i covers [i, i + 1), so its centre is at i + ½ (half-pixel centres). Sums are kept in double precision through
 * both directions and rounded once, at the end, halves up (`Math.round`).
 */
export function resize(image: Raster, width: number, height: number, options: ResizeOptions = {}): Raster {
  if (image.width === width && image.height === height) return image;
  const values = resizeValues(image.data, image, width, height, options);
  const data = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) data[i] = Math.round(values[i]!);
  return { width, height, channels: image.channels, data };
}

/**
 * Resizes without rounding: interleaved values [height, width, channels] of the source become those of the given size.
 */
export function resizeValues(
  values: ArrayLike<number>,
  source: Readonly<{ width: number; height: number; channels: number }>,
  width: number,
  height: number,
  { antialias = true }: ResizeOptions = {},
): Float64Array {
  for (const [name, side] of Object.entries({ width, height })) {
    if (!Number.isInteger(side) || side < 1) {
      throw new RangeError(`resize: ${name} is ${side}, expected a whole number of pixels from 1`);
    }
  }
  const { channels } = source;
  const across = bilinearTaps(source.width, width, antialias);
  const rowLength = width * channels;
  const narrowed = new Float64Array(source.height * rowLength);
  for (let y = 0; y < source.height; y += 1) {
    const row = y * source.width * channels;
    for (let x = 0; x < width; x += 1) {
      const { first, weights } = across[x]!;
      for (let c = 0; c < channels; c += 1) {
        let sum = 0;
        for (let k = 0; k < weights.length; k += 1)
          sum += weights[k]! * values[row + (first + k) * channels + c]!;
        narrowed[y * rowLength + x * channels + c] = sum;
      }
    }
  }
  const down = bilinearTaps(source.height, height, antialias);
  const resized = new Float64Array(height * rowLength);
  for (let y = 0; y < height; y += 1) {
    const { first, weights } = down[y]!;
    for (let k = 0; k < weights.length; k += 1) {
      const weight = weights[k]!;
      const from = (first + k) * rowLength;
      for (let i = 0; i < rowLength; i += 1) resized[y * rowLength + i]! += weight * narrowed[from + i]!;
    }
  }
  return resized;
}
