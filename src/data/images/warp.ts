import type { Raster } from '../sample.js';

/**
 * Draws an image under an affine transformation: the middle of each new pixel shows a place of the image, or black where
 * that lies outside of it.
 *
 * Every new pixel is the mean of the source pixels around its place, weighed by the two triangles of bilinear
 * resampling, which stand along the new pixel's own directions and are as wide as it is where the image shrinks. So a
 * transformation that only scales gives what `resize` gives.
 *
 * @param transformation [a, b, c, d, e, f]: the point (x, y) of the new image shows (a x + b y + c, d x + e y + f) of
 *   the source, in pixels, of which the first covers [0, 1)
 */
export function warp(
  image: Raster,
  [a, b, c, d, e, f]: readonly [number, number, number, number, number, number],
  width: number,
  height: number,
): Raster {
  const { channels, data: source } = image;
  const data = new Uint8Array(width * height * channels);
  // The steps from one new pixel to the next, of which none is shorter than a source pixel.
  const [across, down] = [Math.max(1, 1 / Math.hypot(a, d)), Math.max(1, 1 / Math.hypot(b, e))];
  const [ax, ay, bx, by] = [a * across, d * across, b * down, e * down];
  const determinant = ax * by - bx * ay;
  const [reachX, reachY] = [Math.abs(ax) + Math.abs(bx), Math.abs(ay) + Math.abs(by)];
  const sums = new Float64Array(channels);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const x = a * (column + 0.5) + b * (row + 0.5) + c;
      const y = d * (column + 0.5) + e * (row + 0.5) + f;
      if (!(x >= 0 && y >= 0 && x <= image.width && y <= image.height)) continue;
      const [left, right] = [
        Math.max(0, Math.ceil(x - reachX - 0.5)),
        Math.min(image.width - 1, Math.floor(x + reachX - 0.5)),
      ];
      const [top, bottom] = [
        Math.max(0, Math.ceil(y - reachY - 0.5)),
        Math.min(image.height - 1, Math.floor(y + reachY - 0.5)),
      ];
      sums.fill(0);
      let total = 0;
      for (let v = top; v <= bottom; v += 1) {
        for (let u = left; u <= right; u += 1) {
          const [dx, dy] = [u + 0.5 - x, v + 0.5 - y];
          const alongA = 1 - Math.abs((by * dx - bx * dy) / determinant);
          const alongB = 1 - Math.abs((ax * dy - ay * dx) / determinant);
          if (alongA <= 0 || alongB <= 0) continue;
          const weight = alongA * alongB;
          total += weight;
          const at = (v * image.width + u) * channels;
          for (let i = 0; i < channels; i += 1) sums[i]! += weight * source[at + i]!;
        }
      }
      const to = (row * width + column) * channels;
      for (let i = 0; i < channels; i += 1) data[to + i] = Math.round(sums[i]! / total);
    }
  }
  return { width, height, channels, data };
}
