/** The folder of a run: what is in it, who may write there, its config and its folds. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Config, configDifferences, formatConfig, mapPlaces, readConfig } from '../config/index.js';
import { type Place, placesIn, rememberedPlace } from '../data/cache/places.js';
import { type Fold, SET_ASIDE } from '../data/fold.js';
import { pseudonym } from '../data/pseudonym.js';
import { DataError, UsageError } from '../errors.js';
import { isTemporary, refuseUnwritable, sweepTemporaries, writeFileAtomic } from '../files.js';
import { PHANTOM_PREFIX } from '../phantoms/phantomName.js';
import { isLeaseFile } from './lease.js';
import { fromStored, storable, withPlacesOf } from './runPlaces.js';

/** The paths of everything in the folder of a run. */
export interface RunPaths {
  readonly root: string;
  /** The settings of the run. */
  readonly config: string;
  /** Versions, hardware, data and seed. */
  readonly provenance: string;
  /** One line of JSON for each step. */
  readonly metrics: string;
  /** The messages of the run. */
  readonly log: string;
  /** The folder of checkpoints. */
  readonly checkpoints: string;
  /** The final weights; the file exists once the run is finished. */
  readonly encoder: string;
  /** The fold of each sample, by its pseudonym. */
  readonly folds: string;
  /** The report of the step at which the run failed. */
  readonly failure: string;
}

export function runPaths(root: string): RunPaths {
  return {
    root,
    config: join(root, 'config.yaml'),
    provenance: join(root, 'provenance.json'),
    metrics: join(root, 'metrics.jsonl'),
    log: join(root, 'train.log'),
    checkpoints: join(root, 'checkpoints'),
    encoder: join(root, 'encoder.safetensors'),
    folds: join(root, 'folds.json'),
    failure: join(root, 'failure.json'),
  };
}

/**
 * The path of the final weights of a further modality that has an encoder of its own. The name is encoded, as names of
 * modalities may hold characters that file names may not.
 */
export function encoderPath(root: string, modality: string): string {
  return join(root, `encoder-${encodeURIComponent(modality)}.safetensors`);
}

export type RunState = 'new' | 'unfinished' | 'finished';

export interface OpenRunOptions {
  /** Deletes the run that is in the folder. */
  overwrite?: boolean;
  /** Goes on with a run whose device, precision or threads were others. */
  allowInexact?: boolean;
}

/** Matches the differences of configs that decide the last bits of the numbers and nothing else. */
const INEXACT = /^training\.(device|precision|threads): /;

/** Matches those that decide nothing about the numbers. */
const EXACT = /^training\.recompute: /;

/**
 * Tells whether the folder holds no run yet, or an unfinished or finished run with this config. Changes nothing.
 * @throws UsageError when it holds a run with another config (the differences are listed), or other files
 */
export function checkRunFolder(
  root: string,
  config: Config,
  { overwrite = false, allowInexact = false }: OpenRunOptions = {},
): RunState {
  const paths = runPaths(root);
  refuseUnwritable(root);
  if (!existsSync(root)) return 'new';
  // A process that was killed while it opened the folder may have left these.
  const entries = readdirSync(root).filter((name) => !isTemporary(name) && !isLeaseFile(name));
  if (overwrite) {
    const beginnings = ['config.yaml', 'train.log'];
    const isRun =
      existsSync(paths.config) &&
      (existsSync(paths.provenance) || entries.every((name) => beginnings.includes(name)));
    if (isRun || entries.length === 0) return 'new';
    throw new UsageError(
      `${root} holds files but no run; --overwrite only replaces runs, delete it yourself`,
    );
  }
  if (existsSync(paths.config)) {
    const before = readConfig(paths.config);
    const differences = configDifferences(before, withPlacesOf(before, storable(config, root))).filter(
      (difference) => !EXACT.test(difference) && !(allowInexact && INEXACT.test(difference)),
    );
    if (differences.length > 0) {
      const longer = differences.every((difference) => /^training\.(steps|epochs): /.test(difference));
      const fix = longer
        ? `for more steps of it, finish it and give --more-steps N, as in anatomy pretrain --out ${root} --more-steps 100; or choose another --out, or --overwrite it`
        : 'choose another --out, or --overwrite it';
      throw new UsageError(`${root} holds a run with another config; ${fix}:\n  ${differences.join('\n  ')}`);
    }
    return existsSync(paths.encoder) ? 'finished' : 'unfinished';
  }
  if (entries.length > 0) throw new UsageError(`${root} exists and holds no run; choose another --out`);
  return 'new';
}

