/**
 * This room runs an experiment. Each cell is a process of this program, several run at a time, and each result is kept
 * as soon as its cell has finished.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SET_ASIDE } from '../../data/fold.js';
import { openDataset } from '../../data/openDataset.js';
import type { Dataset } from '../../data/sample.js';
import { imagesKey } from '../../data/sourceDigest.js';
import { loadSplits, makeSplits, type Splits, saveSplits } from '../../data/splits/splits.js';
import { UsageError } from '../../errors.js';
import { isTemporary, refuseUnwritable, sweepTemporaries } from '../../files.js';
import type { MessageConsole } from '../../log/console.js';
import { isLeaseFile, takeLease } from '../../training/lease.js';
import { checkImages } from '../file/checkImages.js';
import { checkProtocols } from '../file/checkProtocols.js';
import type { JudgedSet } from '../file/data.js';
import type { ComparisonFamily } from '../file/fileSchema.js';
import { type ExperimentProtocol, familyProtocol, seedsOf, validates } from '../file/protocols.js';
import type { Experiment } from '../file/readExperiment.js';
import { recordLook } from '../stored/confirmation.js';
import type { DescribedData, ExperimentDescription } from '../stored/description.js';
import {
  checkFolds,
  checkSamples,
  describedFolds,
  experimentPaths,
  type KeyedSet,
  samplesDigest,
  writeDescription,
} from '../stored/folder.js';
import { bestRow } from '../table/experimentTable.js';
import { type Cell, type CellOptions, cellsOf, type EvaluationCell, setAsideCells } from './cells.js';
import { type CellState, statesOf } from './states.js';
import { Work, type WorkOptions, type WorkOutcome } from './work.js';

export interface RunExperimentOptions extends WorkOptions {
  /** Cells whose settings have changed are run again and their results replaced, instead of refused. */
  readonly overwrite?: boolean;
  /** The samples that are set aside are judged once all else has finished. */
  readonly confirm?: boolean;
}

export interface ExperimentOutcome extends WorkOutcome {
  /** The number of cells that were to finish. */
  readonly cells: number;
  /** True when the samples set aside were judged; undefined when that was not asked for. */
  readonly confirmed?: boolean;
}

/**
 * Lists each cell with its state, in the order in which the cells would be run. Writes nothing.
 * @param confirm also list the cells that judge the samples set aside
 */
export async function listCells(
  experiment: Experiment,
  out: string,
  { console, confirm = false }: Pick<RunExperimentOptions, 'console' | 'confirm'>,
): Promise<(CellState & Pick<Cell, 'id' | 'title'>)[]> {
  const { own, others } = await openAll(experiment, console);
  checkImages(experiment, own, others);
  checkProtocols(experiment, [own, ...others]);
  if (confirm) checkConfirmable(experiment, own.splits);
  refuseUnwritable(out);
  checkData(out, [own, ...others]);
  const options = optionsOf(own.splits);
  const open = cellsOf(experiment, out, options);
  const finished = [...statesOf(open, out).values()].every(({ state }) => state === 'done');
  const aside = confirm ? confirmation(experiment, out, options, finished) : undefined;
  if (aside?.unknown)
    console.warn('which row is best is known once all else is finished; its cells are not listed');
  const cells = [...open, ...(aside?.cells ?? [])];
  const states = statesOf(cells, out);
  return cells.map(({ id, title }) => ({ id, title, ...states.get(id)! }));
}

/**
 * Runs the cells that have not finished yet. A cell that fails stops only the cells that need it. Several processes may
 * run the same experiment in the same folder, also on several machines: each takes cells that no other one works on, and
 * waits for those of the others before it ends.
 * @throws UsageError when the folder holds another experiment, or results of other settings without `overwrite`
 */
export async function runExperiment(
  experiment: Experiment,
  { overwrite = false, confirm = false, ...options }: RunExperimentOptions,
): Promise<ExperimentOutcome> {
  const { out, console } = options;
  const { own, others } = await openAll(experiment, console);
  checkImages(experiment, own, others);
  checkProtocols(experiment, [own, ...others]);
  if (confirm) checkConfirmable(experiment, own.splits);
  refuseUnwritable(out);
  checkFolder(out);
  const { cells, states } = await setUp(experiment, own, others, { out, overwrite, console });
  for (const { name, absent } of experiment.judge) {
    if (absent !== undefined) console.warn(`${name} is not judged: ${absent}`);
  }
  const outcome = await new Work(cells, states, options).all();
  if (!confirm) return { cells: cells.length, ...outcome };
  if (outcome.done < cells.length) return { cells: cells.length, ...outcome, confirmed: false };
  const judged = await judgeSetAside(experiment, own.splits, { ...options, overwrite });
  return { ...judged, cells: cells.length + judged.cells, done: outcome.done + judged.done };
}

