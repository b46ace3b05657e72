/**
 * Logistic recalibration (Cox 1958; Van Calster et al. 2019): how the probabilities p of a model would have to be bent so
 * that they fit new labels,
 *
 *     logit P(y = 1) = a + b · logit p
 */
import { allProbabilities } from './brier.js';
import { requireLabels } from './labels.js';

/**
 * Calibration slope: b, fitted together with a. 1 is right, below 1 the probabilities are too extreme (overfitted), above 1 too
 * timid. NaN where the fit does not exist: one class only, all probabilities alike or separating the classes perfectly, a
 * probability of 0 or 1 (its logit is infinite), or values that are no probabilities.
 *
 * @param probabilities [n] of class 1
 * @param labels [n] 0 or 1
 * @throws RangeError when lengths differ, a label is not 0 or 1, or a value is NaN
 */
export function calibrationSlope(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  return weightedCalibrationSlope(probabilities, labels)();
}

/**
 * Calibration intercept, "calibration in the large": a with b held at 1. 0 is right, above 0 the model calls too few
 * positive. NaN with one class only, a probability of 0 or 1, or values that are no probabilities.
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
  // Of resampled data the fit is near that of the data, so a step or two less is needed from there.
  const whole = lineOf(ones, UNCHANGED);
  return (weights = ones) => {
    const line = weights === ones ? whole : lineOf(weights, whole ?? UNCHANGED);
    return line === undefined ? Number.NaN : of(line);
  };
}

/** With one class the intercept, with classes that a threshold separates (or one logit only) the slope has no finite best. */
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

/** Newton's method on the concave mean log-likelihood; a step that would lower it is halved, so any start leads to the top. */
function newton(
  logits: Float64Array,
  positive: Uint8Array,
  weights: Float64Array,
  freeSlope: boolean,
  start: Line,
): Line {
  let line = start;
  let at = likelihood(logits, positive, weights, line);
  for (let step = 0; step < 100; step += 1) {
    const { g0, g1, h00, h01, h11 } = at;
    const determinant = h00 * h11 - h01 * h01;
    const da = freeSlope ? (h11 * g0 - h01 * g1) / determinant : g0 / h00;
    const db = freeSlope ? (h00 * g1 - h01 * g0) / determinant : 0;
    if (!(Math.hypot(da, db) > 1e-10 * (1 + Math.hypot(line.intercept, line.slope)))) break;
    let share = 1;
    let next: Likelihood;
    let tried: Line;
    do {
      tried = { intercept: line.intercept + share * da, slope: line.slope + share * db };
      next = likelihood(logits, positive, weights, tried);
      share /= 2;
      // Near the top rounding decides, and Newton's step is good as it is.
    } while (!(next.value >= at.value - 1e-13 * Math.abs(at.value)) && share > 1e-18);
    line = tried;
    at = next;
  }
  return line;
}

/** The mean log-likelihood with its gradient by a and b and its negative Hessian. */
interface Likelihood {
  readonly value: number;
  readonly g0: number;
  readonly g1: number;
  readonly h00: number;
  readonly h01: number;
  readonly h11: number;
}

function likelihood(
  logits: Float64Array,
  positive: Uint8Array,
  weights: Float64Array,
  { intercept, slope }: Line,
): Likelihood {
  let [value, g0, g1, h00, h01, h11, total] = [0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < logits.length; i += 1) {
    const weight = weights[i]!;
    if (weight === 0) continue;
    const x = logits[i]!;
    const z = intercept + slope * x;
    // Of the less likely class, so that neither overflows nor cancels.
    const e = Math.exp(-Math.abs(z));
    const p = z >= 0 ? 1 / (1 + e) : e / (1 + e);
    const residual = weight * (positive[i]! - p);
    const curvature = (weight * e) / (1 + e) ** 2;
    value += weight * ((positive[i] === 1 ? Math.min(0, z) : -Math.max(0, z)) - Math.log1p(e));
    total += weight;
    g0 += residual;
    g1 += residual * x;
    h00 += curvature;
    h01 += curvature * x;
    h11 += curvature * x * x;
  }
  return {
    value: value / total,
    g0: g0 / total,
    g1: g1 / total,
    h00: h00 / total,
    h01: h01 / total,
    h11: h11 / total,
  };
}
