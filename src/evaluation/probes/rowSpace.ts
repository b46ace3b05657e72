import type { DoubleFeatures } from '../../metrics/features/features.js';
import { inner } from './cholesky.js';

/** A matrix X [n, d] rotated into the space its rows span: X = coordinates · basisᵀ with orthonormal basis [d, r]. */
export interface RowSpace {
  /** The rotated rows [n, r], r ≤ min(n, d). Their inner products are those of X. */
  readonly coordinates: DoubleFeatures;
  /** Computes basis · v, which brings weights [r] on the coordinates back to weights [d] on X, with the same norm. */
  readonly back: (v: Float64Array) => Float64Array;
}

/**
 * The tolerance of the rank. A row whose rest is below this share of the longest row counts as in the span of the
 * others.
 */
const RANK_TOLERANCE = 1e-13;

/**
 * Rotates wide features (d > n) into at most n columns. A problem that depends on X only through inner products and a
 * weight's Euclidean norm, such as L2-regularised regression, is the same there, and smaller.
 *
 * The method is the pivoted Cholesky of X Xᵀ = L Lᵀ, whose rows are computed as they are needed: with the pivot rows P,
 * L_P is triangular and basis = X_Pᵀ L_P⁻ᵀ. It costs about n²(d + n/3)/2 multiply-adds.
 */
export function rowSpace(x: DoubleFeatures): RowSpace {
  const { data, rows: n, columns: d } = x;
  const rest = Float64Array.from({ length: n }, (_, i) => inner(data, i * d, data, i * d, d));
  const smallest = RANK_TOLERANCE * rest.reduce((a, b) => Math.max(a, b), 0);
  const factor = new Float64Array(n * n);
  const pivots: number[] = [];
  const open = new Set(Array.from({ length: n }, (_, i) => i));
  while (open.size > 0) {
    let pivot = -1;
    for (const i of open) if (pivot < 0 || rest[i]! > rest[pivot]!) pivot = i;
    if (!(rest[pivot]! > smallest)) break;
    const column = pivots.length;
    const root = Math.sqrt(rest[pivot]!);
    factor[pivot * n + column] = root;
    open.delete(pivot);
    pivots.push(pivot);
    for (const i of open) {
      const product =
        inner(data, i * d, data, pivot * d, d) - inner(factor, i * n, factor, pivot * n, column);
      const entry = product / root;
      factor[i * n + column] = entry;
      rest[i]! -= entry * entry;
    }
  }
  const r = pivots.length;
  const coordinates = new Float64Array(n * r);
  for (let i = 0; i < n; i += 1) coordinates.set(factor.subarray(i * n, i * n + r), i * r);
  return {
    coordinates: { data: coordinates, rows: n, columns: r },
    back: (v) => {
      const shares = Float64Array.from(v); // L_Pᵀ shares = v, from the last to the first
      const w = new Float64Array(d);
      for (let k = r - 1; k >= 0; k -= 1) {
        const pivot = pivots[k]!;
        shares[k]! /= coordinates[pivot * r + k]!;
        for (let j = 0; j < k; j += 1) shares[j]! -= shares[k]! * coordinates[pivot * r + j]!;
        for (let j = 0; j < d; j += 1) w[j]! += shares[k]! * data[pivot * d + j]!;
      }
      return w;
    },
  };
}
