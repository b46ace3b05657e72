/**
 * Affine transformations of the plane: [a, b, c, d, e, f] takes (x, y) to (a x + b y + c, d x + e y + f).
 */
export type Affine = readonly [number, number, number, number, number, number];

/** What a registration may do beside moving: turn, scale, and shear. */
export type TransformationKind = 'rigid' | 'similarity' | 'affine';

export const IDENTITY: Affine = [1, 0, 0, 0, 1, 0];

/** The transformation that applies `inner` and then `outer`. */
export function compose(outer: Affine, inner: Affine): Affine {
  const [a, b, c, d, e, f] = outer;
  const [p, q, r, s, t, u] = inner;
  return [a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f];
}

/** @throws RangeError for a transformation that has no inverse */
export function invert([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  if (!(Math.abs(determinant) > 1e-12)) {
    throw new RangeError(`invert: the determinant is ${determinant}, expected one that is not 0`);
  }
  const [p, q, s, t] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
  return [p, q, -(p * c + q * f), s, t, -(s * c + t * f)];
}

/** The transformation halfway between two that are near to each other: the mean of their entries. */
export function halfway(one: Affine, other: Affine): Affine {
  return one.map((value, i) => (value + other[i]!) / 2) as unknown as Affine;
}

export function apply([a, b, c, d, e, f]: Affine, x: number, y: number): readonly [number, number] {
  return [a * x + b * y + c, d * x + e * y + f];
}

export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** The number of points across and down at which displacements are compared. */
const POINTS = 9;

/** The distances between where two transformations take the points of a 9×9 grid over an image, in its pixels. */
export function distances(one: Affine, other: Affine, { width, height }: Extent): number[] {
  const found: number[] = [];
  for (let row = 0; row < POINTS; row += 1) {
    for (let column = 0; column < POINTS; column += 1) {
      const [x, y] = [((column + 0.5) / POINTS) * width, ((row + 0.5) / POINTS) * height];
      const [u, v] = apply(one, x, y);
      const [s, t] = apply(other, x, y);
      found.push(Math.hypot(u - s, v - t));
    }
  }
  return found;
}

/** The mean of these distances. */
export function meanDistance(one: Affine, other: Affine, extent: Extent): number {
  const all = distances(one, other, extent);
  return all.reduce((sum, value) => sum + value, 0) / all.length;
}

/** What a transformation does, about the centre of an image. */
export interface Motion {
  /** The way of the centre, in pixels: to the right, and down. */
  readonly right: number;
  readonly down: number;
  /** The turn in degrees, clockwise as the image is seen. */
  readonly degrees: number;
  /** The factor of lengths, √|det|. */
  readonly scale: number;
  /** Whether it mirrors. */
  readonly mirrored: boolean;
}

/** Reads a motion off a transformation; that of an affine one is the nearest without its shear. */
export function motionOf(transformation: Affine, { width, height }: Extent): Motion {
  const [a, b, , d, e] = transformation;
  const determinant = a * e - b * d;
  const mirrored = determinant < 0;
  const [x, y] = apply(transformation, width / 2, height / 2);
  const turn = mirrored ? Math.atan2(d + b, a - e) : Math.atan2(d - b, a + e);
  return {
    right: x - width / 2,
    down: y - height / 2,
    degrees: (turn * 180) / Math.PI,
    scale: Math.sqrt(Math.abs(determinant)),
    mirrored,
  };
}

/** The similarity transformation that turns and scales about the centre of an image and moves it, mirrored or not. */
export function similarity(
  { right = 0, down = 0, degrees = 0, scale = 1, mirrored = false }: Partial<Motion>,
  { width, height }: Extent,
): Affine {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  const [a, b, d, e] = mirrored ? [cos, sin, sin, -cos] : [cos, -sin, sin, cos];
  const [x, y] = [width / 2, height / 2];
  return [a, b, x - a * x - b * y + right, d, e, y - d * x - e * y + down];
}
