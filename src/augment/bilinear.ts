/** The matrices of bilinear resizing. */
import { type Device, type Tensor, tensor } from '../tensor/index.js';
import { bilinearTaps, type Taps } from './bilinearTaps.js';

/** A part of one image side, in source pixels. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

export interface WeightOptions {
  /** The length of the whole side on which the spans lie, in pixels. */
  side: number;
  /** The number of target pixels that each span is resized to. */
  size: number;
  antialias: boolean;
  /** Whether to write the target pixels backwards, for each span. Default: none. */
  flips?: readonly boolean[];
  device: Device;
}

/**
 * Makes the matrices that resize one direction bilinearly: [spans, size, side], so that `weights[b] · column of pixels`
 * is the span b resized to `size`. Pixels outside the span weigh 0, so the filter ends at the crop's edge, as it does
 * when the crop is cut out first.
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
      const tap = taps[target]!;
      const row = flips?.[b] ? size - 1 - target : target;
      weights.set(tap.weights, (b * size + row) * side + start + tap.first);
    }
  });
  return tensor(weights, [spans.length, size, side], { device });
}
