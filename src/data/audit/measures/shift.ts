import { WORKING_SIDE } from './picture.js';

/** The farthest shift that is looked for, as a share of the side. */
const FARTHEST = 0.08;
const LEVELS = 16;

/** The same in whole pixels of the working size. A shift this far is the edge of the search, and may be no maximum. */
export const FARTHEST_SHIFT = Math.floor(FARTHEST * WORKING_SIDE) / WORKING_SIDE;

/** The shift at which one image of a pair shares most with the other. */
export interface Shift {
  /**
   * The shift as shares of the image's width and height, positive where the content of `b` lies to the right of and
   * below that of `a`.
   */
  readonly x: number;
  readonly y: number;
  /** The mutual information, in nats, as the images lie and where they share most. */
  readonly here: number;
  readonly best: number;
}

/**
 * Finds the whole-pixel shift of `b` against `a` with the largest normalised mutual information (Studholme, Hill &
 * Hawkes 1999), which assumes nothing on how the intensities of two modalities relate. It tries every other shift up
 * to `FARTHEST` at half the working size, then those around the best ones, and at last those at the working size.
 * Every shift is judged on the same inner part of `a`.
 *
 * @param a gray values, `WORKING_SIDE`²
 * @param b gray values, `WORKING_SIDE`²
 */
export function findShift(a: Float32Array, b: Float32Array): Shift {
  const half = WORKING_SIDE / 2;
  const coarse = new Overlay(halved(a), halved(b), half);
  const rough = coarse.best({ x: 0, y: 0 }, coarse.reach - 1, 2);
  const near = coarse.best(rough, 1, 1);
  const fine = new Overlay(a, b, WORKING_SIDE);
  const best = fine.best({ x: 2 * near.x, y: 2 * near.y }, 1, 1);
  const zero = fine.at(0, 0);
  if (zero.normalised >= best.normalised)
    return { x: 0, y: 0, here: zero.information, best: zero.information };
  const { x, y, information } = best;
  return { x: x / WORKING_SIDE, y: y / WORKING_SIDE, here: zero.information, best: information };
}

interface Likeness {
  readonly normalised: number;
  readonly information: number;
}

/** Two images of one side, with their intensities in `LEVELS` levels of about equally many pixels. */
class Overlay {
  readonly reach: number;
  readonly #a: Uint8Array;
  readonly #b: Uint8Array;
  readonly #joint = new Uint32Array(LEVELS * LEVELS);

  constructor(
    a: Float32Array,
    b: Float32Array,
    readonly side: number,
  ) {
    this.reach = Math.floor(FARTHEST * side);
    this.#a = levels(a);
    this.#b = levels(b);
  }

  /** Finds the best of the shifts on a grid of `step` within `radius` of `centre`; among equals the shortest. */
  best(centre: { x: number; y: number }, radius: number, step: number): { x: number; y: number } & Likeness {
    let best = { x: 0, y: 0, normalised: -1, information: 0 };
    for (let y = centre.y - radius; y <= centre.y + radius; y += step) {
      for (let x = centre.x - radius; x <= centre.x + radius; x += step) {
        if (Math.abs(x) > this.reach || Math.abs(y) > this.reach) continue;
        const here = this.at(x, y);
        const closer = here.normalised === best.normalised && Math.hypot(x, y) < Math.hypot(best.x, best.y);
        if (here.normalised > best.normalised || closer) best = { x, y, ...here };
      }
    }
    return best;
  }

  at(x: number, y: number): Likeness {
    const { side, reach } = this;
    const joint = this.#joint.fill(0);
    for (let row = reach; row < side - reach; row += 1) {
      const from = row * side;
      const other = (row + y) * side + x;
      for (let column = reach; column < side - reach; column += 1) {
        joint[this.#a[from + column]! * LEVELS + this.#b[other + column]!]! += 1;
      }
    }
    return likeness(joint, (side - 2 * reach) ** 2);
  }
}

function likeness(joint: Uint32Array, total: number): Likeness {
  const [ofA, ofB] = [new Uint32Array(LEVELS), new Uint32Array(LEVELS)];
  let both = 0;
  for (let i = 0; i < LEVELS; i += 1) {
    for (let j = 0; j < LEVELS; j += 1) {
      const count = joint[i * LEVELS + j]!;
      ofA[i]! += count;
      ofB[j]! += count;
      both += COUNT_LOGS[count]!;
    }
  }
  const entropy = (logs: number) => Math.log(total) - logs / total;
  const sum = (counts: Uint32Array) => counts.reduce((logs, count) => logs + COUNT_LOGS[count]!, 0);
  const [a, b, ab] = [entropy(sum(ofA)), entropy(sum(ofB)), entropy(both)];
  return { normalised: ab > 0 ? (a + b) / ab : 1, information: a + b - ab };
}

/** n ln n for each number of pixels n. */
const COUNT_LOGS = Float64Array.from({ length: WORKING_SIDE ** 2 + 1 }, (_, n) =>
  n === 0 ? 0 : n * Math.log(n),
);

function levels(image: Float32Array): Uint8Array {
  const histogram = new Uint32Array(256);
  for (let i = 0; i < image.length; i += 1) histogram[Math.round(image[i]!)]! += 1;
  const levelOf = new Uint8Array(256);
  let below = 0;
  for (let value = 0; value < 256; value += 1) {
    // The level follows the middle of each value's ranks, so that a background of one value does not push all others
    // together.
    levelOf[value] = Math.min(
      LEVELS - 1,
      Math.floor((LEVELS * (below + histogram[value]! / 2)) / image.length),
    );
    below += histogram[value]!;
  }
  const leveled = new Uint8Array(image.length);
  for (let i = 0; i < image.length; i += 1) leveled[i] = levelOf[Math.round(image[i]!)]!;
  return leveled;
}

function halved(image: Float32Array): Float32Array {
  const side = WORKING_SIDE / 2;
  const half = new Float32Array(side * side);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const from = 2 * y * WORKING_SIDE + 2 * x;
      const below = from + WORKING_SIDE;
      half[y * side + x] = (image[from]! + image[from + 1]! + image[below]! + image[below + 1]!) / 4;
    }
  }
  return half;
}
