/**
 * Reads which data an experiment uses: the data it pretrains and judges on, and further data that it only judges on.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { resolveConfig } from '../../config/index.js';
import type { DatasetSpec } from '../../data/openDataset.js';
import { UsageError } from '../../errors.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import { nearest } from '../../text/nearest.js';
import { datasetSpec } from '../../training/datasetSpec.js';
import type { DataSettings, ExperimentFile, JudgedEntry } from './fileSchema.js';
import { folderOf } from './folderName.js';
import { type ExperimentProtocol, experimentProtocols } from './protocols.js';

/** The values that the command line gives in place of the file's. Paths are relative to the working folder. */
export interface ExperimentOverrides {
  /** The place of the data, or the place of each modality by its name. */
  readonly data?: string | Readonly<Record<string, string>>;
  readonly dataB?: string;
  readonly modalities?: readonly string[];
  readonly subject?: string;
  readonly imageRoot?: string;
  readonly column?: DatasetSpec['columns'];
  readonly positive?: string;
  readonly classes?: readonly string[];
  readonly spellings?: DatasetSpec['spellings'];
  readonly drop?: string;
  readonly splits?: string;
  readonly masks?: string;
  readonly smoke?: boolean;
  /** The paths of further data, by name. */
  readonly judge?: Readonly<Record<string, string>>;
}

export interface EvaluationSettings {
  readonly folds?: number;
  readonly seed: number;
  readonly replicates: number;
}

/** Data that rows are judged on. */
export interface JudgedSet {
  readonly name: string;
  /** The name of its folder; undefined for the data of pretraining. */
  readonly slug?: string;
  /** The data; undefined when it is not there. */
  readonly data?: DatasetSpec;
  /** The reason why it is not there, and how to get it. */
  readonly absent?: string;
  /** The path of a splits file that the user gives. */
  readonly splits?: string;
  /** The folder of its lesion masks. */
  readonly masks?: string;
  readonly protocols: readonly ExperimentProtocol[];
  readonly evaluation: EvaluationSettings;
  /** The paper's name for the data. */
  readonly paper?: string;
}

/** The data to pretrain on, as settings of a config. @throws UsageError when no data is named */
export function ownData(
  file: string,
  own: DataSettings,
  { data, dataB, column, modalities, imageRoot, classes, drop, ...overrides }: ExperimentOverrides,
): DataSettings {
  const { positive, spellings, subject } = overrides;
  const given = defined({
    ...{ positive, spellings, subject },
    modalities: modalities && [...modalities],
    classes: classes && [...classes],
    ...seenFrom('', { drop, imageRoot }),
  });
  // The columns and classes in the file describe its own data, so they do not apply to other data.
  if (typeof data === 'string') {
    return { ...seenFrom('', { path: data, pathB: dataB }), columns: { ...column }, ...given };
  }
  if (data !== undefined) {
    return { path: null, ...seenFrom('', { folders: data }), columns: { ...column }, ...given };
  }
  if (dataB !== undefined) throw new UsageError('--data-b is given without --data; name both folders');
  if (!namesData(own)) throw new UsageError(`${file}: names no data; name it with --data`);
  const seen = seenFrom(dirname(file), own);
  return { ...seen, columns: { ...own.columns, ...column }, ...given };
}

export interface JudgedSources {
  readonly file: string;
  readonly content: ExperimentFile;
  readonly overrides: ExperimentOverrides;
  readonly protocols: readonly ExperimentProtocol[];
  readonly evaluation: EvaluationSettings;
  /** Shortens a list of protocols for --smoke. */
  readonly shortened: (protocols: readonly ExperimentProtocol[]) => ExperimentProtocol[];
}

/** Lists the further data to judge on. @throws UsageError when two sets share a name, or --judge names none of them */
export function judgedSets(sources: JudgedSources): JudgedSet[] {
  const { file, content, overrides } = sources;
  const entries = content.judge ?? [];
  const names = entries.map(({ name }) => name);
  for (const [where, asked] of [
    ['--judge', Object.keys(overrides.judge ?? {})],
    [`${file}: smoke.judge`, Object.keys(content.smoke?.judge ?? {})],
  ] as const) {
    for (const name of asked) refuseUnknown(where, name, names);
  }
  const sets = entries.map((entry) => judgedSet(entry, sources));
  for (const [i, { name, slug }] of sets.entries()) {
    if (sets.findIndex((other) => other.slug === slug) === i) continue;
    throw new UsageError(`${file}: judged data ${name} is named twice; rename one`);
  }
  return sets;
}

