/**
 * Temperature scaling (Guo et al. 2017): one number T that makes probabilities less extreme (above 1) or more (below 1)
 * without changing any rank or call,
 *
 *     p_T ∝ p^(1 / T)
 */
import { requireLabels } from '../labels.js';

/** The range of 1 / T. Classes that the scores separate perfectly would have T = 0. */
const SHARPEST = 100;
const DULLEST = 1e-3;

/**
 * Finds the T with the lowest mean log-loss. The loss is convex in 1 / T, so the root of its derivative is bisected.
 *
 * @param probabilities [n, classes]; give those of samples that the model has not learned from
 * @param labels [n] class numbers
 * @returns T from 0.01 to 1,000
 * @throws RangeError when lengths differ, a label is no class, or a value is no probability
 */
export function fitTemperature(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): number {
  requireLabels(labels, probabilities.length / classes, classes, 'temperature');
  const logs = logarithms(probabilities);
  let [low, high] = [DULLEST, SHARPEST];
  if (slope(logs, labels, classes, high) <= 0) return 1 / high;
  if (slope(logs, labels, classes, low) >= 0) return 1 / low;
  // Sixty halvings of the logarithm take the interval below the last bit.
  for (let i = 0; i < 60; i += 1) {
    const middle = Math.sqrt(low * high);
    if (slope(logs, labels, classes, middle) > 0) high = middle;
    else low = middle;
  }
  return 1 / Math.sqrt(low * high);
}

/**
 * Applies a temperature.
 *
 * @param probabilities [n, classes]
 * @returns [n, classes], rows summing to 1
 */
export function withTemperature(
  probabilities: ArrayLike<number>,
  classes: number,
  temperature: number,
): Float64Array {
  const logs = logarithms(probabilities);
  const scaled = new Float64Array(logs.length);
  for (let at = 0; at < logs.length; at += classes) {
    scaled.set(tempered(logs, at, classes, 1 / temperature), at);
  }
  return scaled;
}

/** A probability of 0 counts as the smallest positive double, as in the log-loss. */
function logarithms(probabilities: ArrayLike<number>): Float64Array {
  return Float64Array.from(probabilities, (p) => {
    if (!(p >= 0 && p <= 1 + 1e-9)) throw new RangeError(`temperature: ${p} is no probability`);
    return Math.log(Math.max(Number.MIN_VALUE, p));
  });
}

/** The derivative of the mean log-loss by β = 1 / T: the mean of Σ_c p_c log q_c − log q_y, with p ∝ q^β. */
function slope(logs: Float64Array, labels: ArrayLike<number>, classes: number, beta: number): number {
  let sum = 0;
  for (let i = 0, at = 0; at < logs.length; i += 1, at += classes) {
    const p = tempered(logs, at, classes, beta);
    for (let c = 0; c < classes; c += 1) sum += p[c]! * logs[at + c]!;
    sum -= logs[at + labels[i]!]!;
  }
  return sum;
}

function tempered(logs: Float64Array, at: number, classes: number, beta: number): Float64Array {
  let top = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < classes; c += 1) top = Math.max(top, beta * logs[at + c]!);
  const p = Float64Array.from({ length: classes }, (_, c) => Math.exp(beta * logs[at + c]! - top));
  const total = p.reduce((a, b) => a + b);
  return p.map((value) => value / total);
}
