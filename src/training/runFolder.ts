/** The folder of a run: what it was asked, where it ran, what it measured, what it learned. */
import { createHash, createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { type Config, configDifferences, formatConfig, readConfig } from '../config/index.js';
import { UsageError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { cudaDevices, threads, torchVersion } from '../tensor/index.js';
import { packageVersion } from '../version.js';

export interface RunPaths {
  readonly root: string;
  readonly config: string;
  readonly provenance: string;
  readonly metrics: string;
  readonly log: string;
  readonly checkpoints: string;
  /** Final weights; there once the run is finished. */
  readonly encoder: string;
  /** Which pseudonymous sample was kept out in which fold. */
  readonly folds: string;
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

export type RunState = 'new' | 'unfinished' | 'finished';

/**
 * Opens the folder for a run with this config: new, or one to go on with.
 * @throws UsageError when it holds a run with another config (the differences are listed), a finished run, or other files;
 * `overwrite` deletes what is there
 */
export function openRunFolder(root: string, config: Config, { overwrite = false } = {}): RunState {
  const paths = runPaths(root);
  const stored = storable(config, root);
  if (existsSync(root) && overwrite) {
    if (!existsSync(paths.config) && readdirSync(root).length > 0) {
      throw new UsageError(
        `${root} holds files but no run; --overwrite only replaces runs, delete it yourself`,
      );
    }
    rmSync(root, { recursive: true });
  }
  if (existsSync(paths.config)) {
    const differences = configDifferences(readConfig(paths.config), stored);
    if (differences.length > 0) {
      throw new UsageError(
        `${root} holds a run with another config; choose another --out, or --overwrite it:\n  ${differences.join('\n  ')}`,
      );
    }
    return existsSync(paths.encoder) ? 'finished' : 'unfinished';
  }
  if (existsSync(root) && readdirSync(root).length > 0) {
    throw new UsageError(`${root} exists and holds no run; choose another --out`);
  }
  mkdirSync(root, { recursive: true });
  writeFileAtomic(paths.config, formatConfig(stored));
  return 'new';
}

/** The config of a stored run. @throws UsageError when the folder holds none */
export function readRunConfig(root: string): Config {
  const { config } = runPaths(root);
  if (!existsSync(config)) {
    throw new UsageError(
      `${root}: no run here (no config.yaml); expected the --out folder of anatomy pretrain`,
    );
  }
  const read = readConfig(config);
  const { path, pathB, splits } = read.data;
  return {
    ...read,
    data: {
      ...read.data,
      path: fromStored(path, root),
      pathB: fromStored(pathB, root),
      splits: fromStored(splits, root),
    },
  };
}

/** Paths relative to the run, so that a run tells nobody where its owner keeps things. */
function storable(config: Config, root: string): Config {
  const { path, pathB, splits, cacheFolder: _ } = config.data;
  return {
    ...config,
    data: {
      ...config.data,
      path: toStored(path, root),
      pathB: toStored(pathB, root),
      splits: toStored(splits, root),
      cacheFolder: null,
    },
    model: { ...config.model, initFrom: toStored(config.model.initFrom, root) },
  };
}

function toStored(path: string | null, root: string): string | null {
  return path === null || path.startsWith('phantom:') ? path : relative(resolve(root), resolve(path));
}

function fromStored(path: string | null, root: string): string | null {
  return path === null || path.startsWith('phantom:') ? path : resolve(root, path);
}

export interface Provenance {
  /** Name of the data, without a path. */
  readonly data: string;
  readonly dataHash: string;
  readonly pairs: number;
  readonly config: Config;
  readonly device: string;
  readonly precision: string;
}

/** Versions, hardware, data and seed: what a reader needs to repeat the run. */
export function writeProvenance(
  root: string,
  { data, dataHash, pairs, config, device, precision }: Provenance,
): void {
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
    device,
    precision,
    seed: config.seed,
    recipe: config.recipe,
    data,
    pairs,
    // The data hash itself is the key of the pseudonyms, so only its own hash is told.
    dataHash: createHash('sha256').update(`published ${dataHash}`).digest('hex'),
  };
  writeFileAtomic(runPaths(root).provenance, `${JSON.stringify(provenance, null, 2)}\n`);
}

/**
 * A name for a subject or sample that says nothing about it and that only who holds the data can link back: a keyed hash,
 * the key being the hash of the data.
 */
export function pseudonym(kind: 'subject' | 'sample', id: string, dataHash: string): string {
  const hash = createHmac('sha256', dataHash).update(`${kind} ${id}`).digest('hex').slice(0, 12);
  return `${kind === 'subject' ? 'S' : 'P'}-${hash}`;
}

/** Which pair was kept out in which fold, by pseudonym. */
export function writeFolds(root: string, folds: ReadonlyMap<string, number>, dataHash: string): void {
  const entries = [...folds].map(([id, fold]) => [pseudonym('sample', id, dataHash), fold] as const).sort();
  writeFileAtomic(runPaths(root).folds, `${JSON.stringify(Object.fromEntries(entries))}\n`);
}

/** The folds a run was pretrained with, by sample id; undefined where it saw everything. */
export function readFolds(
  root: string,
  ids: readonly string[],
  dataHash: string,
): Map<string, number> | undefined {
  const file = runPaths(root).folds;
  if (!existsSync(file)) return undefined;
  const stored = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  const folds = new Map<string, number>();
  for (const id of ids) {
    const fold = stored[pseudonym('sample', id, dataHash)];
    if (fold === undefined) {
      throw new UsageError(`${root}: was pretrained in folds of other data than this; give the same --data`);
    }
    folds.set(id, fold);
  }
  return folds;
}
