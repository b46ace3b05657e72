/** Reads what a list of runs shows of one, while it may be training, and without LibTorch. */
import {
  closeSync,
  type Dirent,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Config, readConfig } from '../config/index.js';
import { AnatomyError } from '../errors.js';
import { readEvaluations, readPairs } from '../evaluation/readResults.js';
import type { EvaluationResult } from '../evaluation/results/evaluationResult.js';
import type { PairsResult } from '../evaluation/results/pairsResult.js';
import { isSystemError } from '../files.js';
import { plannedSteps } from '../report/source/runRecord.js';
import type { LeaseWatch } from '../training/lease.js';
import { runPaths } from '../training/runFolder.js';
import {
  type MetricLine,
  type MetricLines,
  type RunResult,
  type RunState,
  type RunSummary,
  resultName,
} from './messages.js';

const provenanceSchema = z.object({ pairs: z.number() });
const failureSchema = z.object({ step: z.number(), reason: z.string() });

/** The steps over which a run's speed is averaged. */
const RECENT = 10;

/** A file's last lines are in so many bytes. */
const TAIL = 2 ** 16;

/** What tells whether a run has changed: the time and size of its files. */
export function runStamp(root: string, leases: LeaseWatch): string {
  const paths = runPaths(root);
  const files = [paths.config, paths.provenance, paths.metrics, paths.encoder, paths.failure];
  const state = [...files, join(root, 'evaluation'), join(root, 'report'), paths.checkpoints].map((file) => {
    const found = statSync(file, { throwIfNoEntry: false });
    return found === undefined ? '-' : `${found.mtimeMs}/${found.size}`;
  });
  return [...state, leases.look(root)].join(' ');
}

/** Reads a run. What is wrong with it is said in the summary. */
export function readRunSummary(root: string, id: string, leases: LeaseWatch): RunSummary {
  const paths = runPaths(root);
  const { bytes, written } = sizeOf(root);
  const common = { id, bytes, written, report: existsSync(join(root, 'report', 'index.html')) };
  try {
    const config = readConfig(paths.config);
    const lines = lastLines(paths.metrics);
    const done = lines.at(-1)?.step ?? 0;
    const failure = existsSync(paths.failure)
      ? failureSchema.parse(JSON.parse(readFileSync(paths.failure, 'utf8')))
      : undefined;
    const finished = existsSync(paths.encoder);
    const state = stateOf({ finished, failed: failure !== undefined, holder: leases.look(root), done });
    const planned = plannedOf(config, paths.provenance);
    const speeds = lines.slice(-RECENT).flatMap(({ pairsPerSecond }) => pairsPerSecond ?? []);
    const pairsPerSecond = speeds.length === 0 ? null : speeds.reduce((a, b) => a + b) / speeds.length;
    const secondsLeft =
      state === 'training' && planned !== null && pairsPerSecond
        ? ((planned - done) * config.training.batchSize) / pairsPerSecond
        : null;
    return {
      ...common,
      state,
      ...(failure && !finished && { problem: `step ${failure.step}: ${failure.reason}` }),
      method: config.method.name,
      seed: config.seed,
      steps: { done, planned },
      loss: lines.at(-1)?.loss ?? null,
      pairsPerSecond,
      secondsLeft,
      settings: flat(config),
      results: resultsOf(root),
    };
  } catch (error) {
    // A file that is being replaced, or is damaged, is no reason to show no other run.
    const known =
      error instanceof AnatomyError || error instanceof z.ZodError || error instanceof SyntaxError;
    if (!known && !isSystemError(error)) throw error;
    const nothing = { loss: null, pairsPerSecond: null, secondsLeft: null, settings: {}, results: [] };
    const problem = (error as Error).message;
    return { ...common, ...nothing, state: 'unreadable', problem, steps: { done: 0, planned: null } };
  }
}

function stateOf(found: {
  finished: boolean;
  failed: boolean;
  holder: ReturnType<LeaseWatch['look']>;
  done: number;
}): RunState {
  if (found.finished) return 'finished';
  if (found.holder === 'alive') return found.done === 0 ? 'starting' : 'training';
  if (found.failed) return 'diverged';
  return found.holder === 'gone' ? 'gone' : 'interrupted';
}

