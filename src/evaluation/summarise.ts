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
import {
  type Evaluation,
  type EvaluationResult,
  evaluationResult,
  type JudgedOn,
} from './results/evaluationResult.js';
import { countsOf, subjectsPerClass, tooFew } from './results/fewSubjects.js';
import { modalityKey } from './results/modalitySets.js';
import type { Computed } from './results/stored.js';
import { differences } from './summary/differences.js';
import { gapNotes } from './summary/gapNotes.js';
import { flatNotes, notesOf } from './summary/notes.js';
import { noPatients, patientResults } from './summary/patients.js';
import { type Judged, metricNames, summarizeRows, undefinedSummary } from './summary/rowMetrics.js';

export async function summarise(plan: EvaluationPlan, judgement: Judgement): Promise<Evaluation> {
  const { run, dataset, task, cache, folds, exposure, bootstrap, rows: names, cacheFolder } = plan;
  const tested = folds.rounds.flatMap(({ test }) => test).sort((a, b) => a - b);
  const foldOf = new Map(folds.rounds.flatMap(({ fold, test }) => test.map((i) => [i, fold] as const)));
  const shared = samplesOf(tested, plan, foldOf);
  const probabilities = Object.fromEntries(
    names.map(({ key }) => [key, rowsOf(judgement.rows.get(key)!.predictions, tested, shared.classes)]),
  );
  const having = havingOf(plan, tested);
  const thumbnails = new Set(names.flatMap(({ key, source }) => (source === 'thumbnail' ? [key] : [])));
  const judged = new Map(
    names.map(({ key, modalities }): [string, Judged] => {
      const own = having.get(modalityKey(modalities))?.samples;
      const values =
        own === undefined
          ? probabilities[key]!
          : rowsOf(judgement.rows.get(key)!.predictions, own, shared.classes);
      const samples = own === undefined ? shared : samplesOf(own, plan, foldOf);
      return [key, { ...samples, probabilities: values, probabilistic: !thumbnails.has(key) }];
    }),
  );
  const judgedOf = (key: string): Judged => judged.get(key)!;
  const judgedFolds = folds.rounds.map(({ fold }) => fold);
  const valued = names.filter(({ key }) => judgement.rows.get(key)!.diverged === undefined);
  const summaries = await summarizeRows(
    valued.map(({ key }) => ({ judged: judgedOf(key), rounds: judgedFolds, bootstrap })),
  );
  const summaryOf = new Map(valued.map(({ key }, i) => [key, summaries[i]!]));
  const rows = names.map((name) => {
    const { columns, chosen, validation, paperStyle } = judgement.rows.get(name.key)!;
    const metrics = summaryOf.get(name.key) ?? undefinedSummary(shared.classes, judgedFolds);
    const judgedOn = having.get(modalityKey(name.modalities))?.counts;
    return { ...name, columns, chosen, validation, metrics, paperStyle, judgedOn };
  });
  const compared = valued.filter(({ key }) => new Set(judgedOf(key).subjects).size >= 2);
  const few = new Map(
    rows.flatMap(({ key, judgedOn }) =>
      judgedOn === undefined ? [] : [[key, tooFew(countsOf({ classes: task.classes, ...judgedOn }))]],
    ),
  );
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
    differences: differences(compared, judgedOf, bootstrap, (key) => few.get(key) !== undefined),
    patients:
      withoutPatients === undefined
        ? await patientResults(valued, { shared, judgedOf, folds: judgedFolds, bootstrap })
        : undefined,
    notes: [
      ...names.flatMap(({ key }) => {
        const { diverged } = judgement.rows.get(key)!;
        return diverged === undefined ? [] : [`${key} has no value. ${diverged}.`];
      }),
      ...valued.flatMap(({ key }) => flatNotes({ [key]: judgedOf(key).probabilities }, judgedOf(key).folds)),
      ...gapNotes(question, rows),
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
      judged: Object.fromEntries(
        names.flatMap(({ key, modalities }) => {
          const own = having.get(modalityKey(modalities));
          return own === undefined ? [] : [[key, tested.map((i) => own.has(i))]];
        }),
      ),
    },
  };
}

/** The tested samples that have the images of a set, where others lack them. */
interface Having {
  /** Samples of the task, ascending. */
  readonly samples: readonly number[];
  readonly has: (sample: number) => boolean;
  readonly counts: JudgedOn;
}

/** The sets that are not judged on all samples, by their key. */
function havingOf({ task, sets }: EvaluationPlan, tested: readonly number[]): Map<string, Having> {
  return new Map(
    sets.judged.flatMap(({ modalities, samples: all }): [string, Having][] => {
      if (all === undefined) return [];
      const known = new Set(all);
      const has = (sample: number) => known.has(sample);
      const samples = tested.filter(has);
      const labels = samples.map((i) => task.labels[i]!);
      const subjects = samples.map((i) => task.subjects[i]!);
      const counts = {
        samples: samples.length,
        subjects: new Set(subjects).size,
        samplesPerClass: task.classes.map((_, c) => labels.filter((label) => label === c).length),
        subjectsPerClass: subjectsPerClass(subjects, labels, task.classes.length),
      };
      return [[modalityKey(modalities), { samples, has, counts }]];
    }),
  );
}

/** What the predictions of some samples of the task are judged by. */
function samplesOf(
  samples: readonly number[],
  { task }: EvaluationPlan,
  foldOf: ReadonlyMap<number, number>,
): Pick<Judged, 'labels' | 'subjects' | 'folds' | 'classes'> {
  return {
    labels: samples.map((i) => task.labels[i]!),
    subjects: samples.map((i) => task.subjects[i]!),
    folds: samples.map((i) => foldOf.get(i)!),
    classes: task.classes.length,
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
