/**
 * This room knows the folder of an experiment: the files in it, what they contain, and whether they fit the experiment
 * that is about to run.
 */
import { createHash, createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { Tree } from '../../config/index.js';
import { published } from '../../data/pseudonym.js';
import type { Dataset } from '../../data/sample.js';
import { parseSplits, type Splits } from '../../data/splits/splits.js';
import { DataError, UsageError } from '../../errors.js';
import { firstIssue } from '../../evaluation/results/stored.js';
import { writeFileAtomic } from '../../files.js';
import { type StoredCell, storedCell } from './cell.js';
import { type DescribedFolds, type ExperimentDescription, parseDescription } from './description.js';

/**
 * The paths of an experiment's files. `experiment.json` and `cells/` are enough for every table. They and `runs/` say
 * neither where the data lie nor who is in them; `configs/`, `logs/` and the splits do.
 */
export const experimentPaths = (root: string) => ({
  root,
  /** What `experiment table` needs to know of the experiment file. */
  description: join(root, 'experiment.json'),
  /** The folds that every row is judged in, by sample id. Each further data set has its own file, named by its slug. */
  splits: (set?: string) => join(root, set === undefined ? 'splits.json' : `splits-${set}.json`),
  /** The record of the looks at the samples that are set aside. */
  confirmation: join(root, 'cells', 'confirmation.json'),
  cell: (id: string) => join(root, 'cells', `${id}.json`),
  /** The test predictions of an evaluation. */
  predictions: (id: string) => join(root, 'cells', `${id}.csv`),
  /** The thinned metrics of a pretraining. */
  curves: (id: string) => join(root, 'cells', `${id}.jsonl`),
  config: (id: string) => join(root, 'configs', `${id}.yaml`),
  log: (id: string) => join(root, 'logs', `${id}.log`),
  /** Holds a folder for each cell that a process works on, or was killed at. */
  atWork: join(root, 'at-work'),
  atWorkOn: (id: string) => join(root, 'at-work', encodeURIComponent(id)),
});

/** The parts of an evaluation's name, which together tell it from the others of the same row and seed. */
export interface EvaluationName {
  /** The slug of the further data; undefined for the data of pretraining. */
  readonly set?: string;
  /** The slug of the protocol. */
  readonly protocol: string;
  /** The number of the draw, where the labels are drawn several times. */
  readonly draw?: number;
  readonly setAside?: boolean;
}

/** The id of an evaluation. @param row the folder of the row, or of the candidate where the row is tuned */
export function evaluationId(row: string, seed: number, { set, protocol, draw, setAside }: EvaluationName) {
  const name = `${protocol}${draw === undefined ? '' : `-draw-${draw}`}${setAside ? '-set-aside' : ''}`;
  return `${row}/seed-${seed}/${set === undefined ? '' : `${set}/`}${name}`;
}

export const pretrainingId = (row: string, seed: number, fold?: number) =>
  `${row}/seed-${seed}/pretrain${fold === undefined ? '' : `-fold-${fold}`}`;

/** Reads the result of a cell; undefined when it has not finished. @throws DataError when the file is damaged */
export function readCell(root: string, id: string): StoredCell | undefined {
  const file = experimentPaths(root).cell(id);
  if (!existsSync(file)) return undefined;
  const remedy = 'delete it and the cell is run again';
  const content = readJson(file);
  if (content === undefined) throw damaged(file, remedy, 'it is not JSON');
  const cell = storedCell.safeParse(content);
  if (cell.success) return cell.data;
  throw damaged(file, remedy, firstIssue(cell.error));
}

export function writeCell(root: string, id: string, cell: StoredCell): void {
  writeJson(experimentPaths(root).cell(id), { ...cell, settings: placeless(cell.settings) });
}

/** The names of the settings that are paths. */
const PLACES = ['path', 'pathB', 'imageRoot', 'drop', 'splits', 'initFrom'];
/** The names of groups of settings that are paths. */
const GROUPS_OF_PLACES = ['folders'];

/**
 * Drops the folders from all paths. Cells travel to machines that have the files elsewhere, and tell nobody where they
 * were.
 */
export function placeless(value: Tree): Tree {
  return withoutPlaces(value) as Tree;
}

function withoutPlaces(value: unknown, key = '', group = ''): unknown {
  if (typeof value === 'string' && (PLACES.includes(key) || GROUPS_OF_PLACES.includes(group))) {
    return value.startsWith('phantom:') ? value : basename(value);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, withoutPlaces(item, name, key)]),
  );
}