function plannedOf(config: Config, provenance: string): number | null {
  if (config.training.steps !== null && config.training.steps !== undefined) return config.training.steps;
  if (!existsSync(provenance)) return null;
  return plannedSteps(config, provenanceSchema.parse(JSON.parse(readFileSync(provenance, 'utf8'))).pairs);
}

function flat(value: object, prefix = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, one] of Object.entries(value)) {
    const path = `${prefix}${key}`;
    if (path === 'seed' || one === null || one === undefined) continue;
    if (typeof one === 'object' && !Array.isArray(one)) Object.assign(found, flat(one, `${path}.`));
    else found[path] = typeof one === 'string' ? one : JSON.stringify(one);
  }
  return found;
}

function resultsOf(root: string): RunResult[] {
  return [
    ...readEvaluations(root).flatMap(({ name, record }) => judgedResults(name, record)),
    ...readPairs(root).flatMap((result) => pairResults('pairs', result)),
  ];
}

/** What an evaluation says of the encoder itself. @param name of the evaluation, such as `logreg` */
export function judgedResults(
  name: string,
  { rows, metrics }: Pick<EvaluationResult, 'rows' | 'metrics'>,
): RunResult[] {
  const metric = metrics[0]!;
  return rows
    .filter(({ source }) => source === 'run')
    .flatMap((row) => {
      const { pooled: value, low, high } = row.metrics[metric]!;
      return value === null ? [] : [{ name: resultName(name, row), metric, value, low, high }];
    });
}

/** How well partners are found among pairs. */
export function pairResults(name: string, { measures }: Pick<PairsResult, 'measures'>): RunResult[] {
  return measures
    .filter(({ claim, source }) => claim === 'retrieval' && source === 'run')
    .flatMap(({ features, direction = '', value, low, high }) =>
      value === null
        ? []
        : [{ name: [name, features, direction].join(' · '), metric: 'retrieval', value, low, high }],
    );
}

/** What a folder holds, as far as it can be looked into; others may delete files of it at any moment. */
function sizeOf(folder: string): { bytes: number; written: number } {
  let [bytes, written] = [0, 0];
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const inside = sizeOf(path);
      bytes += inside.bytes;
      written = Math.max(written, inside.written);
    } else if (entry.isFile()) {
      const state = statSync(path, { throwIfNoEntry: false });
      bytes += state?.size ?? 0;
      written = Math.max(written, state?.mtimeMs ?? 0);
    }
  }
  return { bytes, written };
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}

function lastLines(file: string): MetricLine[] {
  if (!existsSync(file)) return [];
  const { size } = statSync(file);
  const start = Math.max(0, size - TAIL);
  const text = textFrom(file, start);
  // The first line may be cut.
  return parse(start === 0 ? text : text.slice(text.indexOf('\n') + 1));
}

/**
 * Reads the lines of a metrics file from a place on; the last one may still be written and is left for the next time.
 *
 * @param before the file that was read before, as its answer names it: another under the same name begins anew
 */
export function readMetricLines(path: string, from: number, before?: string): MetricLines {
  const state = statSync(path, { throwIfNoEntry: false });
  if (state === undefined) return { lines: [], next: 0, file: '', again: from > 0 };
  const file = `${state.ino}-${state.birthtimeMs}`;
  const again = state.size < from || (before !== undefined && before !== file && from > 0);
  const start = again ? 0 : from;
  const text = textFrom(path, start);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return { lines: parse(whole), next: start + Buffer.byteLength(whole), file, again };
}

function textFrom(path: string, start: number): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - start));
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, start));
  } finally {
    closeSync(file);
  }
}

function parse(text: string): MetricLine[] {
  return text.split('\n').flatMap((line) => {
    try {
      const entries = Object.entries(JSON.parse(line) as Record<string, unknown>);
      return [Object.fromEntries(entries.filter(([, value]) => typeof value === 'number')) as MetricLine];
    } catch {
      return []; // a line that a crash has torn
    }
  });
}
