/**
 * Spearman's rank correlation: Pearson's correlation of the ranks, where tied values share the mean of their ranks
 * (mid-ranks), as in scipy.stats.spearmanr. It lies in [−1, 1], and any increasing map of either side leaves it
 * unchanged. NaN for fewer than two samples or where one side is constant, as nothing can then correlate.
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
  // The mean rank is half the number of samples whatever the ties. So no sum is needed, and a constant side deviates by
  // exactly 0.
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
  // A constant side gives 0/0, which is NaN as documented.
  return together / Math.sqrt(squaresOfA * squaresOfB);
}

/**
 * Computes mid-ranks less ½, a shift that is the same for all: the number of values below plus half the number of tied
 * values.
 */
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
