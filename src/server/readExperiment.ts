/** Reads how far an experiment is from the files in its folder, while it may be at work, and without LibTorch. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { AnatomyError } from '../errors.js';
import type { StoredCell } from '../experiments/stored/cell.js';
import { failureIn } from '../experiments/stored/cellLog.js';
import { readConfirmation } from '../experiments/stored/confirmation.js';
import type { ExperimentDescription } from '../experiments/stored/description.js';
import { experimentPaths, readCell, readDescription } from '../experiments/stored/folder.js';
import { isSystemError } from '../files.js';
import type { LeaseWatch } from '../training/lease.js';
import { runPaths } from '../training/runFolder.js';
import type { ExperimentRow, ExperimentSummary, RunResult } from './messages.js';
import { judgedResults, pairResults } from './readRun.js';

/** More that is wrong nobody would read in a list. */
const PROBLEMS = 20;

/** The folders of an experiment that hold no run. */
export const WITHOUT_RUNS: readonly string[] = ['cells', 'configs', 'logs', 'at-work', 'report'];

/** True for a folder that an experiment works in, also where the file that describes it is missing. */
export function isExperiment(folder: string): boolean {
  const { description } = experimentPaths(folder);
  return existsSync(description) || ['cells', 'configs'].every((name) => existsSync(join(folder, name)));
}

/** What is told of a finished cell. */
interface Finished {
  readonly seconds: number;
  /** The folder of its run, relative to the experiment's. */
  readonly run: string;
  /** Whether its result lies where that of `anatomy evaluate` without settings does. */
  readonly plain: boolean;
  readonly results: readonly RunResult[];
}

type Read<T> = T | { readonly problem: string };

/** Reads an experiment again and again. What has not changed since is not read again. */
export class ExperimentReader {
  readonly #root: string;
  readonly #id: string;
  readonly #leases: LeaseWatch;
  readonly #read = new Map<string, { readonly stamp: string; readonly found: unknown }>();

  /** @param id the folder as it is told */
  constructor(root: string, id: string, leases: LeaseWatch) {
    this.#root = root;
    this.#id = id;
    this.#leases = leases;
  }

