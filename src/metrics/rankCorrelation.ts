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
  if (x.length !== y.length) {
    throw new RangeError(`rank correlation: ${x.length} values against ${y.length}; expected pairs`);
  }
  const [a, b] = [ranks(x, 'first'), ranks(y, 'second')];
  // The mean rank is half the number of samples whatever the ties: no sum is needed, and a constant side deviates by exactly 0.
  const middle = x.length / 2;
  let together = 0;
  let squaresOfA = 0;
  let squaresOfB = 0;
  for (let i = 0; i < x.length; i += 1) {
    const [da, db] = [a[i]! - middle, b[i]! - middle];
    together += da * db;
    squaresOfA += da * da;
    squaresOfB += db * db;
  }
  // 0/0 of a constant side is NaN, as documented.
  return together / Math.sqrt(squaresOfA * squaresOfB);
}

/** Mid-ranks less ½, which shifts all alike: the number of values below plus half the number of tied values. */
function ranks(values: ArrayLike<number>, side: string): Float64Array {
  const n = values.length;
  for (let i = 0; i < n; i += 1) {
    if (Number.isNaN(values[i]!)) {
      throw new RangeError(`rank correlation: ${side} value ${i} is NaN; expected a number`);
    }
  }
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((i, j) =>
    values[i]! < values[j]! ? -1 : Number(values[i]! > values[j]!),
  );
  const found = new Float64Array(n);
  for (let start = 0; start < n; ) {
    let end = start;
    while (end < n && values[order[end]!]! === values[order[start]!]!) end += 1;
    for (let at = start; at < end; at += 1) found[order[at]!] = (start + end) / 2;
    start = end;
  }
  return found;
}
