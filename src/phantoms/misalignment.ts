import type { Raster } from '../data/sample.js';
import { Random } from '../tensor/random.js';
import { drawField, noiseField } from './noise.js';

/** The width of the image in whose pixels misalignment is counted, whatever the size that is drawn. */
const referenceSize = 224;
/**
 * The lattice spacing of an elastic displacement, in those pixels, and the share of it up to which the displacement
 * goes before the lattice widens. Both are such that nothing folds over: of 3,000 random displacements of 18 pixels on
 * a lattice of 75, nine did.
 */
const leastCell = 75;
const shareOfCell = 0.12;

/** How far `b` lies off `a`. */
export interface Misalignment {
  /** The root mean square of the displacement over the image, in pixels of a 224-pixel image; 0 is aligned. */
  readonly misalignment: number;
  /** What moves: `elastic`, each place by its own way, smoothly, or `rigid`, the whole image, which turns and shifts. */
  readonly motion: Motion;
}

export const MOTIONS = ['elastic', 'rigid'] as const;
export type Motion = (typeof MOTIONS)[number];

export const ALIGNED: Misalignment = { misalignment: 0, motion: 'elastic' };
/** The most that is drawn: 16 % of the side. */
export const FARTHEST = 36;

/** The part of an image's key that tells misalignments apart; elastic ones have the name they had before rigid ones. */
export function misalignmentKey({ misalignment, motion }: Misalignment): string {
  return `misalignment=${misalignment}${motion === 'elastic' || misalignment === 0 ? '' : `/motion=${motion}`}`;
}

/**
 * Moves what a square image shows by a random displacement, to reproduce the limitation of the paper's §4: pairs that
 * are not aligned. Sampling is bilinear, and edges repeat.
 *
 * @param key the key of the random displacement, such as (seed, family, index)
 */
export function misalign(
  image: Raster,
  { misalignment: pixels, motion }: Misalignment,
  ...key: readonly (string | number)[]
): Raster {
  if (pixels === 0) return image;
  const { width: size, channels, data } = image;
  const random = randomOf(key);
  const { across, down } =
    motion === 'rigid' ? rigidField(random, size, pixels) : elasticField(random, size, pixels);

  const within = (position: number) => Math.min(size - 1, Math.max(0, position));
  const bent = new Uint8Array(data.length);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const at = y * size + x;
      const u = within(x + across[at]!);
      const v = within(y + down[at]!);
      const [left, top] = [Math.min(size - 2, Math.floor(u)), Math.min(size - 2, Math.floor(v))];
      const [right, bottom] = [u - left, v - top];
      const first = top * size + left;
      for (let c = 0; c < channels; c += 1) {
        const value = (pixelAt: number) => data[pixelAt * channels + c]!;
        const upper = (1 - right) * value(first) + right * value(first + 1);
        const lower = (1 - right) * value(first + size) + right * value(first + size + 1);
        bent[at * channels + c] = Math.round((1 - bottom) * upper + bottom * lower);
      }
    }
  }
  return { width: size, height: size, channels, data: bent };
}

const randomOf = (key: readonly (string | number)[]) => new Random(...key, 'misalignment');

/** The way in pixels, to the right and down, from each pixel to where it is sampled; row-major. */
interface Displacement {
  readonly across: Float64Array;
  readonly down: Float64Array;
}

function elasticField(random: Random, size: number, pixels: number): Displacement {
  const cell = Math.max(leastCell, pixels / shareOfCell);
  const extent = { width: referenceSize, height: referenceSize, cellX: cell, cellY: cell };
  const pixel = referenceSize / size;
  const across = drawField(noiseField(random, extent), size, pixel);
  const down = drawField(noiseField(random, extent), size, pixel);
  let power = 0;
  for (let at = 0; at < across.length; at += 1) power += across[at]! ** 2 + down[at]! ** 2;
  const scale = pixels / pixel / Math.sqrt(power / across.length);
  const scaled = (ways: Float32Array) => Float64Array.from(ways, (way) => scale * way);
  return { across: scaled(across), down: scaled(down) };
}

/**
 * A turn about the centre of an image, in radians, and a shift in its pixels, of the places that are looked at: clockwise,
 * to the right and down. What the image shows goes the other way.
 */
export interface RigidMotion {
  readonly angle: number;
  readonly right: number;
  readonly down: number;
}

/**
 * What `misalign` does to an image of `size` pixels by `motion: 'rigid'`: a place of the new image shows where the
 * motion takes it in the old one.
 */
export function rigidMotion(
  { misalignment: pixels }: Pick<Misalignment, 'misalignment'>,
  size: number,
  ...key: readonly (string | number)[]
): RigidMotion {
  return drawRigid(randomOf(key), size, pixels);
}

/**
 * Directions are drawn evenly from a sphere whose axes are the two shifts and the displacement by the turn, each in
 * pixels, so that their squares add up to the square of `pixels`.
 */
function drawRigid(random: Random, size: number, pixels: number): RigidMotion {
  const drawn = [random.normal(), random.normal(), random.normal()] as const;
  const scale = ((pixels / referenceSize) * size) / Math.hypot(...drawn);
  const [right, down, turned] = drawn.map((way) => scale * way) as [number, number, number];
  // The root mean square of the distance from the centre of a square, over all of it, is its side over √6.
  return { angle: 2 * Math.asin(turned / 2 / (size / Math.sqrt(6))), right, down };
}

function rigidField(random: Random, size: number, pixels: number): Displacement {
  const motion = drawRigid(random, size, pixels);
  const { angle } = motion;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const across = new Float64Array(size * size);
  const down = new Float64Array(size * size);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const [u, v] = [x + 0.5 - size / 2, y + 0.5 - size / 2];
      across[y * size + x] = cos * u - sin * v - u + motion.right;
      down[y * size + x] = sin * u + cos * v - v + motion.down;
    }
  }
  return { across, down };
}
