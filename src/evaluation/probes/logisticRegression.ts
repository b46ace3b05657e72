import type { Features } from '../../metrics/features/features.js';
import { requireLabels } from '../../metrics/labels.js';
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
  const x = { ...features, data: Float64Array.from(features.data) };
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
 * The objective F(W, b) = (Σᵢ −log P(yᵢ
 * xᵢ) + ‖W‖² / 2C) / n and its gradient. The parameters are the rows of W, then b.
 *
 * Four samples at a time go through the weights and, while they are still in the cache, into the gradient, so an
 * evaluation passes over the features once.
 */
export function logisticObjective(
  { data, rows: n, columns: d }: Features,
  labels: ArrayLike<number>,
  C: number,
  classes = 2,
): Objective {
  requireLabels(labels, n, classes, 'logistic regression');
  if (!(C > 0 && Number.isFinite(C))) {
    throw new RangeError(`logistic regression: C is ${C}; expected a positive number`);
  }
  const outputs = classes === 2 ? 1 : classes;
  const x = new Float64Array(Math.ceil(n / 4) * 4 * d); // zero rows fill the last block of four
  x.set(data);
  const logits = new Float64Array(4 * outputs);
  const residuals = new Float64Array(4 * outputs);

  return (parameters, gradient) => {
    gradient.fill(0);
    let loss = 0;
    for (let first = 0; first < n; first += 4) {
      blockLogits(x, first * d, parameters, d, outputs, logits);
      residuals.fill(0);
      for (let r = 0; r < 4 && first + r < n; r += 1) {
        loss += sampleLoss(logits, r * outputs, outputs, labels[first + r]!, residuals);
        for (let k = 0; k < outputs; k += 1) gradient[outputs * d + k]! += residuals[r * outputs + k]!;
      }
      addBlockGradient(x, first * d, residuals, d, outputs, gradient);
    }
    let square = 0;
    for (let j = 0; j < outputs * d; j += 1) {
      square += parameters[j]! * parameters[j]!;
      gradient[j] = (gradient[j]! + parameters[j]! / C) / n;
    }
    for (let k = 0; k < outputs; k += 1) gradient[outputs * d + k]! /= n;
    return (loss + square / (2 * C)) / n;
  };
}

/** Computes logits[r, k] = x_r · W_k + b_k for the four rows of x from `at`. */
function blockLogits(
  x: Float64Array,
  at: number,
  parameters: Float64Array,
  d: number,
  outputs: number,
  logits: Float64Array,
): void {
  for (let k = 0; k < outputs; k += 1) {
    let s0 = parameters[outputs * d + k]!;
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let j = 0, p0 = at, p1 = at + d, p2 = at + 2 * d, p3 = at + 3 * d; j < d; j += 1) {
      const w = parameters[k * d + j]!;
      s0 += x[p0 + j]! * w;
      s1 += x[p1 + j]! * w;
      s2 += x[p2 + j]! * w;
      s3 += x[p3 + j]! * w;
    }
    logits[k] = s0;
    logits[outputs + k] = s1;
    logits[2 * outputs + k] = s2;
    logits[3 * outputs + k] = s3;
  }
}

/** Adds Σ_r residuals[r, k] · x_r over the same four rows to gradient_k. */
function addBlockGradient(
  x: Float64Array,
  at: number,
  residuals: Float64Array,
  d: number,
  outputs: number,
  gradient: Float64Array,
): void {
  for (let k = 0; k < outputs; k += 1) {
    const r0 = residuals[k]!;
    const r1 = residuals[outputs + k]!;
    const r2 = residuals[2 * outputs + k]!;
    const r3 = residuals[3 * outputs + k]!;
    for (let j = 0, p0 = at, p1 = at + d, p2 = at + 2 * d, p3 = at + 3 * d; j < d; j += 1) {
      gradient[k * d + j]! += r0 * x[p0 + j]! + r1 * x[p1 + j]! + (r2 * x[p2 + j]! + r3 * x[p3 + j]!);
    }
  }
}

/**
 * The loss −log P(label) of one sample. Writes P − [label] of each output, the gradient by its logits, into
 * `residuals`.
 */
function sampleLoss(
  logits: Float64Array,
  at: number,
  outputs: number,
  label: number,
  residuals: Float64Array,
): number {
  if (outputs === 1) {
    const margin = label === 1 ? logits[at]! : -logits[at]!;
    const wrong = margin > 0 ? Math.exp(-margin) / (1 + Math.exp(-margin)) : 1 / (1 + Math.exp(margin));
    residuals[at] = label === 1 ? -wrong : wrong;
    return Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin)));
  }
  let top = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < outputs; k += 1) top = Math.max(top, logits[at + k]!);
  let total = 0;
  for (let k = 0; k < outputs; k += 1) total += Math.exp(logits[at + k]! - top);
  for (let k = 0; k < outputs; k += 1) {
    residuals[at + k] = Math.exp(logits[at + k]! - top) / total - (k === label ? 1 : 0);
  }
  return top + Math.log(total) - logits[at + label]!;
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
