/** Measures of embeddings by the similarities of their rows: neighbours that vote, retrieval, alignment, uniformity. */
import { requireLabels } from '../labels.js';
import { type Features, unitRows } from './features.js';
import { eachProductRow } from './similarity.js';

export interface NeighbourOptions {
  /** The number of neighbours that vote, at most the number of training rows. */
  readonly k?: number;
  readonly temperature?: number;
  readonly classes?: number;
}

/**
 * Weighted k-nearest-neighbour probabilities (Wu et al. 2018, InstDis, §3.4), with votes normalised so that an AUC is
 * defined:
 *
 *     P(c | x) ∝ Σ over the k most similar training rows of class c of exp(cos(x, x_i) / T)
 *
 * Equally similar rows are taken in their order. The largest vote is factored out, so a small T cannot overflow.
 *
 * @param train [n, d]
 * @param labels [n] class numbers of the training rows
 * @param test [m, d]
 * @returns [m, classes], rows summing to 1
 * @throws RangeError when shapes or labels do not fit, k is not in 1 … n, or T is not positive
 */
export function neighbourProbabilities(
  train: Features,
  labels: ArrayLike<number>,
  test: Features,
  { k = 20, temperature = 0.07, classes = 2 }: NeighbourOptions = {},
): Float64Array {
  requireSameColumns(train, test);
  requireLabels(labels, train.rows, classes, 'kNN');
  if (!(Number.isInteger(k) && k >= 1 && k <= train.rows)) {
    throw new RangeError(
      `kNN: k is ${k}; expected 1 to ${train.rows}, the number of training rows (20 suits a few hundred)`,
    );
  }
  if (!(temperature > 0)) throw new RangeError(`kNN: temperature is ${temperature}; expected more than 0`);
  const probabilities = new Float64Array(test.rows * classes);
  const nearest = new Nearest(k);
  eachProductRow(unitRows(test).data, unitRows(train).data, train.columns, (row, similarities) => {
    nearest.of(similarities);
    const top = nearest.similarity.reduce((a, b) => Math.max(a, b));
    let total = 0;
    for (let i = 0; i < k; i += 1) {
      const vote = Math.exp((nearest.similarity[i]! - top) / temperature);
      probabilities[row * classes + labels[nearest.index[i]!]!]! += vote;
      total += vote;
    }
    for (let c = 0; c < classes; c += 1) probabilities[row * classes + c]! /= total;
  });
  return probabilities;
}

export interface Retrieval {
  /** The share of rows of `a` whose most similar row of `b` is their own partner. */
  readonly aToB: number;
  readonly bToA: number;
}

/**
 * Retrieval@1 between two modalities whose rows are partners, by cosine. Where the partner ties with others it earns an
 * equal share of the hit, so collapsed embeddings score the chance level 1/n and not 1.
 *
 * @param a [n, d]
 * @param b [n, d], row i the partner of row i of `a`
 */
export function retrievalAtOne(a: Features, b: Features): Retrieval {
  requirePartners(a, b);
  const n = a.rows;
  const bestOfColumn = new Float64Array(n).fill(Number.NEGATIVE_INFINITY);
  const tiesOfColumn = new Float64Array(n);
  const partner = new Float64Array(n);
  let hits = 0;
  eachProductRow(unitRows(a).data, unitRows(b).data, a.columns, (i, similarities) => {
    partner[i] = similarities[i]!;
    let best = Number.NEGATIVE_INFINITY;
    let ties = 0;
    for (let j = 0; j < n; j += 1) {
      const s = similarities[j]!;
      if (s > best) {
        best = s;
        ties = 1;
      } else if (s === best) ties += 1;
      if (s > bestOfColumn[j]!) {
        bestOfColumn[j] = s;
        tiesOfColumn[j] = 1;
      } else if (s === bestOfColumn[j]) tiesOfColumn[j]! += 1;
    }
    if (partner[i] === best) hits += 1 / ties;
  });
  let hitsBack = 0;
  for (let j = 0; j < n; j += 1) {
    if (partner[j] === bestOfColumn[j]) hitsBack += 1 / tiesOfColumn[j]!;
  }
  return { aToB: hits / n, bToA: hitsBack / n };
}

/**
 * Alignment, the distance of partners (Wang & Isola 2020, §4.1): mean over i of ‖â_i − b̂_i‖^α, with rows scaled to
 * length 1. 0 is perfect; unrelated isotropic rows have 2 at α = 2.
 *
 * @param a [n, d]
 * @param b [n, d], row i the partner of row i of `a`
 */
