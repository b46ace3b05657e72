/** Does one round of work on the unfinished cells: starts their processes, passes signals on and reports progress. */

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatConfig } from '../../config/index.js';
import { parseEvaluation } from '../../evaluation/results/evaluationResult.js';
import { parsePairs } from '../../evaluation/results/pairsResult.js';
import { isSystemError, PRIVATE, writeFileAtomic } from '../../files.js';
import type { MessageConsole } from '../../log/console.js';
import { formatDuration } from '../../log/progress.js';
import { numbered } from '../../text/numbers.js';
import { FolderBusyError, type Lease, type LeaseOptions, takeLease } from '../../training/lease.js';
import { readProvenance } from '../../training/provenance.js';
import { runPaths } from '../../training/runFolder.js';
import { errorIn, FAILED } from '../stored/cellLog.js';
import { experimentPaths, readCell, writeCell } from '../stored/folder.js';
import { type Cell, commandOf, settingsOf } from './cells.js';
import { type RunningChild, runChild } from './child.js';
import { schedule } from './schedule.js';
import { type CellState, isDoneMeanwhile } from './states.js';
import { packCurves, packPredictions } from './travel.js';

export interface WorkOutcome {
  /** The number of finished cells, with those of earlier runs. */
  readonly done: number;
  readonly failed: readonly { readonly title: string; readonly reason: string; readonly log: string }[];
  /** The signal that ended the work early. */
  readonly interrupted?: NodeJS.Signals;
}

/** Other processes that run the same experiment look for a cell that nobody works on, and say nothing of the rest. */
const CELL_LEASE: LeaseOptions = { doing: 'at work on this cell', onInfo: () => undefined };

/** The built program that each process runs. */
const PROGRAM = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

export interface WorkOptions {
  readonly out: string;
  readonly console: MessageConsole;
  /** The number of processes that run at the same time. */
  readonly jobs: number;
  /** The number of threads that LibTorch uses in each process. */
  readonly threads: number;
}

export class Work {
  readonly #cells: readonly Cell[];
  readonly #states: ReadonlyMap<string, CellState>;
  readonly #options: WorkOptions;
  readonly #done: Set<string>;
  /** The durations of finished cells in seconds, by kind of cell. */
  readonly #seconds = new Map<string, number[]>();
  readonly #failed: WorkOutcome['failed'][number][] = [];
  readonly #children = new Set<RunningChild>();
  readonly #stop = new AbortController();
  #interrupted: NodeJS.Signals | undefined;

  constructor(cells: readonly Cell[], states: ReadonlyMap<string, CellState>, options: WorkOptions) {
    this.#cells = cells;
    this.#states = states;
    this.#options = options;
    const done = cells.filter(({ id }) => states.get(id)!.state === 'done');
    this.#done = new Set(done.map(({ id }) => id));
    for (const cell of done) this.#took(cell, readCell(options.out, cell.id)!.seconds);
  }

