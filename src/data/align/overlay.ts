import { LEVELS, type LeveledImage } from './grayImage.js';
import { type Likeness, likenessOf, NOTHING_ALIKE } from './information.js';
import { type Affine, compose, type Extent, invert } from './transformation.js';

/** Judges how alike two pictures of one extent are under transformations in the pixels of that extent. */
export class Overlay {
  readonly #a: LeveledImage;
  readonly #b: LeveledImage;
  readonly #joint = new Float64Array(LEVELS * LEVELS);
  readonly #toPixels: Affine;
  readonly #fromPixels: Affine;

  constructor(a: LeveledImage, b: LeveledImage, { width, height }: Extent) {
    this.#a = a;
    this.#b = b;
    // Pixels here count from the middle of the first one.
    this.#toPixels = [a.side / width, 0, -0.5, 0, a.side / height, -0.5];
    this.#fromPixels = invert(this.#toPixels);
  }

  /**
   * Looks at each `stride`-th pixel of `a` whose place lies in `b`; nothing is alike where fewer than half do. A value
   * of `b` counts for the two levels next to it, so that the likeness changes without steps.
   */
  likeness(transformation: Affine, stride: number): Likeness {
    const side = this.#a.side;
    const [p, q, r, s, t, u] = compose(this.#toPixels, compose(transformation, this.#fromPixels));
    const joint = this.#joint.fill(0);
    const levels = this.#a.levels;
    const values = this.#b.values;
    const last = side - 1;
    const first = stride >> 1;
    let within = 0;
    for (let y = first; y < side; y += stride) {
      const fromColumn = q * y + r;
      const fromRow = t * y + u;
      for (let x = first; x < side; x += stride) {
        const column = p * x + fromColumn;
        const row = s * x + fromRow;
        // An image of one pixel less, so that there always is a next one.
        if (!(column >= 0 && row >= 0 && column < last && row < last)) continue;
        within += 1;
        const left = column | 0;
        const top = row | 0;
        const right = column - left;
        const at = top * side + left;
        const above = values[at]!;
        const below = values[at + side]!;
        const upper = above + right * (values[at + 1]! - above);
        const lower = below + right * (values[at + side + 1]! - below);
        const level = upper + (row - top) * (lower - upper);
        // The highest level alone has no next one, and what it gives to it is nothing.
        const whole = level < LEVELS - 1 ? level | 0 : LEVELS - 2;
        const rest = level - whole;
        const cell = levels[y * side + x]! * LEVELS + whole;
        joint[cell]! += 1 - rest;
        joint[cell + 1]! += rest;
      }
    }
    const looked = Math.ceil((side - first) / stride) ** 2;
    return within < looked / 2 ? NOTHING_ALIKE : likenessOf(logSums(joint), within);
  }
}

/** The sums of x ln x over the rows, the columns and the cells of a square table of weights. */
function logSums(joint: Float64Array): [number, number, number] {
  let [rows, columns, cells] = [0, 0, 0];
  for (let i = 0; i < LEVELS; i += 1) {
    let [row, column] = [0, 0];
    for (let j = 0; j < LEVELS; j += 1) {
      const weight = joint[i * LEVELS + j]!;
      row += weight;
      column += joint[j * LEVELS + i]!;
      if (weight > 0) cells += weight * Math.log(weight);
    }
    if (row > 0) rows += row * Math.log(row);
    if (column > 0) columns += column * Math.log(column);
  }
  return [rows, columns, cells];
}
