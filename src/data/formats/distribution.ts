/**
 * The values of an image. Samples of up to 16 bits are kept as integers; rescaled values are floats, rounded to their
 * 24 bits.
 */
export type Values = Uint8Array | Uint16Array | Int16Array | Int32Array | Float32Array;

/** The extremes and percentiles of many values. Answers are kept, as all slices of a volume ask the same. */
export class Distribution {
  readonly #values: Values;
  #extremes?: readonly [number, number];
  readonly #percentiles = new Map<number, number>();

  constructor(values: Values) {
    this.#values = values;
  }

  /** Gives the least and the largest value. */
  extremes(): readonly [low: number, high: number] {
    if (this.#extremes === undefined) {
      let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const value of this.#values) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
      this.#extremes = [low, high];
    }
    return this.#extremes;
  }

  /**
   * Gives percentiles 0 … 100, in the order asked, with linear interpolation between neighbours in rank: of n sorted
   * values x, percentile p is x at the rank p/100 · (n − 1), counted from 0. This is the default of numpy.percentile.
   */
  percentiles(...asked: number[]): number[] {
    if (asked.some((p) => !this.#percentiles.has(p))) {
      const sorted = this.#values.slice().sort();
      for (const p of asked) {
        const rank = (p / 100) * (sorted.length - 1);
        const [below, above] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!];
        this.#percentiles.set(p, below + (above - below) * (rank - Math.floor(rank)));
      }
    }
    return asked.map((p) => this.#percentiles.get(p)!);
  }
}