function refuseUnknown(where: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  const meant = nearest(name, names);
  throw new UsageError(
    `${where} names ${name}, expected ${names.length === 0 ? 'nothing, as the experiment judges no further data' : `one of ${names.join(', ')}`}` +
      (meant === undefined ? '' : `; did you mean ${meant}?`),
  );
}

function judgedSet(entry: JudgedEntry, sources: JudgedSources): JudgedSet {
  const { file, content, overrides, protocols, evaluation, shortened } = sources;
  const { name, obtain, paper } = entry;
  const where = `${file}, judged data ${name}`;
  const chosen = overrides.smoke ? content.smoke : undefined;
  const { folds, ...always } = evaluation;
  const data = judgedData(entry, sources);
  const otherData = overrides.judge?.[name] !== undefined || chosen?.judge?.[name] !== undefined;
  return {
    name,
    slug: folderOf(name, where),
    ...(typeof data === 'string' ? { absent: [data, obtain].filter(Boolean).join(' ') } : { data }),
    splits: otherData || entry.splits === undefined ? undefined : resolve(dirname(file), entry.splits),
    // Data that is not there has no lesion masks either.
    masks: otherData || typeof data === 'string' ? undefined : lesions(file, entry.masks, `${where}: masks`),
    protocols:
      entry.protocols === undefined ? protocols : shortened(experimentProtocols(entry.protocols, where)),
    evaluation: { ...always, ...entry.evaluation, ...chosen?.evaluation },
    paper,
  };
}

/** Finds the data, or the reason why there is none. */
function judgedData(
  { name, data }: JudgedEntry,
  { file, content, overrides }: JudgedSources,
): DatasetSpec | string {
  const placedAt = overrides.judge?.[name];
  const smoke = overrides.smoke ? content.smoke?.judge?.[name] : undefined;
  const own = placedAt === undefined ? (smoke ?? data) : { path: placed('', placedAt) };
  if (own === undefined || !namesData(own)) return `no path is given; give one with --judge ${name}=PATH.`;
  const seen = placedAt === undefined ? seenFrom(dirname(file), own) : own;
  const places = seen.path ? [seen.path] : Object.values(seen.folders ?? {});
  if (!places.every((path) => path.startsWith(PHANTOM_PREFIX) || existsSync(path))) {
    if (placedAt !== undefined) throw new UsageError(`--judge ${name}=${placedAt}: no such file or folder`);
    return `it is not where the experiment looks for it; give its place with --judge ${name}=PATH.`;
  }
  const flags = Object.fromEntries(Object.entries(seen).map(([key, value]) => [`data.${key}`, value]));
  return datasetSpec(resolveConfig({ flags, name: `${file}, judged data ${name}` }));
}

function namesData({ path, folders }: DataSettings): boolean {
  return (path !== null && path !== undefined) || folders !== undefined;
}

/** Resolves the places as they are seen from a folder. */
function seenFrom(folder: string, own: DataSettings): DataSettings {
  const { path, pathB, folders, imageRoot, drop } = own;
  return {
    ...own,
    path: path && placed(folder, path),
    pathB: pathB && placed(folder, pathB),
    ...(folders && {
      folders: Object.fromEntries(Object.entries(folders).map(([name, one]) => [name, resolve(folder, one)])),
    }),
    ...(imageRoot && { imageRoot: resolve(folder, imageRoot) }),
    drop: drop && placed(folder, drop),
  };
}

/** The folder of lesion masks, relative to the file. @throws UsageError when there is none */
export function lesions(file: string, folder: string | undefined, where: string): string | undefined {
  if (folder === undefined) return undefined;
  const path = resolve(dirname(file), folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw new UsageError(
    `${where}: ${folder}: no such folder; expected one with a lesion ID.png for each sample`,
  );
}

function defined<Settings extends object>(settings: Settings): Partial<Settings> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Settings>;
}

function placed(folder: string, path: string): string {
  return path.startsWith(PHANTOM_PREFIX) ? path : resolve(folder, path);
}
