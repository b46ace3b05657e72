/**
 * Every inner product of the rows of `a` [n, d] with the rows of `b` [m, d], handed over a row of `a` at a time:
 * `visit` gets the row's number and its m products, valid until it returns. Only four rows of the [n, m] product exist
 * at once, and four rows of `a` share each load of `b`.
 */
export function eachProductRow(
  a: Float64Array,
  b: Float64Array,
  d: number,
  visit: (row: number, products: Float64Array) => void,
): void {
  const n = a.length / d;
  const m = b.length / d;
  const products = Array.from({ length: 4 }, () => new Float64Array(m)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let start = 0; start < n; start += 4) {
    // The last block repeats its last row instead of taking another path, so that all sums run in one order.
    const last = n - 1;
    fourProductRows(
      a,
      b,
      d,
      start,
      Math.min(start + 1, last),
      Math.min(start + 2, last),
      Math.min(start + 3, last),
      products,
    );
    for (let r = 0; r < 4 && start + r < n; r += 1) visit(start + r, products[r]!);
  }
}

function fourProductRows(
  a: Float64Array,
  b: Float64Array,
  d: number,
  row0: number,
  row1: number,
  row2: number,
  row3: number,
  [p0, p1, p2, p3]: [Float64Array, Float64Array, Float64Array, Float64Array],
): void {
  const a0 = a.subarray(row0 * d, row0 * d + d);
  const a1 = a.subarray(row1 * d, row1 * d + d);
  const a2 = a.subarray(row2 * d, row2 * d + d);
  const a3 = a.subarray(row3 * d, row3 * d + d);
  const m = p0.length;
  for (let j = 0; j < m; j += 1) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0, at = j * d; k < d; k += 1, at += 1) {
      const y = b[at]!;
      s0 += a0[k]! * y;
      s1 += a1[k]! * y;
      s2 += a2[k]! * y;
      s3 += a3[k]! * y;
    }
    p0[j] = s0;
    p1[j] = s1;
    p2[j] = s2;
    p3[j] = s3;
  }
}