/**
 * Opens the folder for a run with this config, new or unfinished; `overwrite` deletes the run that is there. A
 * finished run is left as it is. The caller holds the folder's lease.
 * @throws UsageError as checkRunFolder does
 */
export function openRunFolder(root: string, config: Config, options: OpenRunOptions = {}): RunState {
  const state = checkRunFolder(root, config, options);
  if (state === 'finished') return state;
  mkdirSync(root, { recursive: true });
  sweepTemporaries(root);
  if (options.overwrite) deleteRun(root);
  const text = formatConfig(storable(config, root));
  const { config: file } = runPaths(root);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileAtomic(file, text);
  return state;
}

/**
 * Deletes all of a run but the lease. The encoder goes first and what tells a run last: whoever is killed on the way
 * leaves an unfinished run, which may be overwritten again.
 */
function deleteRun(root: string): void {
  const { encoder, provenance, config } = runPaths(root);
  const last = [provenance, config];
  const others = readdirSync(root)
    .filter((name) => !isLeaseFile(name))
    .map((name) => join(root, name))
    .filter((file) => !last.includes(file));
  for (const file of [encoder, ...others, ...last]) rmSync(file, { recursive: true, force: true });
}

/** Reads the config of a stored run, with its paths resolved. @throws UsageError when the folder holds no run */
export function readRunConfig(root: string): Config {
  const { config } = runPaths(root);
  if (!existsSync(config)) {
    throw new UsageError(
      `${root}: no run here (no config.yaml); expected the --out folder of anatomy pretrain`,
    );
  }
  const read = mapPlaces(readConfig(config), (path) => fromStored(path, root));
  const { folders: _, imageRoot: __, ...data } = read.data;
  return { ...read, data: { ...data, ...placeOf(read, root) } };
}

/** Finds the data of a run: at the paths of its config, else where this machine remembers data of the same digest. */
function placeOf({ data }: Config, root: string): Place {
  const { path, pathB, drop, folders, imageRoot } = data;
  const told: Place = { path, pathB, drop, ...(folders && { folders }), ...(imageRoot && { imageRoot }) };
  const away = placesIn(told).some((place) => !place.startsWith(PHANTOM_PREFIX) && !existsSync(place));
  const hash = away ? storedDataHash(root) : undefined;
  return (hash === undefined ? undefined : rememberedPlace(hash)) ?? told;
}

/** The published digest of the run’s data from its provenance; undefined where that is absent or damaged. */
export function storedDataHash(root: string): string | undefined {
  const { provenance } = runPaths(root);
  if (!existsSync(provenance)) return undefined;
  try {
    return (JSON.parse(readFileSync(provenance, 'utf8')) as { dataHash?: string } | null)?.dataHash;
  } catch (error) {
    // Callers that need more than the digest report the damage.
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

const foldsSchema = z.record(z.string(), z.union([z.int().min(0), z.literal(SET_ASIDE)]));

/** Reads a file of a run. @throws DataError naming the file, what is wrong with it and the remedy */
export function readRunFile<T>(file: string, schema: z.ZodType<T>, remedy: string): T {
  const text = readFileSync(file, 'utf8');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new DataError(`${file}: is ${text.trim() === '' ? 'empty' : 'not JSON'}; ${remedy}`);
  }
  const found = schema.safeParse(content);
  if (found.success) return found.data;
  const { path, message } = found.error.issues[0]!;
  throw new DataError(`${file}: is damaged (${[...path, message].join(': ')}); ${remedy}`);
}

/** Stores the fold of each sample, or that it is set aside, by the sample's pseudonym. */
export function writeFolds(root: string, folds: ReadonlyMap<string, Fold>, dataHash: string): void {
  const entries = [...folds].map(([id, fold]) => [pseudonym('sample', id, dataHash), fold] as const).sort();
  writeFileAtomic(runPaths(root).folds, `${JSON.stringify(Object.fromEntries(entries))}\n`);
}

/**
 * Reads the folds that a run was pretrained with, by sample id; undefined where it was trained on every sample.
 * @throws UsageError when a sample has no fold, as it is not of the run's data
 */
export function readFolds(
  root: string,
  ids: readonly string[],
  dataHash: string,
): Map<string, Fold> | undefined {
  const file = runPaths(root).folds;
  if (!existsSync(file)) return undefined;
  const stored = readRunFile(file, foldsSchema, 'copy it again, or pretrain again with --overwrite');
  const folds = new Map<string, Fold>();
  for (const id of ids) {
    const fold = stored[pseudonym('sample', id, dataHash)];
    if (fold === undefined) {
      throw new UsageError(`${root}: was pretrained in folds of other data than this; give the same --data`);
    }
    folds.set(id, fold);
  }
  return folds;
}
