/** Brier scores, for two classes and for more. */
import { requireLabels } from '../labels.js';

/**
 * The Brier score of two classes: the mean of (p_i − y_i)² with p the probability of class 1. 0 is perfect, and a
 * constant ½ scores ¼. For more classes see `weightedMulticlassBrier`. NaN without samples, and where any value
 * lies outside 0 … 1, as such scores are no probabilities.
 *
 * @param probabilities [n] of class 1
 * @param labels [n] 0 or 1
 * @throws RangeError when lengths differ, a label is not a class, or a value is NaN
 */
export function brier(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  return weightedBrier(probabilities, labels)();
}

/** {@link brier} where sample i counts `weights[i]` times. */
export function weightedBrier(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
): (weights?: Float64Array) => number {
  requireLabels(labels, probabilities.length, 2, 'Brier score');
  return weightedMean(squares(probabilities, labels, 1, (i) => labels[i]!));
}

/**
 * The Brier score as Brier (1950) wrote it: the mean over samples of the sum over classes of (p_ic − [y_i = c])². It
 * lies between 0 and 2, and for two classes it is twice {@link brier}. Sample i counts `weights[i]` times.
 *
 * @param probabilities [n, classes], row-major
 * @param labels [n], class numbers from 0
 */
export function weightedMulticlassBrier(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): (weights?: Float64Array) => number {
  requireLabels(labels, probabilities.length / classes, classes, 'Brier score');
  return weightedMean(squares(probabilities, labels, classes, (i, c) => (labels[i] === c ? 1 : 0)));
}

/** Tells whether all values lie between 0 and 1. @throws RangeError naming the first that is NaN */
export function allProbabilities(values: ArrayLike<number>, metric: string): boolean {
  let all = true;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (Number.isNaN(value)) throw new RangeError(`${metric}: probability ${i} is NaN; expected a number`);
    if (value < 0 || value > 1) all = false;
  }
  return all;
}

/** The squared error of each sample, summed over `columns`; undefined where the values are no probabilities. */
function squares(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  columns: number,
  truth: (sample: number, column: number) => number,
): Float64Array | undefined {
  if (!allProbabilities(probabilities, 'Brier score')) return undefined;
  return Float64Array.from({ length: labels.length }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < columns; c += 1) sum += (probabilities[i * columns + c]! - truth(i, c)) ** 2;
    return sum;
  });
}

function weightedMean(values: Float64Array | undefined): (weights?: Float64Array) => number {
  if (values === undefined) return () => Number.NaN;
  const ones = new Float64Array(values.length).fill(1);
  return (weights = ones) => {
    let sum = 0;
    let total = 0;
    for (let i = 0; i < values.length; i += 1) {
      sum += weights[i]! * values[i]!;
      total += weights[i]!;
    }
    return sum / total;
  };
}
