import { type Features, takeRows } from '../../metrics/features/features.js';
import { choleskySolve, inner } from './cholesky.js';
import { innerFolds } from './innerFolds.js';

export interface RidgeModel {
  readonly weights: Float64Array;
  readonly bias: number;
  readonly lambda: number;
}

/**
 * The values of λ to choose from, as multiples of n times the mean variance of the training rows' columns, so that the
 * grid fits any scale of pixels.
 */
export const DEFAULT_RIDGE_GRID: readonly number[] = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100];

/** Scores [n] = X w + b. */
function predictRidge(model: RidgeModel, { data, rows, columns }: Features): Float64Array {
  if (columns !== model.weights.length) {
    throw new RangeError(`ridge: ${columns} columns, but fitted on ${model.weights.length}`);
  }
  const x = Float64Array.from(data);
  return Float64Array.from(
    { length: rows },
    (_, i) => model.bias + inner(x, i * columns, model.weights, 0, columns),
  );
}

export interface RidgeBaselineOptions {
  /** Relative values of λ, see {@link DEFAULT_RIDGE_GRID}. */
  readonly grid?: readonly number[];
}

export interface RidgeBaseline {
  /**
   * The scores [m] of the test rows; above 0 means class 1. Only their order means something: they are no
   * probabilities.
   */
  readonly scores: Float64Array;
  readonly model: RidgeModel;
}

/**
 * The thumbnail baseline: ridge regression of ±1 labels on shrunken pixels (12×12: d = 144 for each modality), with λ
 * chosen by the held-out squared error inside the training rows. An encoder that does not beat it is not shown to have
 * learned more than the coarse brightness of the images.
 *
 * @param train [n, d]
 * @param labels [n] 0 or 1
 * @param test [m, d]
 * @param folds [n] inner fold of each training row, by subject
 */
export function ridgeBaseline(
  train: Features,
  labels: ArrayLike<number>,
  test: Features,
  folds: ArrayLike<number>,
  { grid = DEFAULT_RIDGE_GRID }: RidgeBaselineOptions = {},
): RidgeBaseline {
  if (folds.length !== train.rows) {
    throw new RangeError(`ridge: ${train.rows} rows but ${folds.length} fold numbers`);
  }
  if (grid.length === 0) throw new RangeError('ridge: the grid of lambda is empty');
  const targets = Float64Array.from({ length: labels.length }, (_, i) => {
    if (labels[i] !== 0 && labels[i] !== 1) {
      throw new RangeError(`ridge: label ${i} is ${labels[i]}; expected 0 or 1`);
    }
    return 2 * labels[i]! - 1;
  });
  const error = new Float64Array(grid.length);
  for (const { fit, judge } of innerFolds(folds)) {
    const equations = normalEquations(
      takeRows(train, fit),
      Array.from(fit, (i) => targets[i]!),
    );
    const heldOut = takeRows(train, judge);
    for (const [g, relative] of grid.entries()) {
      const scores = predictRidge(solve(equations, relative * equations.scale), heldOut);
      for (const [row, i] of judge.entries()) error[g]! += (scores[row]! - targets[i]!) ** 2;
    }
  }
  let best = 0;
  for (let g = 1; g < grid.length; g += 1) {
    const better = error[g]! < error[best]!;
    if (better || (error[g] === error[best] && grid[g]! > grid[best]!)) best = g;
  }
  const equations = normalEquations(train, targets);
  const model = solve(equations, grid[best]! * equations.scale);
  return { scores: predictRidge(model, test), model };
}

/** The equations of a regression, by its columns or, where these are fewer, by its rows. */
interface NormalEquations {
  /** The lower triangle of X̃ᵀX̃, [d, d], or of X̃X̃ᵀ, [n, n]. */
  readonly gram: Float64Array;
  /** X̃ᵀỹ, [d], or ỹ, [n]. */
  readonly moment: Float64Array;
  /** X̃, [n, d], where the equations are those of the rows. */
  readonly rows?: Float64Array;
  readonly mean: Float64Array;
  readonly targetMean: number;
  /** The mean of the gram's diagonal, 1 if that is 0. It is the unit of a relative λ. */
  readonly scale: number;
}

function normalEquations(
  { data, rows: n, columns: d }: Features,
  targets: ArrayLike<number>,
): NormalEquations {
  if (targets.length !== n || n === 0) {
    throw new RangeError(
      `ridge: ${n} rows of features and ${targets.length} targets; expected as many of each`,
    );
  }
  const mean = new Float64Array(d);
  let targetMean = 0;
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < d; j += 1) mean[j]! += data[i * d + j]! / n;
    targetMean += targets[i]! / n;
  }
  const centred = Float64Array.from({ length: n }, (_, i) => targets[i]! - targetMean);
  // Columns become rows, so that the inner products run over neighbours in memory.
  const byRows = n < d;
  const vectors = new Float64Array(d * n);
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < d; j += 1) vectors[byRows ? i * d + j : j * n + i] = data[i * d + j]! - mean[j]!;
  }
  const [count, length] = byRows ? [n, d] : [d, n];
  const gram = new Float64Array(count * count);
  let trace = 0;
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j <= i; j += 1)
      gram[i * count + j] = inner(vectors, i * length, vectors, j * length, length);
    trace += gram[i * count + i]!;
  }
  const common = { gram, mean, targetMean, scale: trace > 0 ? trace / d : 1 };
  if (byRows) return { ...common, moment: centred, rows: vectors };
  return {
    ...common,
    moment: Float64Array.from({ length: d }, (_, j) => inner(vectors, j * n, centred, 0, n)),
  };
}

/**
 * Ridge regression, minimising ‖y − X w − b‖² + λ ‖w‖² with a free intercept, in closed form: w = (X̃ᵀX̃ + λI)⁻¹ X̃ᵀỹ
 * with X̃, ỹ centred (scikit-learn's `Ridge(alpha=λ)`). By rows it is the same w = X̃ᵀ(X̃X̃ᵀ + λI)⁻¹ ỹ. Exact for hundreds
 * of columns or rows; with m the fewer of them, it costs n d m/2 + m³/6.
 */
function solve({ gram, moment, rows, mean, targetMean }: NormalEquations, lambda: number): RidgeModel {
  const system = Float64Array.from(gram);
  for (let j = 0; j < moment.length; j += 1) system[j * moment.length + j]! += lambda;
  const solution = choleskySolve(system, moment);
  const weights = rows === undefined ? solution : combined(rows, solution, mean.length);
  return { weights, bias: targetMean - inner(mean, 0, weights, 0, mean.length), lambda };
}

/** X̃ᵀα of rows [n, d]. */
function combined(rows: Float64Array, alpha: Float64Array, d: number): Float64Array {
  const sum = new Float64Array(d);
  for (const [i, weight] of alpha.entries()) {
    for (let j = 0; j < d; j += 1) sum[j]! += weight * rows[i * d + j]!;
  }
  return sum;
}
