/** Measures Fig. 4's claim: mates are nearer to each other than strangers, and an image finds its mate. */
import { type Features, unitRows } from '../../../metrics/features/features.js';
import { eachProductRow } from '../../../metrics/features/similarity.js';

/** The distances of n pairs, each list [n]; see `Claim`. */
export interface Distances {
  /** 1 − cosine of A and its mate. */
  readonly mate: Float64Array;
  /** The mean of 1 − cosine over the images B of all other subjects; NaN when there are none. */
  readonly stranger: Float64Array;
  /** 1 where the nearest image B of A is its mate. Where the mate ties with others, it counts its equal share. */
  readonly aToB: Float64Array;
  /** The same from B to A. */
  readonly bToA: Float64Array;
}

/**
 * Measures by cosine how far apart mates are, and strangers, over all n² products. A zero embedding is at distance 1
 * from all.
 *
 * @param a [n, d], raw
 * @param b [n, d], row i the mate of row i of `a`
 */
export function distancesOf(a: Features, b: Features, subjects: readonly string[]): Distances {
  const n = a.rows;
  const found = {
    mate: new Float64Array(n),
    stranger: new Float64Array(n),
    aToB: new Float64Array(n),
    bToA: new Float64Array(n),
  };
  const bestOfB = new Float64Array(n).fill(Number.NEGATIVE_INFINITY);
  const tiesOfB = new Float64Array(n);
  const own = new Float64Array(n);
  eachProductRow(unitRows(a).data, unitRows(b).data, a.columns, (i, cosines) => {
    let sum = 0;
    let strangers = 0;
    let best = Number.NEGATIVE_INFINITY;
    let ties = 0;
    for (let j = 0; j < n; j += 1) {
      const cosine = cosines[j]!;
      if (subjects[j] !== subjects[i]) {
        sum += 1 - cosine;
        strangers += 1;
      }
      if (cosine > best) [best, ties] = [cosine, 1];
      else if (cosine === best) ties += 1;
      if (cosine > bestOfB[j]!) {
        bestOfB[j] = cosine;
        tiesOfB[j] = 1;
      } else if (cosine === bestOfB[j]) tiesOfB[j]! += 1;
    }
    own[i] = cosines[i]!;
    // Only rounding makes the cosine of equal rows more than 1.
    found.mate[i] = Math.max(0, 1 - own[i]!);
    found.stranger[i] = sum / strangers; // without strangers 0/0, the documented NaN
    found.aToB[i] = own[i] === best ? 1 / ties : 0;
  });
  for (let j = 0; j < n; j += 1) found.bToA[j] = own[j] === bestOfB[j] ? 1 / tiesOfB[j]! : 0;
  return found;
}
