/** What the test predictions of an evaluation look like: curves, tables of errors, and the errors themselves. */
import { bootstrapInterval } from '../metrics/bootstrap.js';
import { predictedClasses } from '../metrics/classification.js';
import { classColumn, weightedRocAuc } from '../metrics/rocAuc.js';
import { calibrationFigure } from './calibrationFigure.js';
import { calibrationOf } from './calibrationOf.js';
import { confusionFigure } from './confusionFigure.js';
import { baselinesOf, type EvaluationRecord, type EvaluationRow, primaryRow } from './evaluationRecord.js';
import type { Figure } from './figure.js';
import { PALETTE, SOURCE_COLOURS } from './palette.js';
import type { StoredPredictions } from './predictions.js';
import { sourceName } from './probeNames.js';
import { type RocCurve, rocFigure } from './rocFigure.js';

export interface JudgementOptions {
  /** Begins the ids of the figures. */
  readonly id: string;
  /** What they are of: `Ours, logistic regression`. */
  readonly name: string;
  /** Of the run’s row in legends. Default: the encoder of the run. */
  readonly own?: string;
}

/** ROC curves, calibration and errors of the primary row; none where its predictions are not there. */
export function judgementFigures(
  record: EvaluationRecord,
  predictions: StoredPredictions | undefined,
  { id, name, own = sourceName('run') }: JudgementOptions,
): Figure[] {
  const row = primaryRow(record);
  const probabilities = row && predictions?.probabilities.get(row.key);
  if (row === undefined || predictions === undefined || probabilities === undefined) return [];
  const curves =
    predictions.classes.length === 2
      ? [row, ...baselinesOf(record, row)].flatMap((one) => curveOf(one, record, predictions, own))
      : classCurves(record, predictions, probabilities);
  const { labels, classes } = predictions;
  return [
    rocFigure(curves, { id: `roc-${id}`, title: 'ROC curve', of: name, bootstrap: record.bootstrap }),
    predictions.classes.length === 2
      ? calibrationFigure(calibrationOf(classColumn(probabilities, 2, 1), predictions, record.bootstrap), {
          id: `calibration-${id}`,
          title: 'Calibration',
          of: name,
          positive: predictions.classes[1]!,
          percent: Math.round(100 * record.bootstrap.confidence),
        })
      : undefined,
    confusionFigure(
      { probabilities, labels, classes },
      { id: `confusion-${id}`, title: 'Right and wrong', of: name },
    ),
  ].filter((figure) => figure !== undefined);
}

function curveOf(
  row: EvaluationRow,
  record: EvaluationRecord,
  { probabilities, labels, subjects }: StoredPredictions,
  own: string,
): RocCurve[] {
  const scores = probabilities.get(row.key);
  if (scores === undefined) return [];
  const { pooled = null, low = null, high = null } = row.metrics[record.metrics[0]!] ?? {};
  return [
    {
      name: row.source === 'run' ? own : row.source === 'untrained' ? 'Untrained' : 'Thumbnail',
      scores: classColumn(scores, 2, 1),
      positive: labels.map((label) => label === 1),
      subjects,
      auc: { value: pooled, low, high },
      colour: SOURCE_COLOURS[row.source],
    },
  ];
}

/** Of more than two classes, each against the rest. */
function classCurves(
  { bootstrap }: EvaluationRecord,
  { labels, subjects, classes }: StoredPredictions,
  probabilities: Float64Array,
): RocCurve[] {
  return classes.map((name, c) => {
    const scores = classColumn(probabilities, classes.length, c);
    const positive = labels.map((label) => label === c);
    const found =
      new Set(subjects).size < 2
        ? undefined
        : bootstrapInterval(weightedRocAuc(scores, positive), subjects, bootstrap);
    const auc = { value: found?.value ?? null, low: found?.low ?? null, high: found?.high ?? null };
    return { name: `${name} or not`, scores, positive, subjects, auc, colour: PALETTE[c % PALETTE.length]! };
  });
}

/** A test sample that was given another class than its own. */
export interface Failure {
  readonly id: string;
  readonly subject: string;
  readonly fold: number;
  /** Names of classes. */
  readonly label: string;
  readonly predicted: string;
  /** Of the predicted class. */
  readonly probability: number;
}

export interface Failures {
  readonly row: EvaluationRow;
  readonly wrong: number;
  readonly samples: number;
  /** The most confident ones, those first that the probe was surest of. */
  readonly worst: readonly Failure[];
}

/** The errors of the primary row; undefined where its predictions are not there. */
export function failuresOf(
  record: EvaluationRecord,
  predictions: StoredPredictions | undefined,
  count: number,
): Failures | undefined {
  const row = primaryRow(record);
  const probabilities = row && predictions?.probabilities.get(row.key);
  if (row === undefined || predictions === undefined || probabilities === undefined) return undefined;
  const { labels, classes, ids, subjects, folds } = predictions;
  const predicted = predictedClasses(probabilities, labels.length, { classes: classes.length });
  const wrong = labels.flatMap((label, i) => {
    const called = predicted[i]!;
    if (called === label) return [];
    return [
      {
        id: ids[i]!,
        subject: subjects[i]!,
        fold: folds[i]!,
        label: classes[label]!,
        predicted: classes[called]!,
        probability: probabilities[i * classes.length + called]!,
      },
    ];
  });
  const worst = [...wrong].sort((a, b) => b.probability - a.probability).slice(0, count);
  return { row, wrong: wrong.length, samples: labels.length, worst };
}
