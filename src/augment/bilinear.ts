import { type Device, type Tensor, tensor } from '../tensor/index.js';

/** A stretch of one image side, in source pixels. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

export interface WeightOptions {
  /** Length of the whole side the spans lie on, in pixels. */
  side: number;
  /** Target pixels each span is resized to. */
  size: number;
  antialias: boolean;
  /** Per span: write the target pixels backwards. Default: none. */
  flips?: readonly boolean[];
  device: Device;
}

/**
 * Bilinear resizing of one direction as matrices: [spans, size, side], so that `weights[b] · column of pixels` is the
 * span b resized to `size`. Pixels outside the span weigh 0: the filter ends at the crop's edge, as it does when the crop
 * is cut out first.
 */
export function bilinearWeights(
  spans: readonly Span[],
  { side, size, antialias, flips, device }: WeightOptions,
): Tensor {
  const weights = new Float32Array(spans.length * size * side);
  // A batch has at most `side` different span lengths, and their taps differ by the start only.
  const tapsOf = new Map<number, readonly Taps[]>();
  spans.forEach(({ start, length }, b) => {
    const taps = tapsOf.get(length) ?? bilinearTaps(length, size, antialias);
    tapsOf.set(length, taps);
    for (let target = 0; target < size; target += 1) {
      const { first, values } = taps[target]!;
      const row = flips?.[b] ? size - 1 - target : target;
      weights.set(values, (b * size + row) * side + start + first);
    }
  });
  return tensor(weights, [spans.length, size, side], { device });
}

/** The source pixels `first`, `first + 1`, … that one target pixel is the weighted mean of. */
interface Taps {
  readonly first: number;
  readonly values: readonly number[];
}

/**
 * F.interpolate(mode='bilinear', align_corners=False) along `from` pixels resized to `to`. Pixel i covers [i, i + 1), its
 * centre is i + ½. With `antialias` the triangle widens by the scale when shrinking, else shrinking skips pixels.
 */
function bilinearTaps(from: number, to: number, antialias: boolean): Taps[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, target) => {
    const centre = scale * (target + 0.5);
    if (!antialias || scale <= 1) return twoTaps(centre - 0.5, from);
    const first = Math.max(0, Math.trunc(centre - scale + 0.5));
    const end = Math.min(from, Math.trunc(centre + scale + 0.5));
    const triangle = Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / scale),
    );
    const total = triangle.reduce((sum, value) => sum + value, 0);
    return { first, values: triangle.map((value) => value / total) };
  });
}

/** Linear interpolation at `position` (0 = centre of the first pixel); beyond the edge the edge repeats. */
function twoTaps(position: number, length: number): Taps {
  const clamped = Math.min(Math.max(position, 0), length - 1);
  const first = Math.floor(clamped);
  const fraction = clamped - first;
  return { first, values: fraction === 0 ? [1] : [1 - fraction, fraction] };
}
