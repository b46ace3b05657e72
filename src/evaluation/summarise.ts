/** Turns the judgement of all rows into a result: metrics with intervals, differences, patients, notes. */
import { quickAudit, repeatsAcrossFolds } from '../data/audit/quickAudit.js';
import type { FoldOf } from '../data/fold.js';
import { packageVersion } from '../version.js';
import { runSummary } from './encoders/runSummary.js';
import { THUMBNAIL } from './features/thumbnails.js';
import type { Judgement } from './judgeRows.js';
import type { EvaluationPlan } from './planEvaluation.js';
import { DEFAULT_RIDGE_GRID } from './probes/ridge.js';
import { questionOf } from './question.js';
import { type Evaluation, type EvaluationResult, evaluationResult } from './results/evaluationResult.js';
import type { Computed } from './results/stored.js';
import { differences } from './summary/differences.js';
import { flatNotes, notesOf } from './summary/notes.js';
import { noPatients, patientResults } from './summary/patients.js';
import { type Judged, metricNames, summarizeRow, undefinedSummary } from './summary/rowMetrics.js';

export async function summarise(plan: EvaluationPlan, judgement: Judgement): Promise<Evaluation> {
  const { run, dataset, task, cache, folds, exposure, bootstrap, rows: names, cacheFolder } = plan;
  const tested = folds.rounds.flatMap(({ test }) => test).sort((a, b) => a - b);
  const foldOf = new Map(folds.rounds.flatMap(({ fold, test }) => test.map((i) => [i, fold] as const)));
  const shared = {
    labels: tested.map((i) => task.labels[i]!),
    subjects: tested.map((i) => task.subjects[i]!),
    folds: tested.map((i) => foldOf.get(i)!),
    classes: task.classes.length,
  };
  const probabilities = Object.fromEntries(
    names.map(({ key }) => [key, rowsOf(judgement.rows.get(key)!.predictions, tested, shared.classes)]),
  );
  const thumbnails = new Set(names.flatMap(({ key, source }) => (source === 'thumbnail' ? [key] : [])));
  const judgedOf = (key: string): Judged => ({
    ...shared,
    probabilities: probabilities[key]!,
    probabilistic: !thumbnails.has(key),
  });
  const judgedFolds = folds.rounds.map(({ fold }) => fold);
  const rows = names.map((name) => {
    const { columns, chosen, validation, paperStyle, diverged } = judgement.rows.get(name.key)!;
    const metrics =
      diverged === undefined
        ? summarizeRow(judgedOf(name.key), judgedFolds, bootstrap)
        : undefinedSummary(shared.classes, judgedFolds);
    return { ...name, columns, chosen, validation, metrics, paperStyle };
  });
  const valued = names.filter(({ key }) => judgement.rows.get(key)!.diverged === undefined);
  const withoutPatients = noPatients(shared);
  const repeated = repeatsAcrossFolds(await quickAudit(dataset, cache, cacheFolder), foldAtOf(plan, foldOf));
  const question = questionOf(plan);
  const result: Computed<EvaluationResult> = {
    version: 1,
    tool: `anatomy-ssl ${packageVersion()}`,
    ...question,
    settings: { ...judgement.settings, thumbnail: THUMBNAIL, thumbnailGrid: DEFAULT_RIDGE_GRID },
    run: runSummary(run, plan.forwarding),
    labels: {
      ...question.labels,
      samples: folds.rounds.map(({ train }) => train.length),
      subjects: folds.rounds.map(({ train }) => new Set(train.map((i) => task.subjects[i])).size),
    },
    metrics: metricNames(shared.classes),
    rows,
    differences: new Set(shared.subjects).size < 2 ? [] : differences(valued, judgedOf, bootstrap),
    patients:
      withoutPatients === undefined ? patientResults(valued, judgedOf, judgedFolds, bootstrap) : undefined,
    notes: [
      ...names.flatMap(({ key }) => {
        const { diverged } = judgement.rows.get(key)!;
        return diverged === undefined ? [] : [`${key} has no value. ${diverged}.`];
      }),
      ...flatNotes(Object.fromEntries(valued.map(({ key }) => [key, probabilities[key]!])), shared.folds),
      ...notesOf({ run, dataset, task, plan: folds, rows, exposure, withoutPatients, repeated }),
    ],
  };
  return {
    ...evaluationResult.parse(result),
    predictions: {
      dataHash: cache.dataHash,
      ids: tested.map((i) => task.ids[i]!),
      subjects: shared.subjects,
      folds: shared.folds,
      labels: shared.labels,
      probabilities,
    },
  };
}

/** The mark of samples that no round tests and every round may train on. */
const TRAINED_ON = -1;

/**
 * Makes a function from a position in the data to the fold that tests its sample. It is undefined for samples that no
 * round uses: those that are set aside or have no label.
 */
function foldAtOf({ task, folds }: EvaluationPlan, testedIn: ReadonlyMap<number, number>): FoldOf {
  const trainedOn = new Set(folds.rounds.flatMap(({ pool }) => pool));
  const foldAt = new Map(
    task.positions.map((position, i) => [
      position,
      testedIn.get(i) ?? (trainedOn.has(i) ? TRAINED_ON : undefined),
    ]),
  );
  return (position) => foldAt.get(position);
}

function rowsOf(all: Float64Array, rows: readonly number[], columns: number): Float64Array {
  const chosen = new Float64Array(rows.length * columns);
  for (const [at, row] of rows.entries()) {
    chosen.set(all.subarray(row * columns, (row + 1) * columns), at * columns);
  }
  return chosen;
}
