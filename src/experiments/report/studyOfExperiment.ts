/**
 * Reads the folder of an experiment as the study that its report shows. It needs only experiment.json and cells/, and
 * the study says what is missing.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, readConfig } from '../../config/index.js';
import type { MessageConsole } from '../../log/console.js';
import { methodNamed } from '../../methods/index.js';
import { mechanismOf } from '../../report/judged/mechanism.js';
import type { NamedFact, Study } from '../../report/judged/study.js';
import { openRunData, type RunData, type Unavailable } from '../../report/source/runData.js';
import { isPhantom, type RunRecord, readRunFolder } from '../../report/source/runRecord.js';
import { familyFigure, overviewFigures, studyCurves } from '../../report/study/figures.js';
import { provenanceFacts, studyVerdicts, type ToldProvenance } from '../../report/study/words.js';
import { runPaths } from '../../training/runFolder.js';
import { closingLines, confirmationLines, missingOf, studyLines } from '../print/captions.js';
import type { FinishedPretraining } from '../stored/cell.js';
import type { ExperimentDescription } from '../stored/description.js';
import { experimentPaths, pretrainingId, readCell, readDescription } from '../stored/folder.js';
import { experimentTable } from '../table/experimentTable.js';
import type { Matching } from '../table/matching.js';
import type { ExperimentTable } from '../table/model.js';
import { namedPairs } from '../table/pairs.js';
import { runCourses } from './courses.js';
import { judgedRows } from './judgedRows.js';
import { labelCurves } from './labelCurves.js';
import { studyFamily, studyResults } from './studyTables.js';

export interface ExperimentStudyOptions {
  readonly withImages?: boolean;
  /** Adds the primary table by the AUC among samples that are alike, where it is given. */
  readonly matching?: Matching;
  readonly console: MessageConsole;
}

/**
 * Reads an experiment as a study.
 *
 * @throws UsageError where there is no experiment, DataError naming a cell that is damaged
 */
export async function studyOfExperiment(
  root: string,
  { withImages = false, matching, console }: ExperimentStudyOptions,
): Promise<Study> {
  const told = readDescription(root);
  const table = experimentTable(root);
  const confirmed =
    table.confirmation === undefined && told.setAside !== undefined ? confirmatory(root) : undefined;
  const tables = [...(confirmed === undefined ? [] : [confirmed]), table];
  const families = tables.flatMap((one) => (one.family === undefined ? [] : [studyFamily(one, one.family)]));
  const pretrainings = pretrainingsOf(root, told);
  const run = firstRun(root, pretrainings);
  const data: RunData | Unavailable =
    run === undefined
      ? { reason: 'The runs are not in this folder, so nothing is said of their data here.' }
      : await openRunData(run, console);
  const show = withImages || (run !== undefined && isPhantom(run));
  const { judged, failures } = await judgedRows(root, told, table, { data, show });
  const mechanisms = [];
  for (const { set, results } of namedPairs(table)) {
    mechanisms.push(await mechanismOf(results, { run, data, show, console }, set));
  }
  const resultsOf = (one: ExperimentTable) =>
    one.parts
      .map((part) => studyResults(one, part))
      .filter(({ rows }) => rows.some(({ values }) => Object.keys(values).length > 0));
  // The table holds all rows, among them those that were judged on the set-aside samples.
  const [primary, ...others] = resultsOf(table);
  const matched = matching === undefined ? [] : resultsOf(experimentTable(root, { matching })).slice(0, 1);
  const own = [...(primary === undefined ? [] : [primary]), ...matched, ...others];
  return {
    title: `${told.name} on ${told.data.name}`,
    lead: told.description?.trim() ?? 'An experiment: every method by the same judge, in the same folds.',
    banners: bannersOf(table),
    inShort: studyVerdicts(own, families),
    about: [...(confirmed === undefined ? [] : confirmationLines(confirmed)), ...studyLines(table)].map(
      plain,
    ),
    facts: methodFacts(told, pretrainings),
    data,
    curves: studyCurves(runCourses(root, told)),
    overview: [
      ...families.flatMap((family, i) => familyFigure(family, `family-${i + 1}`) ?? []),
      ...(own[0] === undefined ? [] : overviewFigures(own[0], 'methods')),
      ...labelCurves(told, table),
    ],
    results: tables.flatMap((one) => (one === table ? own : resultsOf(one))),
    families,
    mechanism: {
      tables: mechanisms.flatMap((one) => one.tables),
      groups: mechanisms.flatMap((one) => one.groups),
    },
    judged,
    failures,
    notes: closingLines({ ...table, paperNotes: [] }).map(plain),
    paperNotes: table.paperNotes,
    provenance: provenanceFacts(
      pretrainings.map(({ cell, seed }) => ({ ...(cell.provenance as ToldProvenance), seed })),
    ),
  };
}

