import { Random } from '../../dist/tensor/random.js';

/** Draws for generators, all of them a pure function of the key. */
export class Draw {
  #random;

  constructor(...key) {
    this.#random = new Random(...key);
  }

  /** A whole number from `low` to `high`, both included. */
  int(low, high) {
    return low + this.#random.below(high - low + 1);
  }

  /** True with probability `p`. */
  chance(p) {
    return this.#random.chance(p);
  }

  pick(...values) {
    return values[this.#random.below(values.length)];
  }

  /** The first value in nine of ten draws, else one of the others. */
  usually(usual, ...others) {
    return this.chance(0.9) ? usual : this.pick(...others);
  }

  /** `count` whole numbers from `low` to `high`. */
  ints(count, low, high) {
    return Array.from({ length: count }, () => this.int(low, high));
  }

  bytes(count) {
    return Buffer.from(this.ints(count, 0, 255));
  }
}

/** A file cut short, or with some bytes or bits changed. */
export function damage(draw, whole) {
  const bytes = Buffer.from(whole);
  if (bytes.length === 0 || draw.chance(0.3)) return bytes.subarray(0, draw.int(0, bytes.length));
  for (let i = draw.int(1, 6); i > 0; i -= 1) {
    const at = draw.int(0, bytes.length - 1);
    bytes[at] = draw.chance(0.5) ? bytes[at] ^ (1 << draw.int(0, 7)) : draw.pick(0, 1, 127, 128, 255);
  }
  return bytes;
}
