/**
 * Logistic recalibration (Cox 1958; Van Calster et al. 2019). It fits the correction that the probabilities p of a
 * model need on new labels,
 *
 *     logit P(y = 1) = a + b · logit p
 */

import { requireLabels } from '../labels.js';
import { allProbabilities } from './brier.js';

/**
 * The calibration slope b, fitted together with a. 1 is right; below 1 the probabilities are too extreme (overfitted),
 * above 1 they are too timid. NaN where the fit does not exist: with one class only, with probabilities that are all
 * equal or separate the classes perfectly, with a probability of 0 or 1 (its logit is infinite), or with values that
 * are no probabilities.
 *
 * @param probabilities [n] of class 1
 * @param labels [n] 0 or 1
 * @throws RangeError when lengths differ, a label is not 0 or 1, or a value is NaN
 */
export function calibrationSlope(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  return weightedCalibrationSlope(probabilities, labels)();
}

/**
 * The calibration intercept, or "calibration in the large": a with b held at 1. 0 is right; above 0 the model calls too
 * few positive. NaN with one class only, with a probability of 0 or 1, or with values that are no probabilities.
 */
export function calibrationIntercept(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  return weightedCalibrationIntercept(probabilities, labels)();
}

/** {@link calibrationSlope} where sample i counts `weights[i]` times. */
export function weightedCalibrationSlope(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
): (weights?: Float64Array) => number {
  return recalibrated(probabilities, labels, true, ({ slope }) => slope);
}

/** {@link calibrationIntercept} where sample i counts `weights[i]` times. */
export function weightedCalibrationIntercept(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
): (weights?: Float64Array) => number {
  return recalibrated(probabilities, labels, false, ({ intercept }) => intercept);
}

interface Line {
  readonly intercept: number;
  readonly slope: number;
}

const UNCHANGED: Line = { intercept: 0, slope: 1 };

function recalibrated(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  freeSlope: boolean,
  of: (line: Line) => number,
): (weights?: Float64Array) => number {
  requireLabels(labels, probabilities.length, 2, 'calibration');
  if (!allProbabilities(probabilities, 'calibration')) return () => Number.NaN;
  const logits = Float64Array.from(probabilities, (p) => Math.log(p) - Math.log1p(-p));
  if (logits.some((logit) => !Number.isFinite(logit))) return () => Number.NaN;
  const positive = Uint8Array.from(labels);
  const ones = new Float64Array(positive.length).fill(1);
  const lineOf = (weights: Float64Array, start: Line): Line | undefined =>
    exists(logits, positive, weights, freeSlope)
      ? newton(logits, positive, weights, freeSlope, start)
      : undefined;
  // The fit of resampled data is near that of the data, so starting there saves a step or two.
  const whole = lineOf(ones, UNCHANGED);
  return (weights = ones) => {
    const line = weights === ones ? whole : lineOf(weights, whole ?? UNCHANGED);
    return line === undefined ? Number.NaN : of(line);
  };
}

/**
 * True if the fit has a finite optimum. The intercept has none with one class; the slope has none if a threshold
 * separates the classes, or with a single logit.
 */
function exists(
  logits: Float64Array,
  positive: Uint8Array,
  weights: Float64Array,
  freeSlope: boolean,
): boolean {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < logits.length; i += 1) {
    if (weights[i] === 0) continue;
    const c = positive[i]!;
    if (logits[i]! < low[c]!) low[c] = logits[i]!;
    if (logits[i]! > high[c]!) high[c] = logits[i]!;
  }
  if (low.includes(Number.POSITIVE_INFINITY)) return false;
  return !freeSlope || (high[0]! > low[1]! && high[1]! > low[0]!);
}

/**
 * Newton's method on the concave mean log-likelihood. A step that moves no fitted logit by more than 1 raises it for
 * sure, as a curvature p(1 − p) changes by less than the factor e on the way; a longer one is halved until it does.
 */
function newton(
  logits: Float64Array,
  positive: Uint8Array,
  weights: Float64Array,
  freeSlope: boolean,
  start: Line,
): Line | undefined {
  const farthest = logits.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0);
  let line = start;
  for (let iteration = 0; iteration < 100; iteration += 1) {
    const { g0, g1, h00, h01, h11 } = derivatives(logits, positive, weights, line);
    const determinant = h00 * h11 - h01 * h01;
    // Logits that are equal but for rounding have no slope.
    if (freeSlope && !(determinant > 1e-12 * h00 * h11)) return undefined;
    let da = freeSlope ? (h11 * g0 - h01 * g1) / determinant : g0 / h00;
    let db = freeSlope ? (h00 * g1 - h01 * g0) / determinant : 0;
    // The point is so far out that the curvature is lost in rounding.
    if (!Number.isFinite(da) || !Number.isFinite(db)) return undefined;
    const reach = () => Math.abs(da) + Math.abs(db) * farthest;
    if (reach() > 1) {
      const value = logLikelihood(logits, positive, weights, line);
      while (reach() > 1 && !(logLikelihood(logits, positive, weights, moved(line, da, db)) >= value)) {
        da /= 2;
        db /= 2;
      }
    }
    line = moved(line, da, db);
    // The error squares with each step, so it is near 1e-10 by now.
    if (reach() < 1e-5) return line;
  }
  return undefined;
}

function moved({ intercept, slope }: Line, da: number, db: number): Line {
  return { intercept: intercept + da, slope: slope + db };
}

/** Gradient of the log-likelihood by a and b, and its negative Hessian. */
function derivatives(
  logits: Float64Array,
  positive: Uint8Array,
  weights: Float64Array,
  { intercept, slope }: Line,
) {
  let [g0, g1, h00, h01, h11] = [0, 0, 0, 0, 0];
  for (let i = 0; i < logits.length; i += 1) {
    const weight = weights[i]!;
    if (weight === 0) continue;
    const x = logits[i]!;
    const z = intercept + slope * x;
    // The odds of the less likely class neither overflow nor cancel.
    const e = Math.exp(-Math.abs(z));
    const share = 1 / (1 + e);
    const residual = weight * (positive[i]! - (z >= 0 ? share : e * share));
    const curvature = weight * e * share * share;
    g0 += residual;
    g1 += residual * x;
    h00 += curvature;
    h01 += curvature * x;
    h11 += curvature * x * x;
  }
  return { g0, g1, h00, h01, h11 };
}

function logLikelihood(
  logits: Float64Array,
  positive: Uint8Array,
  weights: Float64Array,
  { intercept, slope }: Line,
): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const z = intercept + slope * logits[i]!;
    const certain = positive[i] === 1 ? Math.min(0, z) : -Math.max(0, z);
    sum += weights[i]! * (certain - Math.log1p(Math.exp(-Math.abs(z))));
  }
  return sum;
}
