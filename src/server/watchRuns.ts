/** Finds the runs and experiments below a folder, and says what has changed since it last looked. */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { isSystemError } from '../files.js';
import { LeaseWatch } from '../training/lease.js';
import { runPaths } from '../training/runFolder.js';
import type { ExperimentSummary, RunSummary, RunsChange } from './messages.js';
import { ExperimentReader, isExperiment, WITHOUT_RUNS } from './readExperiment.js';
import { readRunSummary, runStamp } from './readRun.js';

/** Folders of folders beyond this are not looked into. */
const DEEPEST = 8;

/** Looking at a thousand runs takes a while, of which training on the same cores must not see much. */
const SHARE_OF_TIME = 0.02;

export class RunsWatch {
  readonly #root: string;
  readonly #pauseMs: number;
  readonly #listeners = new Set<(change: RunsChange) => void>();
  #looking = false;
  readonly #leases = new LeaseWatch();
  readonly #known = new Map<string, { stamp: string; summary: RunSummary }>();
  readonly #readers = new Map<string, ExperimentReader>();
  #experiments: readonly ExperimentSummary[] = [];

  /**
   * @param root a folder with runs in it at any depth, or a run; links to other folders are not followed
   * @param pauseMs the time between two looks while somebody listens
   */
  constructor(root: string, pauseMs = 1000) {
    this.#root = root;
    this.#pauseMs = pauseMs;
  }

  /** Tells of every change from now on. @returns what ends it */
  listen(tell: (change: RunsChange) => void): () => void {
    this.#listeners.add(tell);
    if (!this.#looking) this.#lookOn();
    return () => this.#listeners.delete(tell);
  }

  #lookOn(): void {
    this.#looking = this.#listeners.size > 0;
    if (!this.#looking) return;
    const began = performance.now();
    try {
      this.look();
    } catch (error) {
      // Runs come and go while it looks; the next look sees them as they are.
      if (!isSystemError(error)) throw error;
    }
    const pause = Math.max(this.#pauseMs, (performance.now() - began) / SHARE_OF_TIME);
    setTimeout(() => this.#lookOn(), pause).unref();
  }

  /** Looks again, and tells those who listen. What it finds is what {@link runs} and {@link folderOf} know. */
  look(): RunsChange {
    const ids = new Set<string>();
    const changed: RunSummary[] = [];
    const found = foldersIn(this.#root);
    for (const folder of found.runs) {
      const id = this.#idOf(folder);
      ids.add(id);
      const stamp = runStamp(folder, this.#leases);
      if (this.#known.get(id)?.stamp === stamp) continue;
      const summary = readRunSummary(folder, id, this.#leases);
      this.#known.set(id, { stamp, summary });
      changed.push(summary);
    }
    const removed = [...this.#known.keys()].filter((id) => !ids.has(id));
    for (const id of removed) this.#known.delete(id);
    const before = JSON.stringify(this.#experiments);
    this.#experiments = this.#read(found.experiments);
    const moved = JSON.stringify(this.#experiments) !== before;
    const change = { changed, removed, ...(moved && { experiments: this.#experiments }) };
    if (changed.length + removed.length > 0 || moved) for (const tell of this.#listeners) tell(change);
    return change;
  }

  #read(folders: readonly string[]): ExperimentSummary[] {
    const ids = new Set(folders.map((folder) => this.#idOf(folder)));
    for (const id of this.#readers.keys()) if (!ids.has(id)) this.#readers.delete(id);
    return folders.map((folder) => {
      const id = this.#idOf(folder);
      const reader = this.#readers.get(id) ?? new ExperimentReader(folder, id, this.#leases);
      this.#readers.set(id, reader);
      return reader.summary();
    });
  }

  #idOf(folder: string): string {
    return relative(this.#root, folder).split(sep).join('/') || '.';
  }

  runs(): RunSummary[] {
    return [...this.#known.values()].map(({ summary }) => summary);
  }

  experiments(): readonly ExperimentSummary[] {
    return this.#experiments;
  }

  /** The folder of an experiment that was found; undefined for any other word. */
  experimentFolderOf(id: string): string | undefined {
    return this.#readers.has(id) ? join(this.#root, id) : undefined;
  }

  /** The folder of a run that was found; undefined for any other word. */
  folderOf(id: string): string | undefined {
    return this.#known.has(id) ? join(this.#root, id) : undefined;
  }
}

interface Folders {
  readonly runs: string[];
  readonly experiments: string[];
}

function foldersIn(folder: string, depth = 0, found: Folders = { runs: [], experiments: [] }): Folders {
  const paths = runPaths(folder);
  if (existsSync(paths.config) && (existsSync(paths.log) || existsSync(paths.provenance))) {
    found.runs.push(folder);
    return found;
  }
  const holdsCells = isExperiment(folder);
  if (holdsCells) found.experiments.push(folder);
  if (depth === DEEPEST) return found;
  for (const name of namesIn(folder)) {
    // No run lies there, and of a large experiment they hold thousands of folders.
    if (holdsCells && WITHOUT_RUNS.includes(name)) continue;
    foldersIn(join(folder, name), depth + 1, found);
  }
  return found;
}

/** The folders in a folder, without hidden ones and links. One that cannot be read has none. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}
