import type { ResampledMetric } from './bootstrap.js';

/**
 * Spearman's rank correlation: Pearson's correlation of the ranks, tied values sharing the mean of theirs (mid-ranks), as
 * scipy.stats.spearmanr has it. In [−1, 1]; any increasing map of either side leaves it as it is. NaN of fewer than two
 * samples or where one side is constant: then there is nothing to go along with.
 *
 * @param x [n], finite or infinite
 * @param y [n]
 * @throws RangeError when lengths differ or a value is NaN
 */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return resampledSpearman(x, y)(new Float64Array(x.length).fill(1));
}

/**
 * {@link spearman} where sample i counts `weights[i]` times, for the bootstrap. Sorts once; each call is one walk over the
 * samples, in which the ranks are made anew from the weights.
 */
export function resampledSpearman(x: ArrayLike<number>, y: ArrayLike<number>): ResampledMetric {
  if (x.length !== y.length) {
    throw new RangeError(`rank correlation: ${x.length} values against ${y.length}; expected pairs`);
  }
  const [ranksOfX, ranksOfY] = [weightedRanks(x, 'first'), weightedRanks(y, 'second')];
  return (weights) => {
    const [a, b] = [ranksOfX(weights), ranksOfY(weights)];
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    // The mean rank is half the total whatever the ties: no sum is needed, and a constant side deviates by exactly 0.
    const middle = total / 2;
    let together = 0;
    let squaresOfA = 0;
    let squaresOfB = 0;
    for (let i = 0; i < weights.length; i += 1) {
      const [da, db] = [a[i]! - middle, b[i]! - middle];
      together += weights[i]! * da * db;
      squaresOfA += weights[i]! * da * da;
      squaresOfB += weights[i]! * db * db;
    }
    // 0/0 of a constant side is NaN, as documented.
    return together / Math.sqrt(squaresOfA * squaresOfB);
  };
}

/** Makes the function from weights to mid-ranks less ½, which shifts all alike: weight below plus half the tied weight. */
function weightedRanks(values: ArrayLike<number>, side: string): (weights: Float64Array) => Float64Array {
  const n = values.length;
  for (let i = 0; i < n; i += 1) {
    if (Number.isNaN(values[i]!)) {
      throw new RangeError(`rank correlation: ${side} value ${i} is NaN; expected a number`);
    }
  }
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((i, j) =>
    values[i]! < values[j]! ? -1 : Number(values[i]! > values[j]!),
  );
  const ranks = new Float64Array(n);
  return (weights) => {
    let below = 0;
    for (let start = 0; start < n; ) {
      let end = start;
      let tied = 0;
      while (end < n && values[order[end]!]! === values[order[start]!]!) {
        tied += weights[order[end]!]!;
        end += 1;
      }
      for (let at = start; at < end; at += 1) ranks[order[at]!] = below + tied / 2;
      below += tied;
      start = end;
    }
    return ranks;
  };
}
