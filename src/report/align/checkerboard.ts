import sharp from 'sharp';
import { gray } from '../../data/align/grayImage.js';
import type { WorkingPair } from '../../data/align/readPair.js';
import { type Affine, IDENTITY } from '../../data/align/transformation.js';
import { warp } from '../../data/images/warp.js';

/** The number of fields across the longer side. */
const FIELDS = 7;

/**
 * Draws a pair as one image, whose fields show one modality and the other by turns: where the two lie well, edges go on
 * from field to field. Each modality is stretched to the full range.
 *
 * @param transformation takes a point of `a` to the same place in `b`
 * @returns a JPEG file
 */
export async function checkerboard(
  { a, b }: Pick<WorkingPair, 'a' | 'b'>,
  transformation: Affine = IDENTITY,
): Promise<Buffer> {
  const { width, height } = a;
  const field = Math.max(width, height) / FIELDS;
  const [one, other] = [a, warp(b, transformation, width, height)].map((image) =>
    stretched(gray(image).data),
  );
  const shown = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const even = (Math.floor(x / field) + Math.floor(y / field)) % 2 === 0;
      shown[y * width + x] = (even ? one! : other!)[y * width + x]!;
    }
  }
  return sharp(shown, { raw: { width, height, channels: 1 } })
    .jpeg({ quality: 82 })
    .toBuffer();
}

function stretched(data: Uint8Array): Uint8Array {
  const [low, high] = data.reduce(
    ([least, most], value) => [Math.min(least, value), Math.max(most, value)],
    [255, 0],
  );
  return high! > low! ? data.map((value) => (255 * (value - low!)) / (high! - low!)) : data;
}