/** Writes what the folder says of the experiment, and finds what is left to do. One process does so at a time. */
async function setUp(
  experiment: Experiment,
  own: OpenSet,
  others: readonly (OpenSet & { readonly set: JudgedSet })[],
  {
    out,
    overwrite,
    console,
  }: Pick<RunExperimentOptions, 'out' | 'console'> & { readonly overwrite: boolean },
): Promise<{ cells: readonly Cell[]; states: ReadonlyMap<string, CellState> }> {
  const onInfo = (message: string) => console.info(message);
  const lease = await takeLease(out, { doing: 'setting up the experiment', onInfo, waits: true });
  try {
    checkData(out, [own, ...others]);
    for (const folder of foldersOf(out)) sweepTemporaries(folder);
    const cells = cellsOf(experiment, out, optionsOf(own.splits));
    const states = await refusedOrDropped(cells, out, overwrite);
    for (const { splits, set } of [own, ...others]) {
      await saveSplits(splits, experimentPaths(out).splits(set?.slug));
    }
    writeDescription(out, describe(experiment, own, others, cells));
    return { cells, states };
  } finally {
    lease.release();
  }
}

/**
 * Judges the samples set aside. Their rows are chosen by the finished table alone, so the choice does not depend on
 * these samples.
 */
async function judgeSetAside(
  experiment: Experiment,
  splits: Splits,
  { overwrite, ...options }: WorkOptions & { readonly overwrite: boolean },
): Promise<ExperimentOutcome> {
  const { out, console } = options;
  const { against, cells } = confirmation(experiment, out, optionsOf(splits), true);
  // The folder may hold cells without their runs. The encoders are then pretrained again.
  const encoders = cellsOf(experiment, out, optionsOf(splits)).filter(({ id }) =>
    cells.some(({ needs }) => needs.includes(id)),
  );
  const all = [...encoders, ...cells];
  const states = await refusedOrDropped(all, out, overwrite);
  const { looks } = recordLook(out, cells, against, new Date());
  if (looks.length > 1) {
    console.warn(
      `what is set aside was first judged ${looks[0].at}; the table says that this is look ${looks.length}`,
    );
  }
  const outcome = await new Work(all, states, options).all();
  const confirmed = outcome.done === all.length;
  return { ...outcome, cells: cells.length, done: outcome.done - encoders.length, confirmed };
}

/**
 * Finds the cells of the rows that are compared on the samples set aside.
 * @param finished true when all other cells have finished; only then is it known which row is best
 */
function confirmation(
  experiment: Experiment,
  out: string,
  options: CellOptions,
  finished: boolean,
): { against: string[]; cells: EvaluationCell[]; unknown: boolean } {
  const family = experiment.setAside!;
  // A row with one encoder for each fold has no single encoder to judge these samples by. A row with fewer seeds is a
  // reference, and its mean is over other seeds.
  const eligible = experiment.rows
    .filter((row) => row.fold === 'none' && seedsOf(row, experiment.seeds).length === experiment.seeds.length)
    .map(({ name }) => name);
  const unknown = !finished && family.against.includes('best');
  const known = unknown ? family.against.filter((name) => name !== 'best') : family.against;
  const against = [
    ...new Set(known.map((name) => (name === 'best' ? bestRow(out, family, eligible) : name))),
  ];
  const rows = [family.reference, ...against];
  const protocols = setAsideProtocols(experiment, family, rows);
  return { against, cells: setAsideCells(experiment, out, options, { rows, protocols }), unknown };
}

/**
 * The protocols that judge the samples set aside: the one that the family compares, and `logreg` where its inner folds
 * choose candidates or features.
 */
export function setAsideProtocols(
  experiment: Pick<Experiment, 'protocols' | 'rows'>,
  family: ComparisonFamily,
  rows: readonly string[],
): ExperimentProtocol[] {
  const protocol = familyProtocol(experiment, family);
  const chooses =
    family.features === 'chosen' ||
    experiment.rows.some(({ name, candidates }) => rows.includes(name) && candidates.length > 1);
  const choosers = experiment.protocols.filter((one) => validates(one) && one.slug === one.protocol);
  return chooses && !validates(protocol) ? [protocol, ...choosers] : [protocol];
}

function checkConfirmable({ setAside }: Experiment, splits: Splits): void {
  if (setAside === undefined) {
    throw new UsageError(
      '--confirm: the experiment file does not say what to compare on the samples set aside; add "setAside: { reference, against }"',
    );
  }
  if (optionsOf(splits).setAside) return;
  throw new UsageError(
    '--confirm: nothing is set aside; make splits with anatomy data split --set-aside N and give them with --splits before the first run',
  );
}

/** A data set that has been opened, with its folds. */
interface OpenSet extends KeyedSet {
  readonly dataset: Dataset;
  /** The entry of the experiment file that names further data; undefined for the data of pretraining. */
  readonly set?: JudgedSet;
}

/**
 * Opens the data of pretraining and all further data that is there, each with the folds in which every row is judged.
 */
