import type { DoubleFeatures, Features } from '../../metrics/features/features.js';

/** Column means and the factors that bring columns to unit variance. */
export interface Standardizer {
  readonly mean: Float64Array;
  /** 1 / population standard deviation; 0 for a constant column, which therefore becomes 0 everywhere. */
  readonly scale: Float64Array;
}

/** The spread, relative to the mean, that is only the rounding of single precision and no information. */
const SINGLE_PRECISION = 1e-7;

/**
 * Learns z = (x − mean) / std for each column. Fit it on the **training** fold and apply it to both folds.
 *
 * @param train [n, d], n ≥ 1
 */
export function fitStandardizer({ data, rows, columns }: Features): Standardizer {
  if (rows < 1) throw new RangeError('standardize: no training rows');
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) mean[j]! += data[i * columns + j]!;
  }
  for (let j = 0; j < columns; j += 1) mean[j]! /= rows;
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) variance[j]! += (data[i * columns + j]! - mean[j]!) ** 2;
  }
  const scale = variance.map((sum, j) => {
    const std = Math.sqrt(sum / rows);
    return std > SINGLE_PRECISION * Math.abs(mean[j]!) ? 1 / std : 0;
  });
  return { mean, scale };
}

/** Applies a fitted standardizer. The result is always a new matrix in double precision. */
export function standardize(
  { data, rows, columns }: Features,
  { mean, scale }: Standardizer,
): DoubleFeatures {
  if (mean.length !== columns) {
    throw new RangeError(`standardize: ${columns} columns, but fitted on ${mean.length}`);
  }
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      out[i * columns + j] = (data[i * columns + j]! - mean[j]!) * scale[j]!;
    }
  }
  return { data: out, rows, columns };
}