  /** What is wrong with the folder is said in the summary. */
  summary(): ExperimentSummary {
    const paths = experimentPaths(this.#root);
    const problems: string[] = [];
    const sound = <T extends object>(one: Read<T> | undefined): T | undefined => {
      if (one === undefined || !('problem' in one)) return one;
      problems.push(one.problem);
      return undefined;
    };
    const described = sound(this.#once(paths.description, () => readDescription(this.#root)));
    const confirming = sound(this.#once(paths.confirmation, () => confirmationCells(this.#root)));
    const atWork = this.#atWork();
    // Older versions did not list the cells; those that have begun are known all the same.
    const planned = described?.cells;
    const ids = new Set([...(planned ?? this.#begun()), ...(confirming ?? []), ...atWork]);
    const finished = new Map<string, Finished>();
    const counts = { finished: 0, running: 0, failed: 0, left: 0 };
    const waiting: string[] = [];
    for (const id of ids) {
      const cell = this.#once(paths.cell(id), () => {
        const stored = readCell(this.#root, id);
        return stored && finishedCell(stored, id);
      });
      if (cell !== undefined && !('problem' in cell)) {
        counts.finished += 1;
        finished.set(id, cell);
        continue;
      }
      waiting.push(id);
      const failure = cell?.problem ?? this.#failureOf(id);
      if (atWork.has(id)) counts.running += 1;
      else if (failure === undefined) counts.left += 1;
      else {
        counts.failed += 1;
        problems.push(failure);
      }
    }
    const more = problems.length - PROBLEMS;
    return {
      id: this.#id,
      name: described?.name ?? basename(this.#root),
      cells: { ...counts, left: planned === undefined ? null : counts.left },
      secondsLeft:
        planned !== undefined && counts.running > 0 ? secondsLeft(waiting, finished, counts.running) : null,
      problems: more > 0 ? [...problems.slice(0, PROBLEMS), `and ${more} more`] : problems,
      rows: described === undefined ? [] : this.#rows(described, finished),
      report: existsSync(join(this.#root, 'report', 'index.html')),
    };
  }

  /** The cells that left a result or a log. */
  #begun(): string[] {
    const [results, logs] = [
      filesIn(join(this.#root, 'cells'), '.json'),
      filesIn(join(this.#root, 'logs'), '.log'),
    ];
    return [...results.filter((id) => id !== 'confirmation'), ...logs];
  }

  #atWork(): Set<string> {
    const folder = experimentPaths(this.#root).atWork;
    return new Set(
      namesIn(folder).flatMap((name) =>
        this.#leases.look(join(folder, name)) === 'alive' ? decoded(name) : [],
      ),
    );
  }

  #failureOf(id: string): string | undefined {
    const { log } = experimentPaths(this.#root);
    if (!existsSync(log(id))) return undefined;
    const found = this.#once(log(id), () => ({ reason: failureIn(readFileSync(log(id), 'utf8')) }));
    if ('problem' in found) return found.problem;
    return found.reason === undefined ? undefined : `${id}: ${found.reason}; log: logs/${id}.log`;
  }

  #rows({ rows }: ExperimentDescription, finished: ReadonlyMap<string, Finished>): ExperimentRow[] {
    const prefix = this.#id === '.' ? '' : `${this.#id}/`;
    return rows.flatMap(({ candidates }) =>
      candidates.map(({ name, folder }) => ({
        name,
        runs: `${prefix}runs/${folder}/`,
        results: [...finished].flatMap(([id, cell]) =>
          id.startsWith(`${folder}/`) && !this.#isInItsRun(cell) ? cell.results : [],
        ),
      })),
    );
  }

  /** Whether the run itself holds the result where a list of runs finds it. */
  #isInItsRun({ run, plain }: Finished): boolean {
    return plain && existsSync(runPaths(join(this.#root, run)).config);
  }

  /** Reads a file unless it is as it was. What is wrong with it is kept too. */
  #once<T extends object | undefined>(file: string, read: () => T): Read<T> {
    const state = statSync(file, { throwIfNoEntry: false });
    const stamp = state === undefined ? '-' : `${state.ino}/${state.mtimeMs}/${state.size}`;
    const before = this.#read.get(file);
    if (before?.stamp === stamp) return before.found as Read<T>;
    let found: Read<T>;
    try {
      found = read();
    } catch (error) {
      if (!(error instanceof AnatomyError) && !isSystemError(error)) throw error;
      found = { problem: error.message };
    }
    this.#read.set(file, { stamp, found });
    return found;
  }
}

function finishedCell(cell: StoredCell, id: string): Finished {
  const { seconds, run } = cell;
  // What is set aside is told by the table alone, with the number of looks.
  if (cell.kind === 'pretrain' || id.endsWith('-set-aside'))
    return { seconds, run, plain: false, results: [] };
  const what = whatOf(id);
  const name = what.replaceAll('/', ' · ');
  return cell.kind === 'pairs'
    ? { seconds, run, plain: what === 'pairs', results: pairResults(name, cell.result) }
    : { seconds, run, plain: what === cell.result.protocol, results: judgedResults(name, cell.result) };
}

/** The ids of the cells of the last look at what is set aside. */
function confirmationCells(root: string): string[] {
  return Object.keys(readConfirmation(root)?.looks.at(-1)?.settings ?? {});
}

/** What a cell does: its id without the row and the seed. */
function whatOf(id: string): string {
  return id.split('/').slice(2).join('/');
}

/** The cells that wait, as long as those of their kind took on average; null where none of a kind has finished. */
function secondsLeft(
  waiting: readonly string[],
  finished: ReadonlyMap<string, Finished>,
  running: number,
): number | null {
  const known = new Map<string, number[]>();
  for (const [id, { seconds }] of finished)
    known.set(kindOf(id), [...(known.get(kindOf(id)) ?? []), seconds]);
  let sum = 0;
  for (const id of waiting) {
    const own = known.get(kindOf(id));
    if (own === undefined) return null;
    sum += own.reduce((a, b) => a + b, 0) / own.length;
  }
  return sum / running;
}

/** Cells of one kind are expected to take equally long, whatever their row, seed, fold and draw. */
function kindOf(id: string): string {
  return whatOf(id)
    .replace(/-fold-\d+$/, '')
    .replace(/(-draw-\d+)?(-set-aside)?$/, '');
}

function decoded(name: string): string[] {
  try {
    return [decodeURIComponent(name)];
  } catch {
    return []; // a folder that is none of ours
  }
}

/** The files below a folder that end so, without that end, relative to it. */
function filesIn(folder: string, end: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(end) && !entry.name.startsWith('.'))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .map((name) => name.slice(0, -end.length))
      .sort();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}
