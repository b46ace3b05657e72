/**
 * Randomness as a pure function of a key such as (seed, purpose, epoch, sample id, view): there is no generator state
 * to save, and CPU, CUDA, micro-batches, workers and machines all draw the same numbers.
 *
 * The key is hashed with FNV-1a into the state of xoshiro128** (Blackman & Vigna 2018), expanded by splitmix32.
 */
export class Random {
  #s0: number;
  #s1: number;
  #s2: number;
  #s3: number;
  #spareNormal: number | undefined;

  constructor(...key: readonly (string | number)[]) {
    // Every part carries its type and a terminator, so that (1, 23), (12, 3) and ("1", 23) differ.
    let low = 0x811c9dc5;
    let high = 0x9dc5811c;
    for (const part of key) {
      const text = `${typeof part === 'number' ? 'n' : 's'}${part}\u0000`;
      for (let i = 0; i < text.length; i += 1) {
        const code = text.charCodeAt(i);
        low = Math.imul(low ^ code, 0x01000193);
        high = Math.imul(high ^ (code + (low >>> 16)), 0x85ebca6b);
      }
    }
    let state = low;
    const splitmix32 = (mix: number): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ mix;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#s0 = splitmix32(0);
    this.#s1 = splitmix32(high);
    this.#s2 = splitmix32(0);
    this.#s3 = splitmix32(high) | 1; // never the all-zero state
  }

  /** Draws a uniform integer in [0, 2³²). */
  uint32(): number {
    const product = Math.imul(this.#s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = this.#s1 << 9;
    this.#s2 ^= this.#s0;
    this.#s3 ^= this.#s1;
    this.#s1 ^= this.#s2;
    this.#s0 ^= this.#s3;
    this.#s2 ^= t;
    this.#s3 = (this.#s3 << 11) | (this.#s3 >>> 21);
    return result;
  }

  /** Draws a uniform number in [low, high) with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
    return low + (high - low) * unit;
  }

  /** Draws a uniform integer in [0, n), without modulo bias. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new RangeError(`Random.below(n): n is ${n}, expected an integer from 1 to 2^32`);
    }
    const limit = 2 ** 32 - (2 ** 32 % n);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % n;
  }

  /** Draws true with probability p. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** Draws from a normal distribution with the given mean and standard deviation (Box–Muller). */
  normal(mean = 0, std = 1): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return mean + std * spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return mean + std * radius * Math.cos(angle);
  }

  /** Draws a uniformly random order of 0 … n−1 (Fisher–Yates). */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i -= 1) {
      const j = this.below(i + 1);
      const swap = order[i]!;
      order[i] = order[j]!;
      order[j] = swap;
    }
    return order;
  }
}
