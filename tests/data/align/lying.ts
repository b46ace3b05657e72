import { type Affine, apply, invert } from '../../../src/data/align/transformation.js';
import type { Raster } from '../../../src/data/sample.js';

/** The picture with its content moved by a transformation in its pixels, bilinearly; its edge goes on outside. */
export function lying(image: Raster, transformation: Affine): Raster {
  const { width, height, channels, data } = image;
  const back = invert(transformation);
  const moved = new Uint8Array(data.length);
  const at = (x: number, y: number, c: number) => {
    const [column, row] = [Math.min(width - 1, Math.max(0, x)), Math.min(height - 1, Math.max(0, y))];
    return data[(row * width + column) * channels + c]!;
  };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [u, v] = apply(back, x + 0.5, y + 0.5);
      const [left, top] = [Math.floor(u - 0.5), Math.floor(v - 0.5)];
      const [right, down] = [u - 0.5 - left, v - 0.5 - top];
      for (let c = 0; c < channels; c += 1) {
        const upper = at(left, top, c) * (1 - right) + at(left + 1, top, c) * right;
        const lower = at(left, top + 1, c) * (1 - right) + at(left + 1, top + 1, c) * right;
        moved[(y * width + x) * channels + c] = Math.round(upper * (1 - down) + lower * down);
      }
    }
  }
  return { ...image, data: moved };
}
