/** The folder of a run: its config, provenance, measurements, log, checkpoints and encoders. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { arch, cpus, homedir, platform, totalmem } from 'node:os';
import { basename, join, relative, resolve, sep } from 'node:path';
import { type Config, configDifferences, formatConfig, readConfig } from '../config/index.js';
import { type Place, rememberedPlace } from '../data/cache/places.js';
import type { Fold } from '../data/fold.js';
import { pseudonym, published } from '../data/pseudonym.js';
import { UsageError } from '../errors.js';
import { isTemporary, refuseUnwritable, sweepTemporaries, writeFileAtomic } from '../files.js';
import { isLeaseFile } from '../lease.js';
import { PHANTOM_PREFIX } from '../phantoms/phantomName.js';
import { cudaDevices, threads, torchVersion } from '../tensor/index.js';
import { packageVersion } from '../version.js';
import type { PreparedRun } from './prepare.js';

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
    const differences = configDifferences(readConfig(paths.config), storable(config, root)).filter(
      (difference) => !(allowInexact && INEXACT.test(difference)),
    );
    if (differences.length > 0) {
      throw new UsageError(
        `${root} holds a run with another config; choose another --out, or --overwrite it:\n  ${differences.join('\n  ')}`,
      );
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
  const read = readConfig(config);
  return {
    ...read,
    model: { ...read.model, initFrom: fromStored(read.model.initFrom, root) },
    data: { ...read.data, ...placeOf(read, root), splits: fromStored(read.data.splits, root) },
  };
}

/** Finds the data of a run: at the paths of its config, else where this machine remembers data of the same digest. */
function placeOf({ data }: Config, root: string): Place {
  const told: Place = {
    path: fromStored(data.path, root),
    pathB: fromStored(data.pathB, root),
    drop: fromStored(data.drop, root),
  };
  const away = Object.values(told).some(
    (path) => path !== null && !path.startsWith(PHANTOM_PREFIX) && !existsSync(path),
  );
  const hash = away ? storedDataHash(root) : undefined;
  return (hash === undefined ? undefined : rememberedPlace(hash)) ?? told;
}

/** The published digest of the run’s data from its provenance; undefined where that is absent or damaged. */
export function storedDataHash(root: string): string | undefined {
  const { provenance } = runPaths(root);
  if (!existsSync(provenance)) return undefined;
  try {
    return (JSON.parse(readFileSync(provenance, 'utf8')) as { dataHash?: string }).dataHash;
  } catch (error) {
    // Callers that need more than the digest report the damage.
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/**
 * Prepares a config for storing. A path in the project of the run becomes relative to the run, so that the run finds
 * its data again; of any other path only the last part is kept, so that a run tells nobody where its owner keeps
 * things.
 */
export function storable(config: Config, root: string): Config {
  const { path, pathB, drop, splits, cacheFolder: _ } = config.data;
  return {
    ...config,
    data: {
      ...config.data,
      path: toStored(path, root),
      pathB: toStored(pathB, root),
      drop: toStored(drop, root),
      splits: toStored(splits, root),
      cacheFolder: null,
    },
    model: { ...config.model, initFrom: toStored(config.model.initFrom, root) },
  };
}

function toStored(path: string | null, root: string): string | null {
  if (path === null || path.startsWith(PHANTOM_PREFIX)) return path;
  const [here, there] = [resolve(root), resolve(path)];
  return sameProject(here, there) ? relative(here, there) : basename(there);
}

/** True if two paths share a folder that is neither the home folder nor at the top of the file system. */
function sameProject(a: string, b: string): boolean {
  const [left, right] = [a.split(sep), b.split(sep)];
  const differing = left.findIndex((part, i) => part !== right[i]);
  const shared = differing === -1 ? left : left.slice(0, differing);
  return shared.length > 2 && shared.join(sep) !== homedir();
}

function fromStored(path: string | null, root: string): string | null {
  return path === null || path.startsWith(PHANTOM_PREFIX) ? path : resolve(root, path);
}

/**
 * Writes versions, hardware, data and seed: what a reader needs to repeat the run. A run resumed elsewhere keeps what
 * was true before under `earlier`.
 */
export function writeProvenance(root: string, run: PreparedRun): void {
  const { config, dataset } = run;
  const provenance = {
    tool: `anatomy-ssl ${packageVersion()}`,
    node: process.version,
    torch: torchVersion(),
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    threads: threads(),
    memoryBytes: totalmem(),
    cudaDevices: cudaDevices(),
    device: run.device,
    precision: run.precision,
    microBatch: run.microBatch,
    seed: config.seed,
    recipe: config.recipe,
    data: dataset.name,
    simulated: dataset.simulated,
    generatorVersion: dataset.generatorVersion,
    pairs: run.plan.indices.length,
    dataHash: published(run.dataHash),
  };
  const file = runPaths(root).provenance;
  const { earlier = [], ...before } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const same = JSON.stringify(before) === JSON.stringify(provenance);
  const past = same || Object.keys(before).length === 0 ? earlier : [...earlier, before];
  const all = past.length > 0 ? { ...provenance, earlier: past } : provenance;
  writeFileAtomic(file, `${JSON.stringify(all, null, 2)}\n`);
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
  const stored = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Fold>;
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
