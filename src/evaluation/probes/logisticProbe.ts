import { type Features, takeRows } from '../../metrics/features/features.js';
import { innerFolds } from './innerFolds.js';
import { predictProbabilities } from './linearClassifier.js';
import { fitLogistic, type LogisticModel, type LogisticOptions, logisticPath } from './logisticRegression.js';
import { fitStandardizer, standardize } from './standardize.js';

/** The values of C to choose from, for standardised features: from "only the means differ" to hardly regularised. */
export const DEFAULT_C_GRID: readonly number[] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10];

/**
 * The tolerance while C is chosen, enough for held-out losses to four digits. The final fit goes on to the tolerance of
 * the options.
 */
const SELECTION_TOLERANCE = 1e-4;

export interface LogisticProbeOptions extends LogisticOptions {
  readonly grid?: readonly number[];
}

export interface ChosenC {
  readonly C: number;
  /** The held-out log-loss per sample for each C of the grid; NaN for values that were not tried. */
  readonly logLoss: readonly number[];
  /** The held-out probabilities [n, classes] at the chosen C: all that is known of this probe without a test label. */
  readonly heldOut: Float64Array;
}

export interface LogisticProbe {
  /** The probabilities [m, classes] of the test rows. */
  readonly probabilities: Float64Array;
  readonly model: LogisticModel;
  /** The choice of C; absent when C was given. */
  readonly chosen?: ChosenC;
}

/**
 * The primary probe: logistic regression on features that are standardised on the training rows, with C chosen by
 * cross-validation inside them. Test rows are only ever predicted.
 *
 * @param train [n, d]
 * @param labels [n] class numbers
 * @param test [m, d]
 * @param selection the inner fold of each training row, by subject, to choose C; or a C to use
 */
export function logisticProbe(
  train: Features,
  labels: ArrayLike<number>,
  test: Features,
  selection: ArrayLike<number> | number,
  options: LogisticProbeOptions = {},
): LogisticProbe {
  const chosen = typeof selection === 'number' ? undefined : chooseC(train, labels, selection, options);
  const standardizer = fitStandardizer(train);
  const model = fitLogistic(
    standardize(train, standardizer),
    labels,
    chosen?.C ?? (selection as number),
    options,
  );
  return { probabilities: predictProbabilities(model, standardize(test, standardizer)), model, chosen };
}

/**
 * The number of rises in a row that end the search. The held-out loss falls and then rises with C, so larger values
 * only overfit more.
 */
const RISES = 2;

/**
 * Chooses the C with the lowest held-out log-loss over all inner folds together; of equal ones the smaller. Log-loss,
 * unlike AUC, exists in folds with one class and does not jump between neighbouring values of C. Each inner fold is
 * standardised anew.
 *
 * The search goes up the grid and ends when the loss has risen twice in a row. The values beyond would take most of the
 * time, as hardly regularised fits need hundreds of iterations.
 *
 * @param features [n, d] as extracted, not standardised
 * @param labels [n] class numbers
 * @param folds [n] inner fold of each row; keep a subject in one fold
 * @throws RangeError when lengths differ, there are fewer than two folds, or the grid is empty
 */
export function chooseC(
  features: Features,
  labels: ArrayLike<number>,
  folds: ArrayLike<number>,
  { grid = DEFAULT_C_GRID, classes = 2, maxIterations }: LogisticProbeOptions = {},
): ChosenC {
  if (folds.length !== features.rows || labels.length !== features.rows) {
    throw new RangeError(
      `chooseC: ${features.rows} rows, ${labels.length} labels and ${folds.length} fold numbers; expected as many of each`,
    );
  }
  if (grid.length === 0) throw new RangeError('chooseC: the grid of C is empty');
  const rounds = innerFolds(folds).map(({ fit, judge }) => {
    const own = takeRows(features, fit);
    const standardizer = fitStandardizer(own);
    const fitted = logisticPath(
      standardize(own, standardizer),
      Array.from(fit, (i) => labels[i]!),
      grid.length,
      { classes, tolerance: SELECTION_TOLERANCE, maxIterations },
    );
    return { fitted, judge, heldOut: standardize(takeRows(features, judge), standardizer) };
  });
  const losses = new Map<number, number>();
  let best: { C: number; heldOut: Float64Array } | undefined;
  let rises = 0;
  let last = Number.POSITIVE_INFINITY;
  for (const C of [...grid].sort((a, b) => a - b)) {
    const heldOut = new Float64Array(features.rows * classes);
    let sum = 0;
    for (const { fitted, judge, heldOut: x } of rounds) {
      const probabilities = predictProbabilities(fitted(C), x);
      for (const [row, i] of judge.entries()) {
        heldOut.set(probabilities.subarray(row * classes, (row + 1) * classes), i * classes);
        // The smallest positive double bounds the loss of a certain but wrong prediction.
        sum -= Math.log(Math.max(Number.MIN_VALUE, probabilities[row * classes + labels[i]!]!));
      }
    }
    const loss = sum / features.rows;
    if (best === undefined || loss < losses.get(best.C)!) best = { C, heldOut };
    losses.set(C, loss);
    rises = loss > last ? rises + 1 : 0;
    if (rises === RISES) break;
    last = loss;
  }
  return { ...best!, logLoss: grid.map((C) => losses.get(C) ?? Number.NaN) };
}
