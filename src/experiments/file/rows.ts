/** Reads the rows of an experiment. Each is a pretraining, or several candidates of one. */
import { basename } from 'node:path';
import { type Config, resolveConfig, type Tree } from '../../config/index.js';
import { UsageError } from '../../errors.js';
import { methodNamed } from '../../methods/index.js';
import { checkMethod } from '../../training/build.js';
import { type DataSettings, dataKeys, type ExperimentFile, type RowEntry } from './fileSchema.js';
import { folderOf } from './folderName.js';
import { checkPaperReference, type PaperReference } from './paperNumbers.js';

export interface ExperimentRow {
  readonly name: string;
  /** The name of its folder. */
  readonly folder: string;
  readonly fold: 'none' | 'all';
  readonly paper?: PaperReference;
  /** The seeds that it is pretrained with, where they are not all of the experiment's. */
  readonly seeds?: readonly number[];
  /** The candidates; a row that is not tuned has one. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
}

export interface Candidate {
  /** The name of the candidate, such as `Ours 1`; the row's own name when it is not tuned. */
  readonly name: string;
  readonly folder: string;
  /** The config for each seed, in the order of `seeds`, without fold and splits. */
  readonly configs: readonly Config[];
}

export interface RowSources {
  readonly file: string;
  readonly content: ExperimentFile;
  readonly smoke: ExperimentFile['smoke'];
  readonly data: DataSettings;
  readonly seeds: readonly number[];
}

/** @throws UsageError naming the file, the row and the key of what is wrong */
export function experimentRows({ file, content, smoke, data, seeds }: RowSources): ExperimentRow[] {
  const rows = content.rows.map((one): ExperimentRow => {
    const where = `${file}, row ${one.name}`;
    checkPaper(one, where);
    const variants = one.variants?.slice(0, smoke?.variants ?? one.variants.length);
    const candidates = (variants ?? [undefined]).map((variant): Candidate => {
      const name = variant === undefined ? one.name : `${one.name} ${variant.name}`;
      const at = variant === undefined ? where : `${file}, row ${name}`;
      const layers = [content.common, methodOf(one), one.config, variant?.config, smoke?.config].map(
        (layer) => layer ?? {},
      );
      for (const layer of layers) refuseOwnSettings(layer, at);
      const configs = seeds.map((seed) =>
        resolveConfig({ layers, flags: { ...settingsOf(data), seed }, name: at }),
      );
      for (const config of configs) checkRow(one, config, at);
      return { name, folder: folderOf(name, at), configs };
    });
    return {
      name: one.name,
      folder: folderOf(one.name, where),
      fold: one.fold ?? 'none',
      paper: one.paper,
      // A smoke run has seeds of its own, and shows that every row runs.
      seeds: smoke === undefined ? one.seeds : undefined,
      candidates: candidates as [Candidate, ...Candidate[]],
    };
  });
  refuseTwins(file, rows);
  return rows;
}

function settingsOf(data: DataSettings): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [`data.${key}`, value]));
}

function methodOf({ method }: RowEntry): Tree {
  return method === undefined ? {} : { method: { name: method } };
}

function checkPaper({ paper }: RowEntry, where: string): void {
  if (paper === undefined) return;
  try {
    checkPaperReference(paper);
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
}

/** The keys of a config that the experiment sets itself, each with the experiment's own key. */
const OWN: Readonly<Record<string, string>> = {
  seed: 'seeds',
  ...Object.fromEntries(dataKeys.map((key) => [`data.${key}`, `data.${key}`])),
  'data.splits': 'splits',
  'data.fold': 'rows.fold',
};

function refuseOwnSettings(layer: Tree, where: string): void {
  for (const [key, own] of Object.entries(OWN)) {
    const value = key.split('.').reduce<unknown>((tree, part) => (tree as Tree | undefined)?.[part], layer);
    if (value !== undefined) {
      throw new UsageError(`${where}: ${key} is the experiment’s own; say it under ${own}, not in a config`);
    }
  }
}

/** Refuses settings of a row that its own cells would fail on hours later. */
function checkRow({ method, fold = 'none' }: RowEntry, config: Config, where: string): void {
  const { name } = config.method;
  if (method !== undefined && method !== name) {
    throw new UsageError(`${where}: method is ${method}, but its config makes it ${name}; name one of them`);
  }
  if (methodNamed(name)!.usesLabels && fold === 'none') {
    throw new UsageError(
      `${where}: ${name} learns from the labels, so it cannot be judged on what it has seen; add fold: all`,
    );
  }
  if (config.training.microBatch === 'auto') {
    throw new UsageError(
      `${where}: training.microBatch is auto, which each cell would choose anew; give a number of pairs or null`,
    );
  }
  try {
    checkMethod(config);
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
}

function refuseTwins(file: string, rows: readonly ExperimentRow[]): void {
  const seen = new Map<string, string>();
  for (const { candidates } of rows) {
    for (const { name, folder } of candidates) {
      const twin = seen.get(folder);
      if (twin !== undefined) {
        throw new UsageError(
          `${basename(file)}: rows ${twin} and ${name} would share the folder ${folder}; rename one`,
        );
      }
      seen.set(folder, name);
    }
  }
}
