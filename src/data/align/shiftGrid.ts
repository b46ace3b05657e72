import { COARSE_LEVELS, type LeveledImage } from './grayImage.js';
import { type Likeness, likenessOf, NOTHING_ALIKE } from './information.js';
import { type Affine, compose, type Extent, invert } from './transformation.js';

/** The distance of the shifts that are tried, in pixels of the coarse image. */
const STEP = 2;
/** The level of what lies outside, and the number of cells that a level of `a` has for those of `b`. */
const OUTSIDE = COARSE_LEVELS;
const CELLS = 2 * COARSE_LEVELS;

/** The most pixels of a coarse image. */
const MOST_PIXELS = 64 * 64;
/** x ln x of each number of pixels. */
const COUNT_LOGS = Float64Array.from({ length: MOST_PIXELS + 1 }, (_, n) => (n === 0 ? 0 : n * Math.log(n)));

/** An image with a margin on each side, as wide as the farthest shift. */
interface Wide {
  readonly levels: Uint8Array;
  readonly margin: number;
  readonly width: number;
}

/**
 * Tries the shifts on a grid, at the coarse side, after a transformation that turns or mirrors. The second image is
 * drawn once under that transformation, so each shift is one pass without arithmetic on coordinates.
 *
 * @param reach the farthest shift as a share of the side, at most a quarter
 * @param counts whether a transformation may be the answer. Then the best is sought of those shifts that are as good as
 *   their neighbours, since the slope of a better place that does not count is no place of its own.
 * @returns the best shift, with the transformation that takes a point of `a` to its place in `b`
 */
export function bestShift(
  a: LeveledImage,
  b: LeveledImage,
  turned: Affine,
  extent: Extent,
  reach: number,
  counts: (transformation: Affine) => boolean = () => true,
): Likeness & { readonly transformation: Affine } {
  const side = a.coarseSide;
  const drawn = drawnWide(b, turned, extent);
  const most = Math.floor((reach * side) / STEP);
  const across = 2 * most + 1;
  const found: Likeness[] = [];
  for (let y = -most; y <= most; y += 1)
    for (let x = -most; x <= most; x += 1) found.push(likenessAt(a, drawn, x * STEP, y * STEP));
  const [unitX, unitY] = [extent.width / side, extent.height / side];
  const shifted = (at: number): Affine => {
    const [right, down] = [(at % across) - most, Math.floor(at / across) - most];
    return compose(turned, [1, 0, right * STEP * unitX, 0, 1, down * STEP * unitY]);
  };
  const isPeak = (at: number) =>
    neighbours(at, across).every((other) => found[other]!.likeness <= found[at]!.likeness);
  let [best, place]: [Likeness, Affine] = [NOTHING_ALIKE, turned];
  for (const [at, likeness] of found.entries()) {
    if (likeness.likeness <= best.likeness || !isPeak(at)) continue;
    const transformation = shifted(at);
    if (counts(transformation)) [best, place] = [likeness, transformation];
  }
  return { ...best, transformation: place };
}

/** The places around one of a square table of `across` × `across`, row by row. */
function neighbours(at: number, across: number): number[] {
  const [column, row] = [at % across, Math.floor(at / across)];
  const around: number[] = [];
  for (let y = Math.max(0, row - 1); y <= Math.min(across - 1, row + 1); y += 1)
    for (let x = Math.max(0, column - 1); x <= Math.min(across - 1, column + 1); x += 1)
      if (x !== column || y !== row) around.push(y * across + x);
  return around;
}

/** Draws an image as it lies under a transformation, with a margin around it. */
function drawnWide(
  { coarse: levels, coarseSide: side }: LeveledImage,
  turned: Affine,
  { width, height }: Extent,
): Wide {
  const margin = side / 4;
  const wide = side + 2 * margin;
  const toPixels: Affine = [side / width, 0, 0, 0, side / height, 0];
  const [p, q, r, s, t, u] = compose(toPixels, compose(turned, invert(toPixels)));
  const drawn = new Uint8Array(wide * wide).fill(OUTSIDE);
  for (let y = 0; y < wide; y += 1) {
    for (let x = 0; x < wide; x += 1) {
      const [across, along] = [x - margin + 0.5, y - margin + 0.5];
      const column = Math.floor(p * across + q * along + r);
      const row = Math.floor(s * across + t * along + u);
      if (column < 0 || row < 0 || column >= side || row >= side) continue;
      drawn[y * wide + x] = levels[row * side + column]!;
    }
  }
  return { levels: drawn, margin, width: wide };
}

const joint = new Uint32Array(COARSE_LEVELS * CELLS);

function likenessAt(
  { coarse: a, coarseSide: side }: LeveledImage,
  { levels: drawn, margin, width: wide }: Wide,
  right: number,
  down: number,
): Likeness {
  joint.fill(0);
  for (let y = 0; y < side; y += 1) {
    const own = y * side;
    const other = (y + margin + down) * wide + margin + right;
    for (let x = 0; x < side; x += 1) joint[a[own + x]! * CELLS + drawn[other + x]!]! += 1;
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
  return total < (side * side) / 2 ? NOTHING_ALIKE : likenessOf([ofA, ofB, ofBoth], total);
}
