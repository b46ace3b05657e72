/** Metrics of called classes, computed from a confusion table. */
import { classColumn } from './areas/rocAuc.js';
import { requireLabels } from './labels.js';

/** The confusion table: counts[label · classes + predicted] samples of class `label` were called `predicted`. */
export interface Confusion {
  readonly classes: number;
  readonly counts: Float64Array;
}

/**
 * Counts predictions against labels, both class numbers from 0.
 *
 * @throws RangeError when lengths differ or a class number is out of range
 */
export function confusion(predicted: ArrayLike<number>, labels: ArrayLike<number>, classes = 2): Confusion {
  requireLabels(labels, predicted.length, classes, 'confusion');
  requireLabels(predicted, predicted.length, classes, 'confusion, predicted');
  const counts = new Float64Array(classes * classes);
  for (let i = 0; i < labels.length; i += 1) counts[labels[i]! * classes + predicted[i]!]! += 1;
  return { classes, counts };
}

/** The share of samples that were called by their own class; NaN without samples. */
export function accuracy({ classes, counts }: Confusion): number {
  let right = 0;
  for (let c = 0; c < classes; c += 1) right += counts[c * classes + c]!;
  return right / counts.reduce((sum, count) => sum + count, 0);
}

/**
 * TP / (TP + FP). NaN when nothing was called `positive`, as no call can then be right; scikit-learn warns and gives 0.
 */
export function precision(table: Confusion, positive = 1): number {
  const { tp, fp } = outcomes(table, positive);
  return tp / (tp + fp);
}

/** Sensitivity, TP / (TP + FN). NaN without samples of the class, as there is nothing to recall. */
export function recall(table: Confusion, positive = 1): number {
  const { tp, fn } = outcomes(table, positive);
  return tp / (tp + fn);
}

/** TN / (TN + FP). NaN when every sample belongs to the class. */
export function specificity(table: Confusion, positive = 1): number {
  const { tn, fp } = outcomes(table, positive);
  return tn / (tn + fp);
}

/** 2 TP / (2 TP + FP + FN) of one class. NaN when the class neither occurs nor is predicted. */
export function f1(table: Confusion, positive = 1): number {
  const { tp, fp, fn } = outcomes(table, positive);
  return (2 * tp) / (2 * tp + fp + fn);
}

/**
 * The unweighted mean of a one-class metric over the classes, scikit-learn's `average='macro'`. `macro(table, recall)`
 * is the balanced accuracy. NaN where a class has no samples. For the balanced accuracy scikit-learn then gives the
 * mean over the other classes, which is another quantity, and a flattering one in a fold of one class.
 */
export function macro(table: Confusion, metric: (table: Confusion, positive: number) => number): number {
  let sum = 0;
  for (let c = 0; c < table.classes; c += 1) {
    const { tp, fn } = outcomes(table, c);
    if (tp + fn === 0) return Number.NaN;
    sum += metric(table, c);
  }
  return sum / table.classes;
}

/**
 * Cohen's kappa (1960): the agreement beyond what the margins give by chance, (p_o − p_e) / (1 − p_e). 1 is perfect, 0
 * is chance. NaN without samples, and where labels and predictions are all of one class, as chance is then perfect.
 */
export function kappa(table: Confusion): number {
  const { classes, counts } = table;
  const total = counts.reduce((sum, count) => sum + count, 0);
  let chance = 0;
  for (let c = 0; c < classes; c += 1) {
    let [ofClass, called] = [0, 0];
    for (let other = 0; other < classes; other += 1) {
      ofClass += counts[c * classes + other]!;
      called += counts[other * classes + c]!;
    }
    chance += (ofClass / total) * (called / total);
  }
  return (accuracy(table) - chance) / (1 - chance);
}

export interface PredictionOptions {
  /** The number of classes. Class 1 is the positive one of two. */
  readonly classes?: number;
  /** The threshold for two classes: a sample is called positive where its probability is above it. */
  readonly threshold?: number;
}

/**
 * Calls a class for each sample, [n]. With two classes it is 1 where p > threshold, otherwise the most probable class.
 * Ties go to the lower class number in both, as in scikit-learn.
 *
 * @param probabilities [n, classes], or for two classes [n] of the positive class
 * @param samples n
 */
export function predictedClasses(
  probabilities: ArrayLike<number>,
  samples: number,
  { classes = 2, threshold = 0.5 }: PredictionOptions = {},
): Int32Array {
  if (classes === 2) {
    const positive = positiveColumn(probabilities, samples);
    return Int32Array.from({ length: samples }, (_, i) => (positive[i]! > threshold ? 1 : 0));
  }
  return Int32Array.from({ length: samples }, (_, i) => {
    let best = 0;
    for (let c = 1; c < classes; c += 1) {
      if (probabilities[i * classes + c]! > probabilities[i * classes + best]!) best = c;
    }
    return best;
  });
}

/** Takes the scores of class 1, [n], from [n] or [n, 2]. */
export function positiveColumn(probabilities: ArrayLike<number>, samples: number): ArrayLike<number> {
  return probabilities.length === samples ? probabilities : classColumn(probabilities, 2, 1);
}

function outcomes({ classes, counts }: Confusion, positive: number) {
  let tp = 0;
  let fp = 0;
  let fn = 0;
  let tn = 0;
  for (let label = 0; label < classes; label += 1) {
    for (let predicted = 0; predicted < classes; predicted += 1) {
      const count = counts[label * classes + predicted]!;
      if (label === positive && predicted === positive) tp += count;
      else if (predicted === positive) fp += count;
      else if (label === positive) fn += count;
      else tn += count;
    }
  }
  return { tp, fp, fn, tn };
}