async function openAll({ data, splits, evaluation, judge }: Experiment, console: MessageConsole) {
  const onWarning = (message: string) => console.warn(message);
  const open = async (set: Pick<JudgedSet, 'data' | 'splits' | 'evaluation'>): Promise<OpenSet> => {
    const dataset = await openDataset(set.data!, { onWarning });
    const { folds, seed } = set.evaluation;
    const key = await imagesKey(dataset.samples);
    const file = set.splits;
    if (file === undefined) return { dataset, splits: makeSplits(dataset, { folds, seed }), key };
    const splits = await loadSplits(file, dataset.samples);
    if (folds === undefined || folds === splits.k) return { dataset, splits, key };
    throw new UsageError(
      `evaluation.folds is ${folds}, but ${file} has ${splits.k} folds; leave out the one or the other`,
    );
  };
  const own = await open({ data, splits, evaluation });
  const others: (OpenSet & { readonly set: JudgedSet })[] = [];
  for (const set of judge)
    if (set.data !== undefined) others.push({ ...(await open(set)), set, slug: set.slug });
  return { own, others };
}

/** @throws UsageError when the folder's experiment has other folds, subjects or labels */
function checkData(out: string, sets: readonly OpenSet[]): void {
  for (const set of sets) {
    checkFolds(out, set);
    checkSamples(out, set);
  }
}

function optionsOf({ k, folds }: Splits): CellOptions {
  return { k, setAside: Object.values(folds).includes(SET_ASIDE) };
}

/** @throws UsageError when the folder holds files that are no experiment */
function checkFolder(out: string): void {
  if (!existsSync(out)) return;
  const { description } = experimentPaths(out);
  const names = readdirSync(out).filter((name) => !isTemporary(name));
  // A killed process may have left its lease before the description was written.
  if (names.length === 0 || names.some(isLeaseFile) || existsSync(description)) return;
  throw new UsageError(`${out} exists and holds no experiment; choose another --out`);
}

/** The folders that this process writes into: the experiment's own, and those of cells and configs. */
function foldersOf(out: string): string[] {
  const below = ['cells', 'configs'].map((name) => join(out, name)).filter(existsSync);
  const deep = below.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return [out, ...below, ...deep];
}

/**
 * Finds the state of each cell. Results of other settings are refused, or deleted when they may be overwritten and no
 * other process works here.
 */
async function refusedOrDropped(
  cells: readonly Cell[],
  out: string,
  overwrite: boolean,
): Promise<ReadonlyMap<string, CellState>> {
  const states = statesOf(cells, out);
  const changed = cells.filter(({ id }) => states.get(id)!.state === 'changed');
  if (!overwrite && changed.length > 0) {
    const lines = changed.map(
      ({ id, title }) => `${title}\n    ${states.get(id)!.differences.join('\n    ')}`,
    );
    throw new UsageError(
      `${out} holds cells of other settings; choose another --out, or run these anew with --overwrite:\n  ${lines.join('\n  ')}`,
    );
  }
  const { cell, predictions, curves, atWorkOn } = experimentPaths(out);
  if (changed.length > 0) {
    for (const { id } of cells.filter(({ id }) => existsSync(atWorkOn(id)))) {
      (
        await takeLease(atWorkOn(id), {
          doing: 'working on a cell of this experiment',
          onInfo: () => undefined,
        })
      ).release();
    }
  }
  for (const { id } of changed) {
    for (const file of [cell(id), predictions(id), curves(id)]) rmSync(file, { force: true });
  }
  return states;
}

function describe(
  { data: _, splits: __, masks: ___, evaluation: ____, ...experiment }: Experiment,
  own: OpenSet,
  others: readonly (OpenSet & { readonly set: JudgedSet })[],
  cells: readonly Cell[],
): ExperimentDescription {
  return {
    version: 3,
    name: experiment.name,
    description: experiment.description,
    smoke: experiment.smoke,
    data: describedData(own),
    seeds: experiment.seeds,
    protocols: experiment.protocols,
    rows: experiment.rows.map(({ name, folder, paper, seeds, candidates }) => ({
      name,
      folder,
      paper,
      seeds,
      candidates: candidates.map((candidate) => ({ name: candidate.name, folder: candidate.folder })),
    })),
    judge: experiment.judge.map(({ name, slug, protocols, paper, absent }) => {
      const found = others.find(({ set }) => set.slug === slug);
      return { name, slug: slug!, protocols, paper, absent, data: found && describedData(found) };
    }),
    folds: Object.fromEntries([own, ...others].map((one) => [one.slug ?? '', describedFolds(one)])),
    compare: experiment.compare,
    setAside: experiment.setAside,
    cells: cells.map(({ id }) => id),
  };
}

function describedData(set: OpenSet): DescribedData {
  const { name, samples } = set.dataset;
  const { folds } = set.splits;
  const counts = (some: Dataset['samples']) => ({
    pairs: some.length,
    subjects: new Set(some.map(({ subject }) => subject)).size,
  });
  const setAside = counts(samples.filter(({ id }) => folds[id] === SET_ASIDE));
  return { name, ...counts(samples), digest: samplesDigest(set), ...(setAside.pairs > 0 && { setAside }) };
}
