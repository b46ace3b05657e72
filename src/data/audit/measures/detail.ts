import { Random } from '../../../tensor/random.js';
import { gaussianBlur } from '../../images/gaussianBlur.js';
import { resizeValues } from '../../images/resize.js';
import { WORKING_SIDE } from './picture.js';
import { centreAndSpread } from './robust.js';

/** The side of the square at which a picture's detail is kept. */
const SIDE = 24;
const LENGTH = SIDE * SIDE;
/** The blur that is taken off, in pixels of the square, as brightness and shading may differ between copies. */
const SIGMA = 1.5;
/** The number of pictures below which they tell too little of what unrelated ones have in common. */
const ENOUGH = 24;
/** The likeness that near-duplicates must reach where the data set is too small to tell. */
const LIKENESS_OF_FEW = 0.97;
/**
 * The distance of near-duplicates above the likeness of unrelated pictures, in robust standard deviations of Fisher's
 * z.
 */
const DEVIATIONS = 12;
const DRAWN_PAIRS = 20_000;

/**
 * Keeps the detail of many pictures, 580 bytes each, and tells how alike two of them are, by the correlation of their
 * differences from the mean picture of the data set. All brains share a skull and all fundus photographs a disc, so the
 * likeness that counts is learnt from unrelated pictures of the same data.
 */
export class DetailTable {
  readonly #values: Int8Array;
  /** The reciprocals of the vectors' lengths; 0 where there is nothing to compare. */
  readonly #scales: Float32Array;

  /** @param count the number of pictures that there is room for */
  constructor(count: number) {
    this.#values = new Int8Array(count * LENGTH);
    this.#scales = new Float32Array(count);
  }

  /** @param gray gray values, `WORKING_SIDE`² */
  set(index: number, gray: Float32Array): void {
    const source = { width: WORKING_SIDE, height: WORKING_SIDE, channels: 1 };
    const small = Float32Array.from(resizeValues(gray, source, SIDE, SIDE));
    const blurred = gaussianBlur(small, SIDE, SIDE, SIGMA, SIGMA);
    this.#store(
      index,
      small.map((value, i) => value - blurred[i]!),
    );
  }

  /** Tells whether there is anything to compare: not for a picture that was never set, or one without detail. */
  has(index: number): boolean {
    return this.#scales[index]! > 0;
  }

  /** Computes the correlation, −1 to 1, of two pictures that the table has. */
  likeness(a: number, b: number): number {
    const values = this.#values;
    const [from, other] = [a * LENGTH, b * LENGTH];
    let sum = 0;
    for (let i = 0; i < LENGTH; i += 1) sum += values[from + i]! * values[other + i]!;
    return sum * this.#scales[a]! * this.#scales[b]!;
  }

  /**
   * Takes the mean picture off all and finds the likeness from which two pictures are near-duplicates. It is called
   * once, when all pictures are set.
   *
   * @param unrelated tells whether two pictures are known to be of different subjects
   */
  calibrate(unrelated: (a: number, b: number) => boolean): number {
    const present = [...this.#scales.keys()].filter((index) => this.has(index));
    if (present.length < ENOUGH) return LIKENESS_OF_FEW;
    this.#subtractMean(present);
    const random = new Random('likeness of unrelated pictures');
    const drawn: number[] = [];
    // Data of one subject has no unrelated pictures, so its own must do.
    for (const accept of [unrelated, (a: number, b: number) => a !== b]) {
      for (let draw = 0; draw < DRAWN_PAIRS; draw += 1) {
        const a = present[random.below(present.length)]!;
        const b = present[random.below(present.length)]!;
        if (accept(a, b)) drawn.push(Math.atanh(Math.max(-0.9999, Math.min(0.9999, this.likeness(a, b)))));
      }
      if (drawn.length >= ENOUGH) break;
    }
    const { centre, spread } = centreAndSpread(drawn);
    return Math.min(0.99, Math.max(0.65, Math.tanh(centre + DEVIATIONS * spread)));
  }

  /**
   * Makes a perceptual hash of 64 bits, as two words: the signs of the lowest frequencies (DCT-II) of the detail.
   * With the mean picture taken off, about half of all pictures have each bit.
   */
  hash(index: number, words: Uint32Array): void {
    const from = index * LENGTH;
    const rows = new Float64Array(SIDE * FREQUENCIES);
    for (let y = 0; y < SIDE; y += 1) {
      for (let u = 0; u < FREQUENCIES; u += 1) {
        let sum = 0;
        for (let x = 0; x < SIDE; x += 1) sum += this.#values[from + y * SIDE + x]! * COSINES[u * SIDE + x]!;
        rows[y * FREQUENCIES + u] = sum;
      }
    }
    words.fill(0, 2 * index, 2 * index + 2);
    LOWEST.forEach(([u, v], rank) => {
      let sum = 0;
      for (let y = 0; y < SIDE; y += 1) sum += rows[y * FREQUENCIES + u]! * COSINES[v * SIDE + y]!;
      // Low and high frequencies take turns, so that all four quarters of the hash are equally steady.
      const bit = 16 * (rank % 4) + (rank >> 2);
      if (sum > 0) words[2 * index + (bit >> 5)]! |= 1 << (bit & 31);
    });
  }

  #subtractMean(present: readonly number[]): void {
    const mean = new Float64Array(LENGTH);
    for (const index of present) {
      const scale = this.#scales[index]! / present.length;
      for (let i = 0; i < LENGTH; i += 1) mean[i]! += this.#values[index * LENGTH + i]! * scale;
    }
    const left = new Float32Array(LENGTH);
    for (const index of present) {
      for (let i = 0; i < LENGTH; i += 1)
        left[i] = this.#values[index * LENGTH + i]! * this.#scales[index]! - mean[i]!;
      this.#store(index, left);
    }
  }

  #store(index: number, detail: Float32Array): void {
    const mean = detail.reduce((sum, value) => sum + value, 0) / LENGTH;
    const largest = detail.reduce((most, value) => Math.max(most, Math.abs(value - mean)), 0);
    let squares = 0;
    for (let i = 0; i < LENGTH; i += 1) {
      // A value below a thousandth is rounding, not detail.
      const value = largest < 1e-3 ? 0 : Math.round((127 * (detail[i]! - mean)) / largest);
      this.#values[index * LENGTH + i] = value;
      squares += value * value;
    }
    this.#scales[index] = squares > 0 ? 1 / Math.sqrt(squares) : 0;
  }
}

const FREQUENCIES = 12;
/** The cosines cos(π (x + ½) u / SIDE), at u · SIDE + x. */
const COSINES = Float64Array.from({ length: FREQUENCIES * SIDE }, (_, i) =>
  Math.cos((Math.PI * ((i % SIDE) + 0.5) * Math.floor(i / SIDE)) / SIDE),
);
/** The 64 lowest frequencies (across, down) without the constant. */
const LOWEST: readonly (readonly [number, number])[] = Array.from(
  { length: FREQUENCIES * FREQUENCIES },
  (_, i) => [i % FREQUENCIES, Math.floor(i / FREQUENCIES)] as const,
)
  .sort(([a, b], [c, d]) => a + b - c - d || a - c)
  .slice(1, 65);
