import type { Segment } from './fundusVessels.js';

export interface StrokeOptions {
  /** The standard width, in mm, of the soft edge beyond that of a pixel. */
  softness?: number;
  /** The share of a segment's width that is drawn. */
  share?: number;
  /** The peak by width in mm; 1 unless given. */
  peak?: (width: number) => number;
}

/**
 * Draws lines of given widths as the share of each pixel that they cover, 0 … 1, without a higher resolution. A line
 * thinner than a pixel is accordingly faint. Where lines meet, the larger value counts.
 */
export function drawStrokes(
  segments: readonly Segment[],
  size: number,
  pixel: number,
  { softness = 0, share = 1, peak = () => 1 }: StrokeOptions = {},
): Float32Array {
  const out = new Float32Array(size * size);
  const edge = pixel + softness;
  for (const { from, to, width } of segments) {
    const drawn = share * width;
    const height = peak(width) * Math.min(1, drawn / edge);
    const reach = (drawn + edge) / 2;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const lengthSquared = dx * dx + dy * dy;
    const left = Math.max(0, Math.floor((Math.min(from.x, to.x) - reach) / pixel));
    const right = Math.min(size - 1, Math.floor((Math.max(from.x, to.x) + reach) / pixel));
    const top = Math.max(0, Math.floor((Math.min(from.y, to.y) - reach) / pixel));
    const bottom = Math.min(size - 1, Math.floor((Math.max(from.y, to.y) + reach) / pixel));
    for (let i = top; i <= bottom; i += 1) {
      const py = (i + 0.5) * pixel - from.y;
      for (let j = left; j <= right; j += 1) {
        const px = (j + 0.5) * pixel - from.x;
        const along = Math.max(0, Math.min(1, (px * dx + py * dy) / lengthSquared));
        const [ox, oy] = [px - along * dx, py - along * dy];
        const distance = Math.sqrt(ox * ox + oy * oy);
        const covered = height * Math.min(1, Math.max(0, (reach - distance) / Math.min(edge, drawn)));
        const at = i * size + j;
        if (covered > out[at]!) out[at] = covered;
      }
    }
  }
  return out;
}
