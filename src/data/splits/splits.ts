/**
 * The room `data/splits` says which samples are tested together. This file makes, stores, reads and checks the folds.
 */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { DataError, UsageError } from '../../errors.js';
import { PRIVATE, writeFileAtomic } from '../../files.js';
import { shellWords } from '../../text/shell.js';
import type { DuplicateGroup } from '../audit/measures/duplicates.js';
import { problemsError } from '../faults.js';
import { type Fold, SET_ASIDE } from '../fold.js';
import type { Dataset, Sample } from '../sample.js';
import { type Splittable, subjectKFold } from './subjectKFold.js';
import { tiedSubjects } from './tiedSubjects.js';

const SPLITS_VERSION = 3;

/** The number of folds that are drawn where nothing else is said. */
export const DEFAULT_FOLDS = 5;

const splitsSchema = z.object({
  version: z.literal(SPLITS_VERSION),
  seed: z.int().nonnegative(),
  k: z.int().min(2),
  source: z.enum(['generated', 'published']),
  dataset: z.string(),
  folds: z.record(z.string(), z.union([z.int().nonnegative(), z.literal(SET_ASIDE)])),
  /**
   * The group of each sample whose subject is tied to others by duplicates. A group stays in one fold, like a
   * subject.
   */
  groups: z.record(z.string(), z.string()),
});

/**
 * The fold, 0 … k−1, that each sample of a data set is tested in, or `SET_ASIDE`; also the content of a splits file.
 */
export type Splits = Readonly<z.infer<typeof splitsSchema>>;

export interface SplitOptions {
  /** The number of folds; default `DEFAULT_FOLDS`, or as many as the data publishes. */
  folds?: number;
  seed?: number;
  /** The approximate number of subjects to set aside, stratified, before the folds are drawn; default none. */
  setAside?: number;
  /** Groups of samples that show one picture; their subjects share a fold. */
  duplicates?: readonly DuplicateGroup[];
  /** Is told of near duplicates that published folds tear apart. */
  onWarning?: (message: string) => void;
}

/**
 * Takes the folds that the data publishes, if it does, else draws them by `subjectKFold`.
 *
 * @throws UsageError if another number of folds is asked for than the data publishes, DataError if published folds tear
 *   a subject or exact duplicates apart
 */
export function makeSplits(
  { name, samples }: Dataset,
  { folds, seed = 0, setAside, duplicates = [], onWarning }: SplitOptions = {},
): Splits {
  const published = samples.some(({ fold }) => fold !== undefined);
  const k = published ? publishedFolds(samples, folds) : (folds ?? DEFAULT_FOLDS);
  const ties = tiedSubjects(
    samples,
    published ? duplicatesInOneFold(samples, duplicates, onWarning) : duplicates,
  );
  const units = samples.map(({ subject, label }) => ({ subject: ties.get(subject) ?? subject, label }));
  const aside = setAside === undefined ? samples.map(() => false) : drawSetAside(units, setAside, seed);
  const open = units.flatMap((unit, i) => (aside[i] ? [] : [unit]));
  const drawn = published ? [] : subjectKFold(open, { folds: k, seed });
  const assigned = aside.map(
    (kept, i): Fold => (kept ? SET_ASIDE : published ? samples[i]!.fold! : drawn.shift()!),
  );
  const splits: Splits = {
    version: SPLITS_VERSION,
    seed,
    k,
    source: published ? 'published' : 'generated',
    dataset: name,
    folds: Object.fromEntries(samples.map(({ id }, i) => [id, assigned[i]!])),
    groups: groupNames(samples, ties),
  };
  checkSplits(splits, samples, `${name}: the folds`);
  return splits;
}

/**
 * Draws the samples that are set aside and tells of each whether it is one. All subjects are divided into equal parts
 * of about `count`, of which one is taken. It is drawn before and apart from the folds, so that it does not depend on
 * their number.
 */
function drawSetAside(units: readonly Splittable[], count: number, seed: number): boolean[] {
  const subjects = new Set(units.map(({ subject }) => subject)).size;
  const most = Math.floor(subjects / 2);
  if (!(Number.isInteger(count) && count >= 1 && count <= most)) {
    throw new UsageError(
      `--set-aside is ${count}, expected 1 to ${most}: at most half of the ${subjects} subjects, as the others are learned from`,
    );
  }
  const parts = subjectKFold(units, { folds: Math.round(subjects / count), seed });
  const members = new Map<number, Set<string>>();
  for (const [i, part] of parts.entries()) {
    members.set(part, (members.get(part) ?? new Set()).add(units[i]!.subject));
  }
  const byNearness = [...members].sort(
    ([a, s], [b, t]) => Math.abs(s.size - count) - Math.abs(t.size - count) || a - b,
  );
  const [chosen] = byNearness[0]!;
  return parts.map((part) => part === chosen);
}