/** @throws UsageError when the folder holds no experiment, DataError when its file is damaged */
export function readDescription(root: string): ExperimentDescription {
  const { description: file } = experimentPaths(root);
  if (!existsSync(file)) {
    throw new UsageError(
      `${root}: no experiment here (no experiment.json); expected the --out folder of anatomy experiment run`,
    );
  }
  const remedy = 'delete it and run the experiment again: finished cells stay';
  const content = readJson(file);
  if (content === undefined) throw damaged(file, remedy, 'it is not JSON');
  try {
    return parseDescription(content);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw damaged(file, remedy, firstIssue(error));
  }
}

export function writeDescription(root: string, description: ExperimentDescription): void {
  writeJson(experimentPaths(root).description, description);
}

/** SHA-256 of a value as JSON, for values that tell nothing of patients. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/**
 * A data set as an experiment knows it. Its key is made of its images; see `imagesKey`. Digests of ids and labels need
 * one: without it, whoever has a list of patients could find their labels by trying.
 */
export interface KeyedSet {
  readonly dataset: Pick<Dataset, 'name' | 'samples'>;
  readonly splits: Splits;
  readonly key: string;
  /** The slug of further data; undefined for the data of pretraining. */
  readonly slug?: string;
}

function keyedDigest(value: unknown, key: string): string {
  return createHmac('sha256', key).update(JSON.stringify(value)).digest('hex');
}

/** A digest of the ids, subjects, labels and images. */
export function samplesDigest({ dataset, key }: Pick<KeyedSet, 'dataset' | 'key'>): string {
  return keyedDigest(factsOf(dataset), key);
}

const factsOf = ({ samples }: KeyedSet['dataset']) =>
  samples.map(({ id, subject, label }) => [id, subject, label ?? null]);

/**
 * Checks that the folds are still the same, since all rows are judged in the same ones.
 * @throws UsageError when the folder has other folds
 */
export function checkFolds(root: string, set: Pick<KeyedSet, 'splits' | 'key' | 'slug'>): void {
  const known = knownFolds(root, set);
  if (known === undefined) return;
  const now = known.keyed
    ? describedFolds(set)
    : { ...describedFolds(set), digest: digestOf(set.splits.folds) };
  if (known.digest === now.digest) return;
  const what =
    known.name === now.name
      ? `in other folds, by the same rule (${now.name}): samples, subjects, labels or images of the data have changed since`
      : `in other folds (${known.name}; now asked for ${now.name})`;
  throw new UsageError(`${root} holds an experiment ${what}; choose another --out`);
}

/**
 * Checks that the samples are still the same. Folds from a file still fit data whose labels were corrected since, but
 * finished cells do not.
 * @throws UsageError when the folder's cells are of other subjects, labels or images
 */
export function checkSamples(root: string, set: Pick<KeyedSet, 'dataset' | 'key' | 'slug'>): void {
  if (!existsSync(experimentPaths(root).description)) return;
  const { version, data, judge } = readDescription(root);
  const known = set.slug === undefined ? data : judge.find(({ slug }) => slug === set.slug)?.data;
  const now = version === 2 ? published(digestOf(factsOf(set.dataset))) : samplesDigest(set);
  if (known?.digest === undefined || known.digest === now) return;
  throw new UsageError(
    `${root} holds an experiment on other samples: ids, subjects, labels or images of ${set.dataset.name} have changed since (a pack or shards are other images than the files they were made of). Put them back as they were, or choose another --out`,
  );
}

export function describedFolds({ splits, key }: Pick<KeyedSet, 'splits' | 'key'>): DescribedFolds {
  const { k, dataset, source, seed, folds } = splits;
  const how = source === 'published' ? 'published' : `drawn with seed ${seed}`;
  return { name: `${k} of ${dataset}, ${how}`, digest: keyedDigest(folds, key) };
}

/** The folds that the folder's experiment has: from its description, else from its splits file. */
function knownFolds(
  root: string,
  { key, slug }: Pick<KeyedSet, 'key' | 'slug'>,
): (DescribedFolds & { readonly keyed: boolean }) | undefined {
  const { description, splits } = experimentPaths(root);
  const stored = existsSync(description) ? readDescription(root) : undefined;
  const told = stored?.folds[slug ?? ''];
  if (told !== undefined) return { ...told, keyed: stored!.version === 3 };
  const file = splits(slug);
  if (!existsSync(file)) return undefined;
  return { ...describedFolds({ splits: parseSplits(readFileSync(file, 'utf8'), file), key }), keyed: true };
}

export function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileAtomic(file, `${JSON.stringify(value, null, 1)}\n`);
}

/** Parses a file; undefined when it is not JSON. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** @param why what is not as this version writes it, where that is known */
export function damaged(file: string, remedy: string, why?: string): DataError {
  const reason = why === undefined ? '' : ` (${why})`;
  return new DataError(`${file}: is not of this version, or damaged${reason}; ${remedy}`);
}
