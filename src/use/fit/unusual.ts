/** How unusual a sample is: its distance to the samples that a model learned from. */
import { fitStandardizer, type Standardizer, standardize } from '../../evaluation/probes/standardize.js';
import { type Features, featureRows, takeRows } from '../../metrics/features/features.js';
import { eachProductRow } from '../../metrics/features/similarity.js';

/** The neighbour whose distance counts. One alone may be an oddity of the training samples. */
const NEIGHBOUR = 5;

/**
 * The distance of each row to its fifth nearest reference row (after Sun et al. 2022, deep nearest neighbours), as the
 * root of the mean squared difference of a column. Columns are standardised, so that unrelated rows of the kind that
 * was learned from are about √2 apart. The length of rows counts, unlike in a cosine: images of another kind often have
 * features that are large in all directions. With fewer than five reference rows it is the farthest of them.
 *
 * @param features [n, d] standardised as the reference is
 * @param reference [m, d]
 */
export function distances(features: Features, reference: Features): Float64Array {
  const far = new Float64Array(features.rows);
  const nearest = Math.min(NEIGHBOUR, reference.rows);
  const [x, y] = [Float64Array.from(features.data), Float64Array.from(reference.data)];
  const { columns } = features;
  const [xx, yy] = [squares(x, columns), squares(y, columns)];
  eachProductRow(x, y, columns, (row, products) => {
    const sorted = products.map((product, other) => xx[row]! + yy[other]! - 2 * product).sort();
    // Rounding may bring equal rows below 0.
    far[row] = Math.sqrt(Math.max(0, sorted[nearest - 1]!) / columns);
  });
  return far;
}

/** The squared length of each row. */
function squares(data: Float64Array, columns: number): Float64Array {
  return Float64Array.from({ length: data.length / columns }, (_, row) =>
    data.subarray(row * columns, (row + 1) * columns).reduce((sum, value) => sum + value * value, 0),
  );
}

/** The share of held-out samples above which a sample is called unusual. */
export const USUAL = 0.99;

/**
 * The share of the held-out samples that are nearer than a distance, 0 … 1.
 *
 * @param heldOut the distances of samples to those of other subjects, ascending
 */
export function shareNearer(distance: number, heldOut: Float64Array): number {
  let [low, high] = [0, heldOut.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (heldOut[middle]! < distance) low = middle + 1;
    else high = middle;
  }
  return heldOut.length === 0 ? 0 : low / heldOut.length;
}

/** The most samples that a model keeps to measure distances to. */
const MOST_KEPT = 5000;

/** The standardised features of the training samples that a model keeps, in single precision. */
export function referenceOf(features: Features, standardizer: Standardizer): Features {
  const { data, rows, columns } = thinned(standardize(features, standardizer));
  return featureRows(Float32Array.from(data), rows, columns);
}

/** The distances of test samples to training samples, both standardised as the latter. */
export function heldOutDistances(train: Features, test: Features): Float64Array {
  const standardizer = fitStandardizer(train);
  return distances(standardize(test, standardizer), thinned(standardize(train, standardizer)));
}

/** Thins rows to those that are kept, evenly over their order. */
function thinned(features: Features): Features {
  const { rows } = features;
  if (rows <= MOST_KEPT) return features;
  return takeRows(
    features,
    Array.from({ length: MOST_KEPT }, (_, i) => Math.floor((i * rows) / MOST_KEPT)),
  );
}
