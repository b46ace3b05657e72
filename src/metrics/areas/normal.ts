/**
 * Computes P(Z > z) of the standard normal, with a relative error of about 1e-14 also far out. Near the middle it uses
 * the series of Abramowitz & Stegun 26.2.11, whose terms are all positive; further out it uses the continued fraction
 * 26.2.14.
 */
export function normalTail(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  if (z < 0) return 1 - normalTail(-z);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 2) {
    let term = z;
    let sum = z;
    for (let n = 3; term > 1e-17 * sum; n += 2) {
      term *= (z * z) / n;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = z;
  for (let k = 200; k >= 1; k -= 1) fraction = z + k / fraction;
  return density / fraction;
}

/** Computes the two-sided p-value of a standard normal statistic. */
export function twoSidedP(z: number): number {
  return Math.min(1, 2 * normalTail(Math.abs(z)));
}

/**
 * Computes the z with P(−z < Z < z) = `confidence`, which is 1.96 for 95 %.
 *
 * @throws RangeError unless the confidence is between 0 and 1
 */
export function normalHalfWidth(confidence: number): number {
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`confidence is ${confidence}, expected a share between 0 and 1`);
  }
  const tail = (1 - confidence) / 2;
  // The tail is convex above 0, so Newton's steps from 0 rise to the root and never pass it.
  let z = 0;
  for (let step = 0; step < 200; step += 1) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const next = z + (normalTail(z) - tail) / density;
    if (!(next > z)) break;
    z = next;
  }
  return z;
}
