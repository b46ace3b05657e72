import type { DoubleFeatures, Features } from '../../metrics/features/features.js';
import { requireLabels } from '../../metrics/labels.js';
import { logisticLoss } from '../../tensor/index.js';
import { minimize, type Objective } from './lbfgs.js';
import type { LinearClassifier } from './linearClassifier.js';
import { rowSpace } from './rowSpace.js';

/** A fitted logistic regression. It has one output for two classes, otherwise one for each class. */
export interface LogisticModel extends LinearClassifier {
  readonly C: number;
  readonly iterations: number;
  readonly converged: boolean;
}

export interface LogisticOptions {
  readonly classes?: number;
  /**
   * The size of the gradient's largest component at which the fit stops. F below is a mean per sample, so this does not
   * depend on n.
   */
  readonly tolerance?: number;
  readonly maxIterations?: number;
}

/**
 * L2-regularised logistic regression with scikit-learn's objective, C · Σ log-loss + ½ ‖W‖² with a free intercept,
 * minimised by L-BFGS as the mean F = (Σ log-loss + ‖W‖² / 2C) / n. Two classes use one weight vector, more use the
 * softmax (multinomial).
 *
 * @param features [n, d] standardised on these rows, or at least of similar scale a column
 * @param labels [n] class numbers
 * @throws RangeError when lengths, labels or C do not fit
 */
export function fitLogistic(
  features: Features,
  labels: ArrayLike<number>,
  C: number,
  options: LogisticOptions = {},
): LogisticModel {
  return logisticPath(features, labels, 1, options)(C);
}

/**
 * Fits one C after the other on the same features. Each fit starts from the solution of the last, which is cheap for
 * increasing C.
 *
 * @param fits about how many fits there will be
 */
export function logisticPath(
  features: Features,
  labels: ArrayLike<number>,
  fits: number,
  { classes = 2, tolerance = 1e-6, maxIterations = 2000 }: LogisticOptions = {},
): (C: number) => LogisticModel {
  const { data } = features;
  const x = { ...features, data: data instanceof Float64Array ? data : Float64Array.from(data) };
  const space = worthRotating(x, fits) ? rowSpace(x) : undefined;
  const worked = space?.coordinates ?? x;
  const outputs = classes === 2 ? 1 : classes;
  let start: Float64Array = new Float64Array(outputs * (worked.columns + 1));
  return (C) => {
    const objective = logisticObjective(worked, labels, C, classes);
    const minimum = minimize(objective, start, { tolerance, maxIterations });
    start = minimum.x;
    return {
      classes,
      weights: originalWeights(start, outputs, worked.columns, space?.back),
      bias: start.slice(outputs * worked.columns),
      C,
      iterations: minimum.iterations,
      converged: minimum.converged,
    };
  };
}

/**
 * The objective F(W, b) = (Σᵢ −log P(yᵢ|xᵢ) + ‖W‖² / 2C) / n and its gradient. The parameters are the rows of W, then b.
 *
 * @param features [n, d] in double precision
 */
export function logisticObjective(
  { data, rows: n, columns: d }: DoubleFeatures,
  labels: ArrayLike<number>,
  C: number,
  classes = 2,
): Objective {
  requireLabels(labels, n, classes, 'logistic regression');
  if (!(C > 0 && Number.isFinite(C))) {
    throw new RangeError(`logistic regression: C is ${C}; expected a positive number`);
  }
  const outputs = classes === 2 ? 1 : classes;
  const numbers = Uint32Array.from(labels);
  return (parameters, gradient) => {
    const loss = logisticLoss(data, numbers, outputs, parameters, gradient);
    let square = 0;
    for (let j = 0; j < outputs * d; j += 1) {
      square += parameters[j]! * parameters[j]!;
      gradient[j] = (gradient[j]! + parameters[j]! / C) / n;
    }
    for (let k = 0; k < outputs; k += 1) gradient[outputs * d + k]! /= n;
    return (loss + square / (2 * C)) / n;
  };
}

/**
 * True when rotating the features saves time. It costs about n²(d + n/3)/2 multiply-adds once and saves 2n(d − n) a
 * pass; along a grid a value of C takes about 80 passes.
 */
function worthRotating({ rows: n, columns: d }: Features, fits: number): boolean {
  return d > n && 2 * (d - n) * 80 * fits > (n * (d + n / 3)) / 2;
}

function originalWeights(
  parameters: Float64Array,
  outputs: number,
  columns: number,
  back: ((v: Float64Array) => Float64Array) | undefined,
): Float64Array {
  const rows = Array.from({ length: outputs }, (_, k) => {
    const row = parameters.slice(k * columns, (k + 1) * columns);
    return back ? back(row) : row;
  });
  const d = rows[0]!.length;
  const weights = new Float64Array(outputs * d);
  for (const [k, row] of rows.entries()) weights.set(row, k * d);
  return weights;
}
