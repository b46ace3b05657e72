/** An experiment as a YAML file: the rows of a table, each a pretraining, and the probes that judge them all. */
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import {
  type Config,
  configSchema,
  parseStrictly,
  readYaml,
  resolveConfig,
  type Tree,
} from '../config/index.js';
import type { DatasetSpec } from '../data/dataset.js';
import { PHANTOM_PREFIX } from '../data/phantomName.js';
import { UsageError } from '../errors.js';
import { methodNamed } from '../methods/index.js';
import { checkMethod } from '../training/build.js';
import { datasetSpec } from '../training/datasetSpec.js';
import { type PaperNumbers, paperNumbers } from './paperNumbers.js';

const settings = z.record(z.string(), z.unknown());

/** The keys of the config’s `data` that say what is read; relative paths are seen from the file. */
const data = configSchema.shape.data
  .pick({
    path: true,
    pathB: true,
    columns: true,
    positive: true,
    classes: true,
    drop: true,
    preprocess: true,
    volumes: true,
  })
  .extend({ volumes: configSchema.shape.data.shape.volumes.partial() })
  .partial()
  .required({ path: true });

const evaluation = z.strictObject({
  folds: z.int().min(2).optional().describe('Folds to draw; default: 5, or as published with the data.'),
  seed: z.int().min(0).optional().describe('Of folds, probes and bootstrap; default 0.'),
  replicates: z.int().min(1).optional().describe('Bootstraps of the intervals; default 2000.'),
});

const row = z.strictObject({
  name: z.string().min(1),
  method: z.string().optional().describe('method.name of the config.'),
  config: settings.optional().describe('Any part of a config, on top of `common`.'),
  fold: z.enum(['none', 'all']).optional().describe('all: pretrained once a fold, without the fold.'),
  paper: z
    .strictObject({ table: z.literal([1, 2]), row: z.string() })
    .optional()
    .describe('The row of the paper to stand beside this one.'),
});

const distinct = [
  (items: readonly unknown[]) => new Set(items).size === items.length,
  'expected each once',
] as const;
const seeds = z
  .array(z.int().min(0))
  .min(1)
  .refine(...distinct);
const protocols = z
  .array(z.enum(['logreg', 'linear', 'knn']))
  .min(1)
  .refine(...distinct);

const schema = z.strictObject({
  name: z.string().min(1),
  description: z.string().optional(),
  data,
  splits: z.string().min(1).optional().describe('Splits file; else folds are published or drawn.'),
  common: settings.optional().describe('Any part of a config, under every row.'),
  rows: z.array(row).min(1),
  seeds: seeds.optional().describe('Of the pretrainings; default [0].'),
  protocols: protocols.optional().describe('Probes; default [logreg, linear].'),
  evaluation: evaluation.optional(),
  smoke: z
    .strictObject({
      data: data.optional(),
      seeds: seeds.optional(),
      evaluation: evaluation.optional(),
      config: settings.optional().describe('Any part of a config, over every row.'),
    })
    .optional()
    .describe('What --smoke changes: a size that only shows that everything runs.'),
});

type ExperimentFile = z.infer<typeof schema>;
export type ExperimentProtocol = z.infer<typeof protocols>[number];

export interface Experiment {
  readonly name: string;
  readonly description?: string;
  readonly smoke: boolean;
  readonly data: DatasetSpec;
  /** A splits file of the user’s. */
  readonly splits?: string;
  readonly rows: readonly ExperimentRow[];
  readonly seeds: readonly number[];
  readonly protocols: readonly ExperimentProtocol[];
  readonly evaluation: { readonly folds?: number; readonly seed: number; readonly replicates: number };
}

export interface ExperimentRow {
  readonly name: string;
  /** Its name as a folder. */
  readonly folder: string;
  readonly fold: 'none' | 'all';
  readonly paper?: PaperNumbers;
  /** By seed, in the order of `seeds`; without fold and splits. */
  readonly configs: readonly Config[];
}

/** What the command line says in place of the file; paths are seen from the working folder. */
export interface ExperimentOverrides {
  readonly data?: string;
  readonly dataB?: string;
  readonly column?: DatasetSpec['columns'];
  readonly positive?: string;
  readonly classes?: readonly string[];
  readonly drop?: string;
  readonly splits?: string;
  readonly smoke?: boolean;
}

/**
 * Reads an experiment and resolves the config of each row.
 * @throws UsageError naming file, row and key of what is wrong
 */
