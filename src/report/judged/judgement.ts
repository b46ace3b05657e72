/** Figures of an evaluation’s test predictions, and the errors among them. */

import {
  baselinesOf,
  type EvaluationResult,
  type EvaluationRow,
  primaryRow,
} from '../../evaluation/results/evaluationResult.js';
import { intervalName, subjectsPerClass, tooFew } from '../../evaluation/results/fewSubjects.js';
import {
  featuresName,
  heading,
  modalitiesMeaning,
  shortSource,
  sourceName,
} from '../../evaluation/results/names.js';
import { predictionsOf, type StoredPredictions } from '../../evaluation/results/predictions.js';
import { classColumn, weightedRocAuc } from '../../metrics/areas/rocAuc.js';
import { bootstrapInterval } from '../../metrics/bootstrap.js';
import { predictedClasses } from '../../metrics/classification.js';
import { calibrationFigure } from '../figures/calibrationFigure.js';
import { calibrationOf } from '../figures/calibrationOf.js';
import { confusionFigure } from '../figures/confusionFigure.js';
import type { Figure } from '../figures/figure.js';
import { PALETTE, SOURCE_COLOURS } from '../figures/palette.js';
import { type RocCurve, rocFigure } from '../figures/rocFigure.js';

export type Bootstrap = EvaluationResult['bootstrap'];

/** The samples that several rows were judged on. */
export type JudgedSamples = Pick<StoredPredictions, 'labels' | 'subjects' | 'classes'>;

/** The predictions of a row. */
export interface JudgedScores {
  /** The name in the legend. */
  readonly name: string;
  readonly source: EvaluationRow['source'];
  /** The probability of each class, [n, classes] row-major. */
  readonly probabilities: Float64Array;
  /** The area under the curve with its interval, as the tables have it. */
  readonly auc: { readonly value: number | null; readonly low: number | null; readonly high: number | null };
}

export interface JudgementOptions {
  /** The end of each figure’s id. */
  readonly id: string;
  /** Whose predictions the figures show: `Ours, logistic regression`. */
  readonly name: string;
}

/** The ROC curve of a row beside those of the baselines, its calibration and its confusion of classes. */
export function scoreFigures(
  samples: JudgedSamples,
  own: JudgedScores,
  baselines: readonly JudgedScores[],
  bootstrap: Bootstrap,
  { id, name }: JudgementOptions,
): Figure[] {
  const { labels, classes, subjects } = samples;
  const { probabilities } = own;
  const two = classes.length === 2;
  const curves = two
    ? [own, ...baselines].map((one) => curveOf(one, samples))
    : classCurves(samples, probabilities, bootstrap);
  const perClass = subjectsPerClass(subjects, labels, classes.length);
  const few = tooFew({ subjects: new Set(subjects).size, perClass, classes });
  const between = intervalName(few, Math.round(100 * bootstrap.confidence));
  return [
    rocFigure(curves, { id: `roc-${id}`, title: 'ROC curve', of: name, between, bootstrap }),
    two
      ? calibrationFigure(calibrationOf(classColumn(probabilities, 2, 1), samples, bootstrap), {
          id: `calibration-${id}`,
          title: 'Calibration',
          of: name,
          positive: classes[1]!,
          between,
        })
      : undefined,
    confusionFigure(
      { probabilities, labels, classes },
      { id: `confusion-${id}`, title: 'Right and wrong', of: name },
    ),
  ].filter((figure) => figure !== undefined);
}

/** The same figures for the primary row of an evaluation; none where its predictions are not stored. */
export function judgementFigures(
  record: EvaluationResult,
  predictions: StoredPredictions | undefined,
  options: JudgementOptions & { readonly own?: string },
): Figure[] {
  const row = primaryRow(record);
  if (row === undefined || predictions === undefined) return [];
  const scoresOf = (one: EvaluationRow): JudgedScores[] => {
    const probabilities = predictionsOf(predictions, one.key)?.probabilities;
    if (probabilities === undefined) return [];
    const { pooled = null, low = null, high = null } = one.metrics[record.metrics[0]!] ?? {};
    const known = one.source === 'run' ? sourceName('run') : shortSource(one.source);
    const name = (one.source === 'run' ? options.own : undefined) ?? heading(known);
    return [{ name, source: one.source, probabilities, auc: { value: pooled, low, high } }];
  };
  const [own] = scoresOf(row);
  const samples = predictionsOf(predictions, row.key);
  if (own === undefined || samples === undefined) return [];
  return scoreFigures(samples, own, baselinesOf(record, row).flatMap(scoresOf), record.bootstrap, options);
}

function curveOf(
  { name, source, probabilities, auc }: JudgedScores,
  { labels, subjects }: JudgedSamples,
): RocCurve {
  return {
    name,
    scores: classColumn(probabilities, 2, 1),
    positive: labels.map((label) => label === 1),
    subjects,
    auc,
    colour: SOURCE_COLOURS[source],
  };
}

/** A curve for each of more than two classes, against all others together. */
function classCurves(
  { labels, subjects, classes }: JudgedSamples,
  probabilities: Float64Array,
  bootstrap: Bootstrap,
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
  /** The name of the true class, then that of the predicted one. */
  readonly label: string;
  readonly predicted: string;
  /** The probability of the predicted class. */
  readonly probability: number;
}

export interface Failures {
  /** The features and the images of the row: `pooled features, A+B`. */
  readonly features: string;
  readonly wrong: number;
  readonly samples: number;
  /** The most confident errors; the one that the probe was surest of comes first. */
  readonly worst: readonly Failure[];
}

/** @param probabilities [n, classes] */
export function failuresAmong(
  { labels, classes, ids, subjects, folds }: Omit<StoredPredictions, 'probabilities'>,
  probabilities: Float64Array,
  count: number,
): Omit<Failures, 'features'> {
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
  return { wrong: wrong.length, samples: labels.length, worst };
}

/** The errors of an evaluation’s primary row; undefined where its predictions are not stored. */
export function failuresOf(
  record: EvaluationResult,
  predictions: StoredPredictions | undefined,
  count: number,
): Failures | undefined {
  const row = primaryRow(record);
  const own = row && predictions && predictionsOf(predictions, row.key);
  if (row === undefined || own === undefined) return undefined;
  const images = modalitiesMeaning(row.modalities, record.data.modalities);
  const features = `${featuresName(row.features)}, ${images}`;
  return { features, ...failuresAmong(own, own.probabilities, count) };
}
