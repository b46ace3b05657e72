/** Registers two maps by descent: the transformation changes until their descriptors fit best. */
import {
  type Affine,
  compose,
  type Extent,
  IDENTITY,
  invert,
  type TransformationKind,
} from '../../data/align/transformation.js';
import { gradientsOf, ops, type Tensor, tensor, tidy } from '../../tensor/index.js';
import { EDGE } from './selfSimilarity.js';

/** The motions that a transformation may take, in units of about a pixel at the distance `radius` from the centre. */
type Motion = (radius: number) => Affine;
const SHIFTS: readonly Motion[] = [() => [0, 0, 1, 0, 0, 0], () => [0, 0, 0, 0, 0, 1]];
const TURN: Motion = (r) => [0, -1 / r, 0, 1 / r, 0, 0];
const SCALE: Motion = (r) => [1 / r, 0, 0, 0, 1 / r, 0];
const SHEARS: readonly Motion[] = [(r) => [1 / r, 0, 0, 0, -1 / r, 0], (r) => [0, 1 / r, 0, 1 / r, 0, 0]];
const MOTIONS: Readonly<Record<TransformationKind, readonly Motion[]>> = {
  rigid: [...SHIFTS, TURN],
  similarity: [...SHIFTS, TURN, SCALE],
  affine: [...SHIFTS, TURN, SCALE, ...SHEARS],
};

export interface DescentOptions {
  readonly kind: TransformationKind;
  /** The picture, in whose pixels transformations count. The maps are squares that it fills. */
  readonly extent: Extent;
  /** The number of steps, and the length of the first in pixels; the last is near 0 (cosine). */
  readonly steps: number;
  readonly length: number;
}

/** The share of the maps that must overlap. */
const LEAST_OVERLAP = 0.5;
/** Adam's decays (Kingma & Ba 2015). */
const [DECAY, DECAY_OF_SQUARES] = [0.9, 0.999];

/**
 * Climbs from a start to the transformation under which the descriptors of two maps correlate best over the cells that
 * overlap, along the motions of its kind, by Adam.
 *
 * @param fixed [1, C, H, H] the descriptors of the first image
 * @param moving those of the second, of the same size
 * @param start takes a point of the first to the same place in the second
 * @returns the transformation; undefined where the two hardly overlap
 */
export function registerMaps(
  fixed: Tensor,
  moving: Tensor,
  start: Affine,
  { kind, extent, steps, length }: DescentOptions,
): Affine | undefined {
  const { width, height } = extent;
  const toUnits = unitsOf(extent);
  const [x, y] = [width / 2, height / 2];
  const motions = MOTIONS[kind].map((motion) => about(motion(Math.max(width, height) / Math.sqrt(6)), x, y));
  return tidy(() => {
    const judge = correlation(fixed, moving);
    const means = motions.map(() => 0);
    const squares = motions.map(() => 0);
    let found = start;
    for (let step = 1; step <= steps; step += 1) {
      const judged = judge(inUnits(found, extent));
      if (judged === undefined) return undefined;
      const rate = (length * (1 + Math.cos((Math.PI * (step - 1)) / steps))) / 2;
      const way = motions.map((motion, i) => {
        // What the motion changes of the transformation as the maps are sampled by it.
        const change = compose(linear(toUnits), compose(compose(linear(found), motion), invert(toUnits)));
        const slope = change.reduce((sum, value, k) => sum + value * judged.gradient[k]!, 0);
        means[i] = DECAY * means[i]! + (1 - DECAY) * slope;
        squares[i] = DECAY_OF_SQUARES * squares[i]! + (1 - DECAY_OF_SQUARES) * slope ** 2;
        const mean = means[i]! / (1 - DECAY ** step);
        const square = squares[i]! / (1 - DECAY_OF_SQUARES ** step);
        return (rate * mean) / (Math.sqrt(square) + 1e-12);
      });
      found = compose(found, exponential(motions, way));
    }
    return found;
  });
}

/** Takes pixels of a picture to units in which it reaches from −1 to 1. */
function unitsOf({ width, height }: Extent): Affine {
  return [2 / width, 0, -1, 0, 2 / height, -1];
}

/** A transformation in pixels of a picture, in those units. */
export function inUnits(pixels: Affine, extent: Extent): Affine {
  const toUnits = unitsOf(extent);
  return compose(toUnits, compose(pixels, invert(toUnits)));
}