export function alignment(a: Features, b: Features, alpha = 2): number {
  requirePartners(a, b);
  const x = unitRows(a).data;
  const y = unitRows(b).data;
  let sum = 0;
  for (let start = 0; start < x.length; start += a.columns) {
    let square = 0;
    for (let j = start; j < start + a.columns; j += 1) square += (x[j]! - y[j]!) ** 2;
    sum += square ** (alpha / 2);
  }
  return sum / a.rows;
}

/**
 * Uniformity, the evenness with which rows cover the sphere (Wang & Isola 2020, §4.1): the log of the mean over pairs i
 * < j of exp(−t ‖x̂_i − x̂_j‖²), with rows scaled to length 1. It is 0 when all rows are the same, and approaches −2t
 * when they spread evenly in many dimensions.
 *
 * @param features [n, d], n ≥ 2
 */
export function uniformity(features: Features, t = 2): number {
  requireRows(features, 2, 'uniformity');
  const unit = unitRows(features).data;
  // Zero rows stay zero, so squared lengths are 1 or 0 and are taken as they are.
  const square = Float64Array.from({ length: features.rows }, (_, i) =>
    unit.subarray(i * features.columns, (i + 1) * features.columns).reduce((sum, v) => sum + v * v, 0),
  );
  let sum = 0;
  eachProductRow(unit, unit, features.columns, (i, products) => {
    for (let j = 0; j < i; j += 1) {
      sum += Math.exp(-t * Math.max(0, square[i]! + square[j]! - 2 * products[j]!));
    }
  });
  return Math.log(sum / ((features.rows * (features.rows - 1)) / 2));
}

/**
 * The standard deviation (n − 1) of each column of the rows scaled to length 1, averaged over columns (Chen & He 2021,
 * SimSiam, §4.1). Healthy embeddings have about 1/√d; 0 means that all rows collapsed into one.
 *
 * @param features [n, d], n ≥ 2
 */
export function featureDeviation(features: Features): number {
  requireRows(features, 2, 'featureDeviation');
  const { data, rows, columns } = unitRows(features);
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      // Welford's update does not cancel when all rows are nearly the same, which is the case to be found.
      const delta = data[i * columns + j]! - mean[j]!;
      mean[j]! += delta / (i + 1);
      squares[j]! += delta * (data[i * columns + j]! - mean[j]!);
    }
  }
  return squares.reduce((sum, square) => sum + Math.sqrt(square / (rows - 1)), 0) / columns;
}

/** The k largest of a row of similarities, kept in a heap whose root is the smallest of them. */
class Nearest {
  readonly similarity: Float64Array;
  readonly index: Uint32Array;

  constructor(readonly k: number) {
    this.similarity = new Float64Array(k);
    this.index = new Uint32Array(k);
  }

  of(similarities: Float64Array): void {
    this.similarity.fill(Number.NEGATIVE_INFINITY);
    for (let j = 0; j < similarities.length; j += 1) {
      if (similarities[j]! > this.similarity[0]!) this.#replaceSmallest(similarities[j]!, j);
    }
  }

  #replaceSmallest(similarity: number, index: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.k) break;
      if (child + 1 < this.k && this.#worse(child + 1, child)) child += 1;
      if (this.similarity[child]! >= similarity) break; // rows come in order: of equals the new one is the last
      this.similarity[at] = this.similarity[child]!;
      this.index[at] = this.index[child]!;
      at = child;
    }
    this.similarity[at] = similarity;
    this.index[at] = index;
  }

  /**
   * True if row a leaves before row b: the less similar row leaves first, and the later one of equally similar rows.
   */
  #worse(a: number, b: number): boolean {
    return (
      this.similarity[a]! < this.similarity[b]! ||
      (this.similarity[a] === this.similarity[b] && this.index[a]! > this.index[b]!)
    );
  }
}

function requireSameColumns(a: Features, b: Features): void {
  if (a.columns !== b.columns) {
    throw new RangeError(`features have ${a.columns} and ${b.columns} columns; expected the same number`);
  }
}

function requirePartners(a: Features, b: Features): void {
  requireSameColumns(a, b);
  if (a.rows !== b.rows) {
    throw new RangeError(`partners: ${a.rows} rows against ${b.rows}; expected one partner a row`);
  }
  requireRows(a, 1, 'partners');
}

function requireRows({ rows }: Features, least: number, what: string): void {
  if (rows < least) throw new RangeError(`${what}: ${rows} row(s); expected at least ${least}`);
}
