/** Measures how two images of a pair lie to each other, with an uncertainty. */
import { Comparison, type Found, type GrayImage, ORIENTATIONS, type Starts } from './search.js';
import { type Affine, compose, type Extent, IDENTITY, invert, meanDistance } from './transformation.js';

export interface Placement {
  /** Takes a point of `a` to the same place in `b`, in pixels of the extent. */
  readonly transformation: Affine;
  /** How much the two share as they lie, and under the transformation. */
  readonly here: Found;
  readonly there: Found;
  /**
   * The inverse inconsistency: the mean distance in pixels by which the way from `a` to `b` and the way back, each
   * found by itself, miss the point where they began.
   */
  readonly inconsistency: number;
}

/** How far is looked: shifts up to a quarter of the side, turns up to 20°. */
const STARTS: Starts = { reach: 0.25, turns: [0, -10, 10, -20, 20] };
const UNTURNED: Starts = { reach: 0.125, turns: [0] };

/**
 * The factor by which two images must share more in another orientation, and the least of it in normalised mutual
 * information, before they are believed to be mirrored or turned. Many organs look nearly alike in a mirror.
 */
const CLEARLY = 1.25;
const AT_LEAST = 0.015;

/** @param orientations whether mirror images and quarter turns are looked at too */
export function measurePair(
  a: GrayImage,
  b: GrayImage,
  extent: Extent,
  { orientations = true, starts = STARTS }: { orientations?: boolean; starts?: Starts } = {},
): Placement {
  const forth = new Comparison(a, b, extent);
  const begun = (transformations: readonly Affine[]) =>
    transformations
      .map((start) => ({ start, found: forth.approach(start) }))
      .reduce((best, one) => (one.found.likeness > best.found.likeness ? one : best));
  const upright = forth.starts(ORIENTATIONS[0]!, starts).slice(0, 2);
  let best = begun([IDENTITY, ...upright.map(({ transformation }) => transformation)]);
  if (orientations) {
    const others = ORIENTATIONS.slice(1)
      .flatMap((orientation) => forth.starts(orientation, UNTURNED))
      .sort((one, other) => other.likeness - one.likeness);
    const other = begun(others.slice(0, 2).map(({ transformation }) => transformation));
    const [as, otherwise] = [best.found.likeness - 1, other.found.likeness - 1];
    if (otherwise >= CLEARLY * as && otherwise - as >= AT_LEAST) best = other;
  }
  const there = forth.refine(best.found.transformation);
  const back = new Comparison(b, a, extent);
  const returned = back.refine(back.approach(invert(best.start)).transformation);
  return {
    transformation: there.transformation,
    here: forth.at(IDENTITY),
    there,
    inconsistency: meanDistance(compose(returned.transformation, there.transformation), IDENTITY, extent),
  };
}