/** Names the group of each sample of a tied subject: `duplicates-1`, …, in the order of the samples. */
function groupNames(samples: readonly Sample[], ties: ReadonlyMap<string, string>): Record<string, string> {
  const names = new Map<string, string>();
  const groups = samples.flatMap(({ id, subject }) => {
    const first = ties.get(subject);
    if (first === undefined) return [];
    if (!names.has(first)) names.set(first, `duplicates-${names.size + 1}`);
    return [[id, names.get(first)!]];
  });
  return Object.fromEntries(groups);
}

/**
 * Finds the duplicates that the published folds keep together.
 *
 * @throws DataError if the folds tear exact duplicates apart
 */
function duplicatesInOneFold(
  samples: readonly Sample[],
  duplicates: readonly DuplicateGroup[],
  onWarning: SplitOptions['onWarning'],
): DuplicateGroup[] {
  const isTorn = ({ members }: DuplicateGroup) =>
    members.some((i) => samples[i]!.fold !== samples[members[0]!]!.fold);
  const torn = duplicates.filter(isTorn);
  const listed = (groups: readonly DuplicateGroup[]) =>
    groups.map(({ members }) =>
      members.map((i) => `${quote(samples[i]!.id)} in fold ${samples[i]!.fold}`).join(', '),
    );
  const exact = torn.filter(({ kind }) => kind === 'exact');
  if (exact.length > 0) {
    throw problemsError(
      `The published folds tear exact duplicates apart (${exact.length}), so that test images would be seen in training`,
      listed(exact),
      `Leave all but one of each out with --drop, or ${NEW_FOLDS}.`,
    );
  }
  if (torn.length > 0) {
    onWarning?.(
      `The published folds tear near duplicates apart (${torn.length}), such as ${listed(torn)[0]}. ` +
        `They are kept as published; to change that, ${NEW_FOLDS}.`,
    );
  }
  return duplicates.filter((group) => !isTorn(group));
}

const NEW_FOLDS = 'draw new folds with --column fold=null';

/** Writes the splits as JSON, for its owner only, as it holds ids; the file is complete or not there at all, whatever happens meanwhile. */
export async function saveSplits(splits: Splits, file: string): Promise<void> {
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  writeFileAtomic(file, `${JSON.stringify(splits, null, 1)}\n`, { mode: PRIVATE });
}

/**
 * Reads a splits file and checks it against the samples it is to be used with.
 *
 * @throws DataError if it is malformed, names other samples, or has a subject or a group on two sides
 */
export async function loadSplits(file: string, samples: readonly Sample[]): Promise<Splits> {
  const splits = await readSplits(file);
  checkSplits(splits, samples, file);
  return splits;
}

/**
 * Reads a splits file as it is, whatever samples it names.
 *
 * @throws DataError if it is malformed
 */
export async function readSplits(file: string): Promise<Splits> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such file' : error.message;
    throw new DataError(
      `${file}: the splits cannot be read: ${reason}. Make them with anatomy data split --data DATA --out ${shellWords([file])}.`,
    );
  });
  return parseSplits(text, file);
}

/**
 * Parses the text of a splits file.
 *
 * @throws DataError naming the file and the key that is wrong
 */
