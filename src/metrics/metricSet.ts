/** The metrics of a classifier's predictions, by name. They are all that a table of results shows. */
import { weightedAveragePrecision } from './areas/averagePrecision.js';
import { oneVersusRest, weightedMacroRocAuc, weightedRocAuc } from './areas/rocAuc.js';
import { type ResampledMetric, type ResampledMetrics, resampledTable } from './bootstrap.js';
import { weightedBrier, weightedMulticlassBrier } from './calibration/brier.js';
import { weightedCalibrationError } from './calibration/calibration.js';
import { weightedCalibrationIntercept, weightedCalibrationSlope } from './calibration/recalibration.js';
import {
  accuracy,
  type Confusion,
  f1,
  kappa,
  macro,
  type PredictionOptions,
  positiveColumn,
  precision,
  predictedClasses,
  recall,
  specificity,
} from './classification.js';

export interface MetricOptions extends PredictionOptions {
  /**
   * Whether the scores are probabilities. Linear estimates of a ridge regression, for example, are not; metrics of
   * probabilities are then undefined, even where all scores happen to lie in 0 … 1.
   */
  readonly probabilistic?: boolean;
}

const OF_CLASS_ONE: Readonly<Record<string, (table: Confusion) => number>> = {
  f1: (table) => f1(table),
  precision: (table) => precision(table),
  recall: (table) => recall(table),
  specificity: (table) => specificity(table),
};

const OF_ALL_CLASSES: Readonly<Record<string, (table: Confusion) => number>> = {
  accuracy,
  macroRecall: (table) => macro(table, recall),
  macroF1: (table) => macro(table, f1),
  macroPrecision: (table) => macro(table, precision),
  kappa,
};

const OF_TWO_CLASSES: Readonly<Record<string, (table: Confusion) => number>> = {
  ...OF_CLASS_ONE,
  ...OF_ALL_CLASSES,
};

/**
 * The names of the metrics in the order of tables. Methods are compared by the first, and a narrow table shows the next
 * ones.
 */
export function metricNames(classes: number): string[] {
  if (classes > 2) {
    return [
      'macroAuc',
      'accuracy',
      'macroF1',
      'macroPrecision',
      'macroRecall',
      'macroAveragePrecision',
      'kappa',
      'brier',
      'calibrationError',
    ];
  }
  return [
    'auc',
    'accuracy',
    'f1',
    'precision',
    'recall',
    'specificity',
    'averagePrecision',
    'macroRecall',
    'macroF1',
    'macroPrecision',
    'kappa',
    'brier',
    'calibrationError',
    'calibrationSlope',
    'calibrationIntercept',
  ];
}

/**
 * Computes every metric of `metricNames`.
 *
 * With two classes these are `auc` and `averagePrecision`; `f1`, `precision`, `recall` (sensitivity) and `specificity`
 * of class 1 at the threshold, which is ½ unless said otherwise; `accuracy`, `kappa` (Cohen's) and the unweighted means
 * over both classes `macroRecall` (balanced accuracy), `macroF1` and `macroPrecision`; and `brier`, `calibrationError`
 * (10 bins of equal width), `calibrationSlope` and `calibrationIntercept` of the probabilities of class 1.
 *
 * With more classes, where the most probable one is called, these are `macroAuc` and `macroAveragePrecision` (one
 * versus rest), `accuracy`, `kappa`, the three macro values, `brier` (sum over classes) and `calibrationError` (of the
 * confidence).
 *
 * An undefined value is NaN; the function of each metric says when that is.
 *
 * @param probabilities [n, classes], or for two classes [n] of the positive class
 * @param labels [n], class numbers from 0
 * @throws RangeError when the lengths do not fit, a label is out of range or a value is NaN
 */
export function classificationMetrics(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: MetricOptions = {},
): Record<string, number> {
  const once = new Float64Array(labels.length).fill(1);
  const values = resampledMetrics(probabilities, labels, options)(once);
  return Object.fromEntries(metricNames(options.classes ?? 2).map((name, m) => [name, values[m]!]));
}

/**
 * {@link classificationMetrics} for the bootstrap: sample i counts `weights[i]` times. The values come in the order of
 * `metricNames`.
 */
export function resampledMetrics(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  { classes = 2, threshold = 0.5, probabilistic = true }: MetricOptions = {},
): ResampledMetrics {
  const n = labels.length;
  if (probabilities.length !== n * classes && !(classes === 2 && probabilities.length === n)) {
    throw new RangeError(
      `metrics: ${probabilities.length} probabilities do not fit ${n} labels of ${classes} classes`,
    );
  }
  for (let i = 0; i < probabilities.length; i += 1) {
    if (!Number.isNaN(probabilities[i]!)) continue;
    const row = Math.floor((i * n) / probabilities.length);
    throw new RangeError(`metrics: a probability of row ${row} is NaN; expected a number`);
  }
  const predicted = predictedClasses(probabilities, n, { classes, threshold });
  const tableOf = resampledTable(predicted, labels, classes);
  const ofTable = classes === 2 ? OF_TWO_CLASSES : OF_ALL_CLASSES;
  const ranked = classes === 2 ? ofTwo(probabilities, labels) : ofMore(probabilities, labels, classes);
  const scored = probabilistic ? ranked.ofProbabilities : undefined;
  const metrics = metricNames(classes).map((name): ((weights: Float64Array, table: Confusion) => number) => {
    const metric = ofTable[name];
    if (metric !== undefined) return (_, table) => metric(table);
    return ranked.ofScores[name] ?? scored?.[name]?.() ?? (() => Number.NaN);
  });
  return (weights) => {
    const table = tableOf(weights);
    return metrics.map((metric) => metric(weights, table));
  };
}

interface Scored {
  readonly ofScores: Readonly<Record<string, ResampledMetric>>;
  readonly ofProbabilities: Readonly<Record<string, () => ResampledMetric>>;
}

function ofTwo(probabilities: ArrayLike<number>, labels: ArrayLike<number>): Scored {
  const positive = positiveColumn(probabilities, labels.length);
  return {
    ofScores: {
      auc: weightedRocAuc(positive, labels),
      averagePrecision: weightedAveragePrecision(positive, labels),
    },
    ofProbabilities: {
      brier: () => weightedBrier(positive, labels),
      calibrationError: () => weightedCalibrationError(positive, labels),
      calibrationSlope: () => weightedCalibrationSlope(positive, labels),
      calibrationIntercept: () => weightedCalibrationIntercept(positive, labels),
    },
  };
}

function ofMore(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): Scored {
  const called = predictedClasses(probabilities, labels.length, { classes });
  const confidence = Float64Array.from(called, (c, i) => probabilities[i * classes + c]!);
  const right = Uint8Array.from(called, (c, i) => (labels[i] === c ? 1 : 0));
  return {
    ofScores: {
      macroAuc: weightedMacroRocAuc(probabilities, labels, classes),
      macroAveragePrecision: oneVersusRest(weightedAveragePrecision, probabilities, labels, classes),
    },
    ofProbabilities: {
      brier: () => weightedMulticlassBrier(probabilities, labels, classes),
      calibrationError: () => weightedCalibrationError(confidence, right),
    },
  };
}