  async all(): Promise<WorkOutcome> {
    const { console, jobs, threads, out } = this.#options;
    const cells = this.#cells;
    const left = cells.filter(({ id }) => !this.#done.has(id));
    console.info(
      `${numbered(cells.length, 'cell')}, ${this.#done.size} done before; ${jobs} at once, ${threads} thread${threads === 1 ? '' : 's'} each; ${out}`,
    );
    for (const { id, title } of left) {
      const { again } = this.#states.get(id)!;
      if (again !== undefined) console.info(`${title}: again, as ${again}`);
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const signal of signals) process.on(signal, this.#interrupt);
    try {
      const execute = (cell: Cell) => this.#run(cell);
      await schedule(left, { jobs, done: this.#done, execute, signal: this.#stop.signal });
    } finally {
      for (const signal of signals) process.off(signal, this.#interrupt);
      removeIfEmpty(experimentPaths(out).atWork);
    }
    return {
      done: this.#done.size,
      failed: this.#failed,
      interrupted: this.#interrupted,
    };
  }

  /** Passes a signal on to the children. They save at the first one and end at once at the second. */
  #interrupt = (signal: NodeJS.Signals): void => {
    if (this.#interrupted === undefined && this.#children.size > 0) {
      const [cells, them] =
        this.#children.size === 1
          ? ['1 cell at work is', 'it']
          : [`${this.#children.size} cells at work are`, 'them'];
      this.#options.console.warn(`${signal}: ${cells} saved first; again ends ${them} at once`);
    }
    this.#interrupted ??= signal;
    this.#stop.abort();
    for (const child of this.#children) child.kill(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
  };

  /** @returns true when the cell has finished, `elsewhere` while another process works on it */
  async #run(cell: Cell): Promise<boolean | 'elsewhere'> {
    const { out, console } = this.#options;
    if (this.#doneMeanwhile(cell)) return true;
    const log = experimentPaths(out).log(cell.id);
    let lease: Lease | undefined;
    let reason: string | undefined;
    try {
      lease = await takeLease(experimentPaths(out).atWorkOn(cell.id), CELL_LEASE);
      // It may have finished while this process took the lease.
      if (this.#doneMeanwhile(cell)) return true;
      reason = await this.#attempt(cell, log, lease);
    } catch (error) {
      if (error instanceof FolderBusyError) return 'elsewhere';
      reason = (error as Error).message;
    } finally {
      lease?.release();
    }
    if (reason === undefined || this.#interrupted !== undefined) return reason === undefined;
    this.#failed.push({ title: cell.title, reason, log });
    // Whoever looks at the folder later, such as the live page, finds it there. It begins a line of its own.
    if (existsSync(log)) appendFileSync(log, `\n${FAILED}${reason}\n`);
    console.error(`${cell.title}: ${reason}; log: ${log}`);
    return false;
  }

  #doneMeanwhile(cell: Cell): boolean {
    const { out } = this.#options;
    if (!isDoneMeanwhile(cell, out)) return false;
    this.#tell(cell, `${formatDuration(readCell(out, cell.id)!.seconds)} in another process`);
    return true;
  }

  /** Counts a finished cell and tells of it. */
  #tell(cell: Cell, took: string): void {
    this.#done.add(cell.id);
    const count = `${this.#done.size}/${this.#cells.length}`;
    const eta = formatDuration(this.#secondsLeft());
    this.#options.console.info(`${count} · ${cell.title} · ${took} · ETA ${eta}`);
  }

  /** @returns the reason why the cell failed; undefined when it succeeded */
  async #attempt(cell: Cell, log: string, lease: Lease): Promise<string | undefined> {
    const { out, threads } = this.#options;
    writeConfig(out, cell.id, formatConfig(settingsOf(cell)));
    let child: RunningChild | undefined;
    const { code, stdout, seconds } = await runChild(PROGRAM, this.#command(cell), {
      log,
      threads,
      onStart: (started) => {
        child = started;
        this.#children.add(started);
        lease.add(started.pid);
      },
    });
    if (child !== undefined) {
      this.#children.delete(child);
      lease.remove(child.pid);
    }
    if (code !== 0) return reasonOf(log, code);
    lease.check();
    finish(cell, out, { stdout, seconds, threads });
    this.#took(cell, seconds);
    this.#tell(cell, formatDuration(seconds));
    return undefined;
  }

  #command(cell: Cell): string[] {
    const { out } = this.#options;
    const overwrite =
      this.#states.get(cell.id)!.state === 'changed' && existsSync(runPaths(join(out, cell.run)).config);
    return commandOf(cell, out, overwrite);
  }

  #took(cell: Cell, seconds: number): void {
    const kind = kindOf(cell);
    this.#seconds.set(kind, [...(this.#seconds.get(kind) ?? []), seconds]);
  }

  /** Estimates the remaining time in seconds. NaN while a kind of cell is left of which none has finished. */
  #secondsLeft(): number {
    const left = this.#cells.filter(({ id }) => !this.#done.has(id));
    const each = left.map((cell) => {
      const known = this.#seconds.get(kindOf(cell)) ?? [];
      return known.reduce((sum, seconds) => sum + seconds, 0) / known.length;
    });
    return each.reduce((sum, seconds) => sum + seconds, 0) / this.#options.jobs;
  }
}

/** Another process may still be at work on some cell. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/** Cells of one kind are expected to take equally long. */
function kindOf(cell: Cell): string {
  return cell.kind === 'pretrain' ? cell.kind : `${cell.set ?? ''}/${cell.protocol.slug}`;
}

function writeConfig(out: string, id: string, text: string): void {
  const file = experimentPaths(out).config(id);
  mkdirSync(dirname(file), { recursive: true });
  writeFileAtomic(file, text, { mode: PRIVATE }); // it holds places
}

/** Stores the result of a cell. The files beside it come first, so that a cell that exists is complete. */
function finish(
  cell: Cell,
  out: string,
  { stdout, seconds, threads }: { stdout: string; seconds: number; threads: number },
): void {
  const common = { version: 1, settings: cell.settings, seconds, threads, run: cell.run } as const;
  if (cell.kind === 'pretrain') {
    packCurves(cell, out);
    const { step } = JSON.parse(stdout) as { step: number };
    const provenance = readProvenance(join(out, cell.run));
    writeCell(out, cell.id, { ...common, kind: 'pretrain', steps: step, provenance });
  } else if (cell.kind === 'pairs') {
    writeCell(out, cell.id, { ...common, kind: 'pairs', result: parsePairs(stdout, cell.title) });
  } else {
    const { patients: _, ...result } = parseEvaluation(stdout, cell.title);
    packPredictions(cell, out, result);
    writeCell(out, cell.id, { ...common, kind: 'evaluate', result });
  }
}

/** Finds the error that the program reported in its log, else describes how it ended. */
function reasonOf(log: string, code: number): string {
  const told = errorIn(readFileSync(log, 'utf8'));
  return told === undefined ? `ended with exit code ${code}` : `exit ${code}: ${told}`;
}
