import { Random } from '../../tensor/random.js';
import type { Raster } from '../sample.js';
import { drawField, noiseField } from './noise.js';

/** Images are taken to be this many units wide: `misalignment` is counted in pixels of an image of that size. */
const referenceSize = 224;

/**
 * Bends an image by a smooth random displacement of `pixels` root mean square at a size of 224, to reproduce the limitation
 * of the paper's §4: pairs that are not aligned. Bilinear; edges repeat.
 *
 * @param key of the random displacement, such as (seed, family, index)
 */
export function misalign(image: Raster, pixels: number, ...key: readonly (string | number)[]): Raster {
  if (pixels === 0) return image;
  const { width, height, channels, data } = image;
  const random = new Random(...key, 'misalignment');
  const extent = { width: referenceSize, height: referenceSize, cellX: 75, cellY: 75 };
  const pixel = referenceSize / width;
  // Per axis the displacement has a standard deviation of pixels / √2, so that its length has a mean square of pixels².
  const scale = pixels / Math.SQRT2 / pixel;
  const across = drawField(noiseField(random, extent), width, pixel);
  const down = drawField(noiseField(random, extent), width, pixel);
  const bent = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const u = Math.min(width - 1, Math.max(0, x + scale * across[at]!));
      const v = Math.min(height - 1, Math.max(0, y + scale * down[at]!));
      const [left, top] = [Math.min(width - 2, Math.floor(u)), Math.min(height - 2, Math.floor(v))];
      const [right, bottom] = [u - left, v - top];
      const first = top * width + left;
      for (let c = 0; c < channels; c += 1) {
        const value = (pixelAt: number) => data[pixelAt * channels + c]!;
        const upper = (1 - right) * value(first) + right * value(first + 1);
        const lower = (1 - right) * value(first + width) + right * value(first + width + 1);
        bent[at * channels + c] = Math.round((1 - bottom) * upper + bottom * lower);
      }
    }
  }
  return { width, height, channels, data: bent };
}
