/** Measures how two images of a pair lie to each other, with an uncertainty. */
import type { LeveledImage } from './grayImage.js';
import { Comparison, type Found, type Orientation, OTHER_ORIENTATIONS, UPRIGHT } from './search.js';
import {
  type Affine,
  compose,
  type Extent,
  IDENTITY,
  invert,
  meanDistance,
  similarity,
} from './transformation.js';

export interface Placement {
  /** The orientation of `b` against `a`: upright unless another one is clearly better. */
  readonly orientation: Orientation;
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
  /**
   * The other orientations, about the centre, in which the two share more than as they lie, be it by chance; the
   * likeliest first.
   */
  readonly likelier: readonly Orientation[];
}

/**
 * How far is looked: the share of the side up to which shifts are tried, and the turns in degrees. The climb goes on
 * from there. Farther shifts leave so small an overlap that chance is the likest.
 */
const REACH = 3 / 16;
const TURNS = [0, -15, 15];
const REACH_OF_OTHERS = 1 / 8;

/** The most starts of other orientations from which is climbed. */
const CLIMBS = 2;
/** The part of what the best start shares that another one must share to be climbed from. */
const PROMISING = 0.8;

/**
 * The factor by which two images must share more in another orientation, and the least of it in normalised mutual
 * information, before they are believed to be mirrored or turned. Many organs look nearly alike in a mirror.
 */
const CLEARLY = 1.25;
const AT_LEAST = 0.015;
/** The uncertainty in pixels up to which another orientation is believed: of chance finds the way back differs. */
const CERTAIN = 2.7;

/**
 * Measures where the picture of `a` lies in that of `b`. Of images that show nothing it finds no motion.
 *
 * @param extent the shape of the picture, in whose pixels the result counts
 */
export function measurePair(a: LeveledImage, b: LeveledImage, extent: Extent): Placement {
  const forth = new Comparison(a, b, extent);
  const here = forth.at(IDENTITY);
  const starts = TURNS.map((degrees) => forth.start({ degrees, mirrored: false }, REACH));
  const others = OTHER_ORIENTATIONS.map((orientation) => ({
    orientation,
    ...forth.start(orientation, REACH_OF_OTHERS),
  }));
  const promising = PROMISING * (Math.max(...starts.map(({ likeness }) => likeness)) - 1);
  const isPromising = ({ likeness }: Found) => likeness - 1 >= promising;
  const climbFrom = (start: Affine): Climb => ({ start, found: forth.approach(start) });

  const far = starts.filter(
    (one) => isPromising(one) && meanDistance(one.transformation, IDENTITY, extent) > 1,
  );
  const upright = [IDENTITY, ...far.map(({ transformation }) => transformation)].map(climbFrom);
  const turned = others
    .filter(isPromising)
    .sort((one, other) => other.likeness - one.likeness)
    .slice(0, CLIMBS)
    .map(({ orientation, transformation }) => ({ orientation, ...climbFrom(transformation) }));

  const [as, otherwise] = [highest(upright), highest(turned)];
  const back = new Comparison(b, a, extent);
  const settle = (climbs: readonly Climb[]) => {
    const there = forth.refine(highest(climbs)!.found.transformation);
    const returns = climbs.map(({ start }) => ({ found: back.approach(invert(start)) }));
    const returned = back.refine(highest(returns)!.found.transformation);
    const around = compose(returned.transformation, there.transformation);
    return { there, inconsistency: meanDistance(around, IDENTITY, extent) };
  };
  const clear = otherwise !== undefined && isClear(as!.found, otherwise.found);
  const reoriented = clear ? settle([otherwise]) : undefined;
  const believed = reoriented !== undefined && reoriented.inconsistency <= CERTAIN;
  const { there, inconsistency } = believed ? reoriented : settle(upright);
  return {
    orientation: believed ? otherwise!.orientation : UPRIGHT,
    transformation: there.transformation,
    here,
    there,
    inconsistency,
    likelier: OTHER_ORIENTATIONS.map((orientation) => ({
      orientation,
      likeness: forth.at(similarity(orientation, extent)).likeness,
    }))
      .filter(({ likeness }) => likeness > here.likeness)
      .sort((one, other) => other.likeness - one.likeness)
      .map(({ orientation }) => orientation),
  };
}

/** Where a climb began, and where it ended. */
interface Climb {
  readonly start: Affine;
  readonly found: Found;
}

function highest<T extends Pick<Climb, 'found'>>(climbs: readonly T[]): T | undefined {
  return climbs.reduce<T | undefined>(
    (best, one) => (best === undefined || one.found.likeness > best.found.likeness ? one : best),
    undefined,
  );
}

function isClear(upright: Found, other: Found): boolean {
  const [as, otherwise] = [upright.likeness - 1, other.likeness - 1];
  return otherwise >= CLEARLY * as && otherwise - as >= AT_LEAST;
}
