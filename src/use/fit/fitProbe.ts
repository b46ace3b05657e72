/** Fits a probe on the features of all labelled samples, and finds out by cross-validation how it does on others. */
import { trainingOf } from '../../evaluation/folds/outerFolds.js';
import type { Task } from '../../evaluation/folds/task.js';
import { predictProbabilities } from '../../evaluation/probes/linearClassifier.js';
import { logisticProbe } from '../../evaluation/probes/logisticProbe.js';
import { withoutConstantColumns } from '../../evaluation/probes/probe.js';
import { fitStandardizer, type Standardizer, standardize } from '../../evaluation/probes/standardize.js';
import { type Features, takeRows } from '../../metrics/features/features.js';
import { distances, heldOutDistances, referenceOf } from './unusual.js';

/** A probe with what it learned from. */
export interface FittedProbe {
  readonly standardizer: Standardizer;
  /** The weights [outputs, d] on standardised features, and the bias [outputs]; see `LinearClassifier`. */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** The C that was chosen; absent of a classifier that was trained with its encoder. */
  readonly C?: number;
  /** The standardised features of training samples, in single precision. */
  readonly reference: Features;
}

/** What cross-validation says of a probe fitted like this one. */
export interface OutOfFold {
  /** The probabilities [n, classes] of each sample by a probe that saw none of its subject's. */
  readonly probabilities: Float64Array;
  /** The distance of each sample to those of the other folds. */
  readonly distances: Float64Array;
}

/**
 * Fits logistic regression on standardised features as `evaluate logreg` does, C chosen by folds of subjects.
 *
 * @param features [n, d], a row for each sample of the task
 * @param foldOf the fold of each sample of the task; those of a subject share one
 */
export function fitProbe(
  features: Features,
  task: Task,
  foldOf: readonly number[],
  seed: number,
): { probe: FittedProbe; outOfFold: OutOfFold } {
  const classes = task.classes.length;
  const outOfFold = crossValidated(features, task, foldOf, seed);
  const labels = Uint32Array.from(task.labels);
  const { model } = logisticProbe(features, labels, features, Uint32Array.from(foldOf), { classes });
  const standardizer = fitStandardizer(features);
  const reference = referenceOf(features, standardizer);
  const { weights, bias, C } = model;
  return { probe: { standardizer, weights, bias, C, reference }, outOfFold };
}

function crossValidated(features: Features, task: Task, foldOf: readonly number[], seed: number): OutOfFold {
  const classes = task.classes.length;
  const probabilities = new Float64Array(features.rows * classes);
  const far = new Float64Array(features.rows);
  for (const fold of [...new Set(foldOf)].sort((a, b) => a - b)) {
    const test = [...foldOf.keys()].filter((i) => foldOf[i] === fold);
    const pool = [...foldOf.keys()].filter((i) => foldOf[i] !== fold);
    const { train, inner } = trainingOf(task, pool, fold, { seed, labelFraction: 1 });
    const own = Uint32Array.from(train, (i) => task.labels[i]!);
    const [trainRows, testRows] = withoutConstantColumns(takeRows(features, train), takeRows(features, test));
    const found = logisticProbe(trainRows, own, testRows, inner, { classes }).probabilities;
    const apart = heldOutDistances(trainRows, testRows);
    for (const [at, i] of test.entries()) {
      probabilities.set(found.subarray(at * classes, (at + 1) * classes), i * classes);
      far[i] = apart[at]!;
    }
  }
  return { probabilities, distances: far };
}

/** What a probe says of samples. */
export interface ProbeAnswer {
  /** Class probabilities [n, classes], before any temperature. */
  readonly probabilities: Float64Array;
  /** The distance of each sample to the training samples. */
  readonly distances: Float64Array;
}

/** Asks a fitted probe about samples. @param features [n, d] as they are read from the encoder */
export function askProbe(
  { standardizer, weights, bias, reference }: FittedProbe,
  features: Features,
  classes: number,
): ProbeAnswer {
  const x = standardize(features, standardizer);
  return {
    probabilities: predictProbabilities({ classes, weights, bias }, x),
    distances: distances(x, reference),
  };
}
