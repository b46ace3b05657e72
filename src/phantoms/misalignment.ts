import type { Raster } from '../data/sample.js';
import { Random } from '../tensor/random.js';
import { drawField, noiseField } from './noise.js';

/** The width of the image in whose pixels misalignment is counted, whatever the size that is drawn. */
const referenceSize = 224;
/** The lattice spacing of the displacement, in those pixels. It is wide, so that nothing folds over. */
const cell = 75;

/**
 * Bends a square image by a smooth random displacement, to reproduce the limitation of the paper's §4: pairs that are
 * not aligned. Sampling is bilinear, and edges repeat.
 *
 * @param pixels the root mean square of the displacement over this image, in pixels of a 224-pixel image
 * @param key the key of the random displacement, such as (seed, family, index)
 */
export function misalign(image: Raster, pixels: number, ...key: readonly (string | number)[]): Raster {
  if (pixels === 0) return image;
  const { width: size, channels, data } = image;
  const random = new Random(...key, 'misalignment');
  const extent = { width: referenceSize, height: referenceSize, cellX: cell, cellY: cell };
  const pixel = referenceSize / size;
  const across = drawField(noiseField(random, extent), size, pixel);
  const down = drawField(noiseField(random, extent), size, pixel);
  let power = 0;
  for (let at = 0; at < across.length; at += 1) power += across[at]! ** 2 + down[at]! ** 2;
  const scale = pixels / pixel / Math.sqrt(power / across.length);

  const within = (position: number) => Math.min(size - 1, Math.max(0, position));
  const bent = new Uint8Array(data.length);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const at = y * size + x;
      const u = within(x + scale * across[at]!);
      const v = within(y + scale * down[at]!);
      const [left, top] = [Math.min(size - 2, Math.floor(u)), Math.min(size - 2, Math.floor(v))];
      const [right, bottom] = [u - left, v - top];
      const first = top * size + left;
      for (let c = 0; c < channels; c += 1) {
        const value = (pixelAt: number) => data[pixelAt * channels + c]!;
        const upper = (1 - right) * value(first) + right * value(first + 1);
        const lower = (1 - right) * value(first + size) + right * value(first + size + 1);
        bent[at * channels + c] = Math.round((1 - bottom) * upper + bottom * lower);
      }
    }
  }
  return { width: size, height: size, channels, data: bent };
}