export function parseSplits(text: string, file: string): Splits {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${file}: is not JSON (${(error as Error).message}). Make the splits again.`);
  }
  const parsed = splitsSchema.safeParse(upgraded(content));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new DataError(
    `${file}: is not a splits file of version ${SPLITS_VERSION}: ${issue.path.join('.') || 'content'}: ${issue.message}. ` +
      'Make the splits again.',
  );
}

/** Brings older files up to date: version 1 knew no groups, and version 2 set nothing aside. */
function upgraded(content: unknown): unknown {
  if (typeof content !== 'object' || content === null || !('version' in content)) return content;
  const { version } = content;
  if (version !== 1 && version !== 2) return content;
  return { ...content, ...(version === 1 ? { groups: {} } : {}), version: SPLITS_VERSION };
}

/**
 * Checks splits against the samples that they are to be used with.
 *
 * @param name the name of the splits in messages
 * @throws DataError on ids that one side lacks, folds out of range or empty, a subject or a group in two folds
 */
function checkSplits(splits: Splits, samples: readonly Sample[], name: string): void {
  const remake = 'Make the splits again for this data, or use the data they were made for.';
  const { folds, groups, k, source } = splits;
  const known = new Set(samples.map(({ id }) => id));
  const unknown = Object.keys(folds).filter((id) => !known.has(id));
  if (unknown.length > 0) {
    throw problemsError(
      `${name}: ids that are not in the data (${unknown.length})`,
      unknown.map(quote),
      remake,
    );
  }
  const missing = samples.filter(({ id }) => !Object.hasOwn(folds, id)).map(({ id }) => quote(id));
  if (missing.length > 0) {
    throw problemsError(`${name}: samples of the data without a fold (${missing.length})`, missing, remake);
  }
  const outside = Object.entries(folds).filter(([, fold]) => fold !== SET_ASIDE && fold >= k);
  if (outside.length > 0) {
    const listed = outside.map(([id, fold]) => `${quote(id)} is in fold ${fold}`);
    throw problemsError(`${name}: folds out of the range 0 to ${k - 1}`, listed, remake);
  }
  const used = new Set(Object.values(folds));
  const empty = Array.from({ length: k }, (_, fold) => fold).filter((fold) => !used.has(fold));
  if (empty.length > 0) {
    throw new DataError(`${name}: no sample is in fold ${empty.join(', ')} of 0 to ${k - 1}. ${remake}`);
  }
  const subjects = samples.map(({ id, subject }) => ({ id, unit: subject }));
  refuseTorn(folds, subjects, {
    headline: `${name}: subjects on two sides`,
    unit: 'subject',
    fix:
      source === 'published'
        ? `Leave samples out with --drop, or ${NEW_FOLDS}.`
        : 'Put all samples of a subject into one fold.',
  });
  const grouped = Object.entries(groups).map(([id, unit]) => ({ id, unit }));
  const stray = grouped.filter(({ id }) => !known.has(id)).map(({ id }) => quote(id));
  if (stray.length > 0) {
    throw problemsError(`${name}: groups of ids that are not in the data (${stray.length})`, stray, remake);
  }
  refuseTorn(folds, grouped, {
    headline: `${name}: groups of duplicates on two sides`,
    unit: 'group',
    fix: 'Put all samples of a group into one fold.',
  });
}

/**
 * Refuses folds that tear a unit, such as a subject, apart.
 *
 * @throws DataError listing the units that are in more than one fold
 */
function refuseTorn(
  folds: Splits['folds'],
  samples: readonly { readonly id: string; readonly unit: string }[],
  { headline, unit: what, fix }: { headline: string; unit: string; fix: string },
): void {
  const foldOf = new Map<string, Fold>();
  const torn = new Map<string, string>();
  for (const { id, unit } of samples) {
    const first = foldOf.get(unit) ?? folds[id]!;
    foldOf.set(unit, first);
    if (first !== folds[id])
      torn.set(unit, `${what} ${quote(unit)} is in folds ${first} and ${folds[id]} (sample ${quote(id)})`);
  }
  if (torn.size === 0) return;
  throw problemsError(
    `${headline} (${torn.size}), so that test images would be of patients seen in training`,
    [...torn.values()],
    fix,
  );
}

/** Checks that every sample has a published fold, and gives the number of folds. */
function publishedFolds(samples: readonly Sample[], asked: number | undefined): number {
  const without = samples.filter(({ fold }) => fold === undefined);
  if (without.length > 0) {
    throw problemsError(
      `Samples without a fold, while others have one (${without.length} of ${samples.length})`,
      without.map(({ id }) => quote(id)),
      'Give every sample a fold, or none.',
    );
  }
  const numbers = samples.map(({ fold }) => fold!);
  const k = numbers.reduce((most, fold) => Math.max(most, fold + 1), 0);
  if (!numbers.includes(0)) {
    throw new DataError(
      `The published folds start at ${Math.min(...new Set(numbers))}, expected 0. Count them from 0.`,
    );
  }
  if (k < 2)
    throw new DataError('The published folds are all 0, expected at least two folds. Leave the column out.');
  if (asked !== undefined && asked !== k) {
    throw new UsageError(
      `The data publishes ${k} folds, but ${asked} were asked for. Leave the number out, ` +
        `or ${NEW_FOLDS}.`,
    );
  }
  return k;
}

function quote(name: string): string {
  return `"${name}"`;
}
