import { COARSE_LEVELS, COARSE_SIDE, type LeveledImage } from './grayImage.js';
import { type Likeness, likenessOf, NOTHING_ALIKE } from './information.js';
import { type Affine, compose, type Extent, invert } from './transformation.js';

/** The distance of the shifts that are tried, in pixels of the coarse image. */
const STEP = 2;
/** The farthest of them. */
const MARGIN = COARSE_SIDE / 4;
const WIDE = COARSE_SIDE + 2 * MARGIN;
const PIXELS = COARSE_SIDE * COARSE_SIDE;
/** The level of what lies outside, and the number of cells that a level of `a` has for those of `b`. */
const OUTSIDE = COARSE_LEVELS;
const CELLS = 2 * COARSE_LEVELS;

/** x ln x of each number of pixels. */
const COUNT_LOGS = Float64Array.from({ length: PIXELS + 1 }, (_, n) => (n === 0 ? 0 : n * Math.log(n)));

/**
 * Tries the shifts on a grid, at the coarse side, after a transformation that turns or mirrors. The second image is
 * drawn once under that transformation, so each shift is one pass without arithmetic on coordinates.
 *
 * @param reach the farthest shift as a share of the side, at most a quarter
 * @returns the best shift, with the transformation that takes a point of `a` to its place in `b`
 */
export function bestShift(
  a: LeveledImage,
  b: LeveledImage,
  turned: Affine,
  extent: Extent,
  reach: number,
): Likeness & { readonly transformation: Affine } {
  const drawn = drawnWide(b.coarse, turned, extent);
  const far = Math.floor((reach * COARSE_SIDE) / STEP) * STEP;
  let [best, right, down]: [Likeness, number, number] = [NOTHING_ALIKE, 0, 0];
  for (let y = -far; y <= far; y += STEP) {
    for (let x = -far; x <= far; x += STEP) {
      const found = likenessAt(a.coarse, drawn, x, y);
      if (found.likeness > best.likeness) [best, right, down] = [found, x, y];
    }
  }
  const [unitX, unitY] = [extent.width / COARSE_SIDE, extent.height / COARSE_SIDE];
  return { ...best, transformation: compose(turned, [1, 0, right * unitX, 0, 1, down * unitY]) };
}

/** Draws an image as it lies under a transformation, with a margin around it. */
function drawnWide(levels: Uint8Array, turned: Affine, { width, height }: Extent): Uint8Array {
  const toPixels: Affine = [COARSE_SIDE / width, 0, 0, 0, COARSE_SIDE / height, 0];
  const [p, q, r, s, t, u] = compose(toPixels, compose(turned, invert(toPixels)));
  const drawn = new Uint8Array(WIDE * WIDE).fill(OUTSIDE);
  for (let y = 0; y < WIDE; y += 1) {
    for (let x = 0; x < WIDE; x += 1) {
      const [across, along] = [x - MARGIN + 0.5, y - MARGIN + 0.5];
      const column = Math.floor(p * across + q * along + r);
      const row = Math.floor(s * across + t * along + u);
      if (column < 0 || row < 0 || column >= COARSE_SIDE || row >= COARSE_SIDE) continue;
      drawn[y * WIDE + x] = levels[row * COARSE_SIDE + column]!;
    }
  }
  return drawn;
}

const joint = new Uint32Array(COARSE_LEVELS * CELLS);

function likenessAt(a: Uint8Array, drawn: Uint8Array, right: number, down: number): Likeness {
  joint.fill(0);
  for (let y = 0; y < COARSE_SIDE; y += 1) {
    const own = y * COARSE_SIDE;
    const other = (y + MARGIN + down) * WIDE + MARGIN + right;
    for (let x = 0; x < COARSE_SIDE; x += 1) joint[a[own + x]! * CELLS + drawn[other + x]!]! += 1;
  }
  let [total, ofBoth, ofA, ofB] = [0, 0, 0, 0];
  for (let i = 0; i < COARSE_LEVELS; i += 1) {
    let [a, b] = [0, 0];
    for (let j = 0; j < COARSE_LEVELS; j += 1) {
      const count = joint[i * CELLS + j]!;
      a += count;
      b += joint[j * CELLS + i]!;
      ofBoth += COUNT_LOGS[count]!;
    }
    total += a;
    ofA += COUNT_LOGS[a]!;
    ofB += COUNT_LOGS[b]!;
  }
  return total < PIXELS / 2 ? NOTHING_ALIKE : likenessOf([ofA, ofB, ofBoth], total);
}
