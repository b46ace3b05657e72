/**
 * Solves S x = b for a symmetric positive definite S through S = L Lᵀ.
 *
 * @param s [d, d] row-major; its lower triangle is overwritten by L
 * @param b [d]
 * @throws RangeError when S is not positive definite
 */
export function choleskySolve(s: Float64Array, b: Float64Array): Float64Array {
  const d = b.length;
  for (let j = 0; j < d; j += 1) {
    for (let i = j; i < d; i += 1) {
      const rest = s[i * d + j]! - inner(s, i * d, s, j * d, j);
      if (i > j) s[i * d + j] = rest / s[j * d + j]!;
      else if (rest > 0) s[j * d + j] = Math.sqrt(rest);
      else throw new RangeError(`Cholesky: pivot ${j} is ${rest}; the matrix is not positive definite`);
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < d; i += 1) x[i] = (x[i]! - inner(s, i * d, x, 0, i)) / s[i * d + i]!;
  for (let i = d - 1; i >= 0; i -= 1) {
    x[i]! /= s[i * d + i]!;
    for (let j = 0; j < i; j += 1) x[j]! -= x[i]! * s[i * d + j]!;
  }
  return x;
}

/**
 * The inner product Σ a[aStart + k] · b[bStart + k] over k < n, in four partial sums so that additions do not wait for
 * each other.
 */
export function inner(a: Float64Array, aStart: number, b: Float64Array, bStart: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < n; k += 4) {
    s0 += a[aStart + k]! * b[bStart + k]!;
    s1 += a[aStart + k + 1]! * b[bStart + k + 1]!;
    s2 += a[aStart + k + 2]! * b[bStart + k + 2]!;
    s3 += a[aStart + k + 3]! * b[bStart + k + 3]!;
  }
  for (; k < n; k += 1) s0 += a[aStart + k]! * b[bStart + k]!;
  return s0 + s1 + (s2 + s3);
}