/** The results on the samples that were set aside, once these have been judged. */
function confirmatory(root: string): ExperimentTable | undefined {
  return existsSync(join(root, 'cells', 'confirmation.json'))
    ? experimentTable(root, { confirm: true })
    : undefined;
}

interface Pretraining {
  readonly id: string;
  readonly row: string;
  readonly seed: number;
  readonly cell: FinishedPretraining;
}

/** The finished pretrainings; where a pretraining has several folds, the first of them. */
function pretrainingsOf(root: string, { rows, seeds }: ExperimentDescription): Pretraining[] {
  return rows.flatMap(({ candidates }) =>
    candidates.flatMap(({ name, folder }) =>
      seeds.flatMap((seed) => {
        for (const id of [pretrainingId(folder, seed), pretrainingId(folder, seed, 0)]) {
          const cell = readCell(root, id);
          if (cell?.kind === 'pretrain') return [{ id, row: name, seed, cell }];
        }
        return [];
      }),
    ),
  );
}

/**
 * Reads the first run whose folder is there. A run need not say where its data are, so that comes from the experiment.
 */
function firstRun(root: string, pretrainings: readonly Pretraining[]): RunRecord | undefined {
  const there = pretrainings.find(({ cell }) => existsSync(runPaths(join(root, cell.run)).config));
  if (there === undefined) return undefined;
  const run = readRunFolder(join(root, there.cell.run)).runs[0];
  const file = experimentPaths(root).config(there.id);
  if (!existsSync(file)) return run;
  const { path, pathB, folders, imageRoot, drop } = readConfig(file).data;
  const data = { ...run.config.data, path, pathB, folders, imageRoot, drop };
  return { ...run, config: { ...run.config, data } };
}

function bannersOf({ smoke, missing, expected }: ExperimentTable): string[] {
  return [
    ...(smoke ? ['A smoke run: far too small to mean anything.'] : []),
    ...(missing.length > 0
      ? [
          `${missingOf({ missing, expected })}, so tables and comparisons are not complete; the same experiment run command goes on with them.`,
        ]
      : []),
  ];
}

/** Summarises the training of each row. Rows of the same method share a line. */
function methodFacts({ rows }: ExperimentDescription, pretrainings: readonly Pretraining[]): NamedFact[] {
  const bySummary = new Map<string, string[]>();
  for (const { name, candidates } of rows) {
    const own = pretrainings.find(({ row }) => candidates.some((candidate) => candidate.name === row));
    const tuned = candidates.length > 1 ? `; tuned, ${candidates.length} candidates` : '';
    const summary = own === undefined ? 'not pretrained yet' : `${summaryOf(own.cell)}${tuned}`;
    bySummary.set(summary, [...(bySummary.get(summary) ?? []), name]);
  }
  return [...bySummary].map(([summary, names]) => [names.join(', '), summary] as const);
}

function summaryOf({ settings }: FinishedPretraining): string {
  const { method } = settings as unknown as Config;
  return methodNamed(method.name)?.summary ?? method.name;
}

/** Removes the marks of Markdown. */
function plain(text: string): string {
  return text.replace(/\*+/g, '');
}
