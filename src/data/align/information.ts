/**
 * The information that two images share (Studholme, Hill & Hawkes 1999), which assumes nothing on how the intensities
 * of two modalities relate.
 */
export interface Likeness {
  /** The normalised mutual information, from 1 to 2; 0 where the images hardly overlap. */
  readonly likeness: number;
  /** The mutual information in nats. */
  readonly information: number;
}

export const NOTHING_ALIKE: Likeness = { likeness: 0, information: 0 };

/** Below this, in nats, an image is of one level but for rounding. */
const NO_ENTROPY = 1e-9;

/** @param sums of x ln x over the weights of `a`, of `b` and of both, which add up to `total` */
export function likenessOf(sums: readonly [a: number, b: number, both: number], total: number): Likeness {
  const log = Math.log(total);
  const [a, b, ab] = [log - sums[0] / total, log - sums[1] / total, log - sums[2] / total];
  return { likeness: ab > NO_ENTROPY ? (a + b) / ab : 1, information: a + b - ab };
}
