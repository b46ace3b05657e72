/** The folder of an experiment: what it is made of, and what its finished cells left. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Tree } from '../config/index.js';
import { parseSplits, type Splits } from '../data/splits/splits.js';
import { DataError, UsageError } from '../errors.js';
import type { EvaluationResult } from '../evaluation/result.js';
import { writeFileAtomic } from '../files.js';
import type { ExperimentProtocol } from './experimentFile.js';
import type { PaperNumbers } from './paperNumbers.js';

/** `cells/` and `runs/` say nothing of where the data lie or who is in them; `configs/`, `logs/` and `splits.json` do. */
export const experimentPaths = (root: string) => ({
  root,
  /** What `experiment table` needs to know of the experiment file. */
  description: join(root, 'experiment.json'),
  /** The folds that every row is judged in, by sample id. */
  splits: join(root, 'splits.json'),
  /** The processes at work. */
  running: join(root, 'running.json'),
  cell: (id: string) => join(root, 'cells', `${id}.json`),
  config: (id: string) => join(root, 'configs', `${id}.yaml`),
  log: (id: string) => join(root, 'logs', `${id}.log`),
});

export interface ExperimentDescription {
  readonly version: 1;
  readonly name: string;
  readonly description?: string;
  readonly smoke: boolean;
  readonly data: { readonly name: string; readonly pairs: number; readonly subjects: number };
  readonly seeds: readonly number[];
  readonly protocols: readonly ExperimentProtocol[];
  readonly rows: readonly DescribedRow[];
}

export interface DescribedRow {
  readonly name: string;
  readonly folder: string;
  readonly paper?: PaperNumbers;
}

interface FinishedCell {
  readonly version: 1;
  /** All that decides its numbers, but for the machine. */
  readonly settings: Tree;
  /** Of the process that finished it; a resumed one counts from there. */
  readonly seconds: number;
  /** LibTorch’s threads. */
  readonly threads: number;
  /** Seen from the experiment’s folder. */
  readonly run: string;
}

export interface FinishedPretraining extends FinishedCell {
  readonly kind: 'pretrain';
  readonly steps: number;
  /** As in the run: versions, hardware, data and seed. */
  readonly provenance: Tree;
}

/** As `anatomy evaluate --json` prints it; a number that is undefined is null. */
export type StoredResult = Omit<EvaluationResult, 'predictions' | 'patients'>;

export interface FinishedEvaluation extends FinishedCell {
  readonly kind: 'evaluate';
  /** CSV with the test predictions, seen from the experiment’s folder. */
  readonly predictions: string;
  readonly result: StoredResult;
}

export type StoredCell = FinishedPretraining | FinishedEvaluation;

export const evaluationId = (row: string, seed: number, protocol: string) =>
  `${row}/seed-${seed}/${protocol}`;

export const pretrainingId = (row: string, seed: number, fold?: number) =>
  `${row}/seed-${seed}/pretrain${fold === undefined ? '' : `-fold-${fold}`}`;

/** What a finished cell left; undefined while it is not finished. @throws DataError when the file is damaged */
export function readCell(root: string, id: string): StoredCell | undefined {
  const file = experimentPaths(root).cell(id);
  if (!existsSync(file)) return undefined;
  return readVersioned<StoredCell>(file, 'delete it and the cell is run again');
}

export function writeCell(root: string, id: string, cell: StoredCell): void {
  writeJson(experimentPaths(root).cell(id), cell);
}

/** @throws UsageError where there is no experiment */
export function readDescription(root: string): ExperimentDescription {
  const { description } = experimentPaths(root);
  if (!existsSync(description)) {
    throw new UsageError(
      `${root}: no experiment here (no experiment.json); expected the --out folder of anatomy experiment run`,
    );
  }
  return readVersioned(description, 'run the experiment again');
}

export function writeDescription(root: string, description: ExperimentDescription): void {
  writeJson(experimentPaths(root).description, description);
}

/**
 * The folds stay what they were: all rows are judged in the same ones.
 * @throws UsageError when the folder has others
 */
export function checkSplits(root: string, wanted: Splits): void {
  const { splits: file } = experimentPaths(root);
  if (!existsSync(file)) return;
  const stored = parseSplits(readFileSync(file, 'utf8'), file);
  if (JSON.stringify(stored) === JSON.stringify(wanted)) return;
  throw new UsageError(
    `${root} holds an experiment in other folds (${described(stored)}; now asked for ${described(wanted)}); choose another --out`,
  );
}

function described({ k, dataset, source, seed }: Splits): string {
  return `${k} of ${dataset}, ${source === 'published' ? 'published' : `drawn with seed ${seed}`}`;
}

function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileAtomic(file, `${JSON.stringify(value, null, 1)}\n`);
}

function readVersioned<T extends { version: 1 }>(file: string, remedy: string): T {
  let value: T | undefined;
  try {
    value = JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (value?.version === 1) return value;
  throw new DataError(`${file}: is not of this version, or damaged; ${remedy}`);
}
