/** The source pixels `first`, `first + 1`, … whose weighted mean is one target pixel. */
export interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * Computes the taps of each target pixel along one side of `from` pixels that is resized to `to`, as
 * F.interpolate(mode='bilinear', align_corners=False) does. Pixel i covers [i, i + 1), its centre is i + ½. With
 * `antialias` the triangle around a target's centre widens by the scale when shrinking; without it, shrinking skips
 * pixels.
 */
export function bilinearTaps(from: number, to: number, antialias: boolean): Taps[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, target) => {
    const centre = scale * (target + 0.5);
    if (!antialias || scale <= 1) return twoTaps(centre - 0.5, from);
    const first = Math.max(0, Math.trunc(centre - scale + 0.5));
    const end = Math.min(from, Math.trunc(centre + scale + 0.5));
    const weights = new Float64Array(end - first);
    let total = 0;
    for (let k = 0; k < weights.length; k += 1) {
      weights[k] = Math.max(0, 1 - Math.abs((first + k + 0.5 - centre) / scale));
      total += weights[k]!;
    }
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** Interpolates linearly at `position`, where 0 is the centre of the first pixel. Beyond the edge the edge repeats. */
function twoTaps(position: number, length: number): Taps {
  const clamped = Math.min(Math.max(position, 0), length - 1);
  const first = Math.floor(clamped);
  const fraction = clamped - first;
  return { first, weights: fraction === 0 ? Float64Array.of(1) : Float64Array.of(1 - fraction, fraction) };
}