/** The motion about the point (x, y) in place of the origin. */
function about([a, b, c, d, e, f]: Affine, x: number, y: number): Affine {
  return [a, b, c - a * x - b * y, d, e, f - d * x - e * y];
}

/** Without its shift: a motion, which is a derivative, has no place that it begins at. */
function linear([a, b, , d, e]: Affine): Affine {
  return [a, b, 0, d, e, 0];
}

/** Enough for a dozen digits, as no step moves a point by more than a few hundredths of the picture. */
const TERMS = 10;

/** The matrix exponential of a sum of motions, so that a turn stays a turn however many steps it is made of. */
function exponential(motions: readonly Affine[], way: readonly number[]): Affine {
  const sum = IDENTITY.map((_, k) => motions.reduce((all, motion, i) => all + way[i]! * motion[k]!, 0));
  const motion = sum as unknown as Affine;
  let [found, term] = [IDENTITY, IDENTITY];
  for (let n = 1; n <= TERMS; n += 1) {
    const next = n === 1 ? motion : compose(linear(motion), term);
    term = next.map((value) => value / n) as unknown as Affine;
    found = found.map((value, k) => value + term[k]!) as unknown as Affine;
  }
  return found;
}

export interface Correlation {
  /** Σ f·m / √(Σ f² · Σ m²) over the places that overlap and all channels: 1 where the descriptors are equal. */
  readonly value: number;
  /** Its gradient at the six numbers of the transformation. */
  readonly gradient: ArrayLike<number>;
}

/**
 * Gives what judges a transformation, in units where the maps reach from −1 to 1, by the correlation of the two over the
 * places that overlap. It judges nothing (undefined) where these are less than half of the cells.
 *
 * @param fixed [1, C, H, H]
 * @param moving the same; what lies outside of it is no cell
 */
export function correlation(
  fixed: Tensor,
  moving: Tensor,
): (transformation: Affine) => Correlation | undefined {
  const [, channels, side] = fixed.shape as [number, number, number, number];
  const { device, dtype } = fixed;
  const cells = Array.from({ length: side }, (_, i) => i);
  const told = cells.map((i) => i >= EDGE && i < side - EDGE);
  const inside = tensor(
    cells.flatMap((row) => cells.map((column) => Number(told[row]! && told[column]!))),
    [1, 1, side, side],
    { device, dtype },
  );
  // Sampling smooths a map the more, the farther a place lies from the middle of its cell, and smooth maps correlate
  // better. At middles alone, pairs that lie well are found half a cell off; at corners alone, the others are drawn to
  // whole cells. So every other row and column of places lies half a cell on, and the two cancel.
  const along = cells.map((cell) => (2 * cell + 1 + (cell % 2)) / side - 1);
  const places = tensor(
    along.flatMap((y) => along.flatMap((x) => [x, y, 1])),
    [side * side, 3],
    { device, dtype },
  );
  const sample = (map: Tensor, at: Tensor) =>
    // Bilinear, with zeros outside.
    ops.gridSampler2d(map, at.reshape([1, side, side, 2]), 0, 0, false);
  const sampled = ops.cat([moving, inside], 1);
  const [first, counted] = [fixed, inside].map((map) => sample(map, places.narrow(1, 0, 2))) as [
    Tensor,
    Tensor,
  ];
  const squares = first.mul(first).sum([1], true);
  const least = LEAST_OVERLAP * counted.sum().item();
  return (transformation) =>
    tidy(() => {
      const matrix = tensor([...transformation], [2, 3], { device, dtype, requiresGrad: true });
      const under = sample(sampled, places.matmul(matrix.t()));
      const overlap = under.narrow(1, channels, 1).mul(counted);
      if (!(overlap.sum().item() >= least)) return undefined;
      const other = under.narrow(1, 0, channels);
      const weighed = other.mul(overlap);
      const product = weighed.mul(first).sum();
      const scale = squares.mul(overlap).sum().mul(weighed.mul(other).sum());
      const value = product.div(scale.add(1e-12).sqrt());
      const [gradient] = gradientsOf([value], [matrix]);
      return { value: value.item(), gradient: gradient!.to({ dtype: 'f64' }).toArray() as Float64Array };
    });
}