export function readExperiment(file: string, overrides: ExperimentOverrides = {}): Experiment {
  const content = parseStrictly(schema, readYaml(file), file);
  const smoke = overrides.smoke ?? false;
  if (smoke && content.smoke === undefined) {
    throw new UsageError(
      `${file}: has no smoke size; run it without --smoke, or add "smoke:" with small settings`,
    );
  }
  const chosen = smoke ? content.smoke : undefined;
  const seeds = chosen?.seeds ?? content.seeds ?? [0];
  const data = dataOf(file, chosen?.data ?? content.data, overrides);
  const otherData = overrides.data !== undefined || chosen?.data !== undefined;
  const ownSplits = otherData ? undefined : content.splits;
  const { folds, seed = 0, replicates = 2000 } = { ...content.evaluation, ...chosen?.evaluation };
  const rows = content.rows.map((one) => {
    const where = `${file}, row ${one.name}`;
    const layers = [content.common, methodOf(one), one.config, chosen?.config].map((layer) => layer ?? {});
    for (const layer of layers) refuseOwnSettings(layer, where);
    const configs = seeds.map((seed) =>
      resolveConfig({ layers, flags: { ...settingsOf(data), seed }, name: where }),
    );
    for (const config of configs) checkRow(one, config, where);
    return {
      name: one.name,
      folder: folderOf(one.name, where),
      fold: one.fold ?? 'none',
      paper: one.paper && paperNumbers(one.paper),
      configs,
    };
  });
  refuseTwins(file, rows);
  return {
    name: content.name,
    description: content.description,
    smoke,
    data: datasetSpec(rows[0]!.configs[0]!),
    splits: overrides.splits ?? (ownSplits && resolve(dirname(file), ownSplits)),
    rows,
    seeds,
    protocols: content.protocols ?? ['logreg', 'linear'],
    evaluation: { folds, seed, replicates },
  };
}

type DataSettings = z.infer<typeof data>;

function dataOf(
  file: string,
  own: DataSettings,
  { data, dataB, column, positive, classes, drop }: ExperimentOverrides,
): DataSettings {
  const given = defined({ positive, classes: classes && [...classes], drop: drop && placed('', drop) });
  // What the file says of its own data, columns and classes say, has nothing to do with other data.
  if (data !== undefined) {
    return { path: placed('', data), pathB: dataB && placed('', dataB), columns: { ...column }, ...given };
  }
  if (dataB !== undefined) throw new UsageError('--data-b is given without --data; name both folders');
  if (own.path === null) throw new UsageError(`${file}: names no data; name it with --data`);
  const folder = dirname(file);
  return {
    ...own,
    path: placed(folder, own.path),
    pathB: own.pathB && placed(folder, own.pathB),
    drop: own.drop && placed(folder, own.drop),
    columns: { ...own.columns, ...column },
    ...given,
  };
}

function defined<Settings extends object>(settings: Settings): Partial<Settings> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Settings>;
}

function placed(folder: string, path: string): string {
  return path.startsWith(PHANTOM_PREFIX) ? path : resolve(folder, path);
}

function settingsOf(data: DataSettings): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [`data.${key}`, value]));
}

function methodOf({ method }: ExperimentFile['rows'][number]): Tree {
  return method === undefined ? {} : { method: { name: method } };
}

/** Where the experiment says what a config would otherwise say. */
const OWN: Readonly<Record<string, string>> = {
  seed: 'seeds',
  ...Object.fromEntries(Object.keys(data.shape).map((key) => [`data.${key}`, `data.${key}`])),
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

/** What a row's own cells would find hours later. */
function checkRow(
  { method, fold = 'none' }: ExperimentFile['rows'][number],
  config: Config,
  where: string,
): void {
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

/** `SimCLR (strong)` → `simclr-strong` */
function folderOf(name: string, where: string): string {
  const folder = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  if (folder === '') throw new UsageError(`${where}: the name needs a letter a–z or a digit, for its folder`);
  return folder;
}

function refuseTwins(file: string, rows: readonly ExperimentRow[]): void {
  for (const [i, { name, folder }] of rows.entries()) {
    const twin = rows.slice(0, i).find((other) => other.folder === folder);
    if (twin === undefined) continue;
    throw new UsageError(
      `${basename(file)}: rows ${twin.name} and ${name} would share the folder ${folder}; rename one`,
    );
  }
}
