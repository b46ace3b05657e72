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
  const n = probabilities.length;
  requireLabels(labels, n, 2, 'calibration');
  if (!allProbabilities(probabilities, 'calibration')) return () => Number.NaN;
  const logits = Float64Array.from(probabilities, (p) => Math.log(p) - Math.log1p(-p));
  if (logits.some((logit) => !Number.isFinite(logit))) return () => Number.NaN;
  const all: Samples = {
    logits,
    signs: Float64Array.from(labels, (label) => (label === 1 ? 1 : -1)),
    weights: new Float64Array(n).fill(1),
    farthest: logits.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0),
  };
  const fitted = (samples: Samples, start: Line, first: Derivatives) =>
    exists(samples, freeSlope) ? newton(samples, freeSlope, start, first) : undefined;
  const whole = fitted(all, UNCHANGED, derivatives(all, UNCHANGED));
  // The fit of resampled data is near that of the data, so all start there. What each sample adds to the derivatives is
  // known there.
  const start = whole ?? UNCHANGED;
  const added = addedAt(all, start);
  const drawnBy = drawing(all);
  return (weights) => {
    const line = weights ? fitted(drawnBy(weights), start, sumOf(logits, added, weights)) : whole;
    return line === undefined ? Number.NaN : of(line);
  };
}

interface Samples {
  readonly logits: Float64Array;
  /** 1 for a positive sample, −1 for a negative. */
  readonly signs: Float64Array;
  readonly weights: Float64Array;
  /** No logit is larger than this in size. */
  readonly farthest: number;
}

/**
 * Gives the samples with a weight; a bootstrap draws about two thirds of them. They are valid until the next call, as
 * memory for thousands of draws would take longer than the fits.
 */
function drawing({ logits, signs, farthest }: Samples): (weights: Float64Array) => Samples {
  const [x, sign, weight] = [logits.slice(), signs.slice(), new Float64Array(logits.length)];
  return (weights) => {
    let count = 0;
    for (let i = 0; i < logits.length; i += 1) {
      x[count] = logits[i]!;
      sign[count] = signs[i]!;
      weight[count] = weights[i]!;
      count += weights[i] === 0 ? 0 : 1;
    }
    return {
      logits: x.subarray(0, count),
      signs: sign.subarray(0, count),
      weights: weight.subarray(0, count),
      farthest,
    };
  };
}

/**
 * True if the fit has a finite optimum. The intercept has none with one class; the slope has none if a threshold
 * separates the classes, or with a single logit.
 */
function exists({ logits, signs }: Samples, freeSlope: boolean): boolean {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < logits.length; i += 1) {
    const c = signs[i]! > 0 ? 1 : 0;
    low[c] = Math.min(low[c]!, logits[i]!);
    high[c] = Math.max(high[c]!, logits[i]!);
  }
  if (low.includes(Number.POSITIVE_INFINITY)) return false;
  return !freeSlope || (high[0]! > low[1]! && high[1]! > low[0]!);
}

/**
 * Newton's method on the concave mean log-likelihood. A step that moves no fitted logit by more than 1 raises it for
 * sure, as a curvature p(1 − p) changes by less than the factor e on the way; a longer one is halved until it does.
 *
 * @param first the derivatives at the start
 */
function newton(samples: Samples, freeSlope: boolean, start: Line, first: Derivatives): Line | undefined {
  let line = start;
  for (let iteration = 0; iteration < 100; iteration += 1) {
    const { g0, g1, h00, h01, h11 } = iteration === 0 ? first : derivatives(samples, line);
    const determinant = h00 * h11 - h01 * h01;
    // Logits that are equal but for rounding have no slope.
    if (freeSlope && !(determinant > 1e-12 * h00 * h11)) return undefined;
    let da = freeSlope ? (h11 * g0 - h01 * g1) / determinant : g0 / h00;
    let db = freeSlope ? (h00 * g1 - h01 * g0) / determinant : 0;
    // The point is so far out that the curvature is lost in rounding.
    if (!Number.isFinite(da) || !Number.isFinite(db)) return undefined;
    const reach = () => Math.abs(da) + Math.abs(db) * samples.farthest;
    if (reach() > 1) {
      const value = logLikelihood(samples, line);
      while (reach() > 1 && !(logLikelihood(samples, moved(line, da, db)) >= value)) {
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
interface Derivatives {
  readonly g0: number;
  readonly g1: number;
  readonly h00: number;
  readonly h01: number;
  readonly h11: number;
}

/** Beyond this margin 1 is lost beside the odds, whose square is still finite here. */
const FARTHEST_MARGIN = 350;

function derivatives({ logits, signs, weights }: Samples, { intercept, slope }: Line): Derivatives {
  let [g0, g1, h00, h01, h11] = [0, 0, 0, 0, 0];
  for (let i = 0; i < logits.length; i += 1) {
    const x = logits[i]!;
    const odds = Math.exp(Math.min(FARTHEST_MARGIN, signs[i]! * (intercept + slope * x)));
    const wrong = 1 / (1 + odds);
    const residual = weights[i]! * signs[i]! * wrong;
    const curvature = weights[i]! * odds * wrong * wrong;
    g0 += residual;
    g1 += residual * x;
    h00 += curvature;
    h01 += curvature * x;
    h11 += curvature * x * x;
  }
  return { g0, g1, h00, h01, h11 };
}

/** What each sample adds to the derivatives at a line, for a weight of 1. */
interface Added {
  readonly residuals: Float64Array;
  readonly curvatures: Float64Array;
}

function addedAt({ logits, signs }: Samples, { intercept, slope }: Line): Added {
  const odds = logits.map((x, i) => Math.exp(Math.min(FARTHEST_MARGIN, signs[i]! * (intercept + slope * x))));
  return {
    residuals: odds.map((value, i) => signs[i]! / (1 + value)),
    curvatures: odds.map((value) => value / (1 + value) / (1 + value)),
  };
}

function sumOf(logits: Float64Array, { residuals, curvatures }: Added, weights: Float64Array): Derivatives {
  let [g0, g1, h00, h01, h11] = [0, 0, 0, 0, 0];
  for (let i = 0; i < logits.length; i += 1) {
    const x = logits[i]!;
    const residual = weights[i]! * residuals[i]!;
    const curvature = weights[i]! * curvatures[i]!;
    g0 += residual;
    g1 += residual * x;
    h00 += curvature;
    h01 += curvature * x;
    h11 += curvature * x * x;
  }
  return { g0, g1, h00, h01, h11 };
}

function logLikelihood({ logits, signs, weights }: Samples, { intercept, slope }: Line): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const margin = signs[i]! * (intercept + slope * logits[i]!);
    sum += weights[i]! * (Math.min(0, margin) - Math.log1p(Math.exp(-Math.abs(margin))));
  }
  return sum;
}
