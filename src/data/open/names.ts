/** Settles what the names of subjects and classes mean: which are missing, and which are one in several spellings. */
import { isMissing, mayBeClass } from '../../text/missing.js';
import { normalForm, spelledAlike, visibleName } from '../../text/normalForm.js';
import { shellWords } from '../../text/shell.js';
import type { Dataset, Sample } from '../sample.js';
import { classNames } from './labels.js';
import { standInWarnings } from './standIns.js';

/** What becomes of names that differ in case, spaces, zeros or Unicode form alone. */
export type Spellings = 'join' | 'keep';

export interface NamesOptions {
  /** Default: join. */
  readonly spellings?: Spellings;
  /** Words that are classes even if they are also words for a missing value. */
  readonly classes?: readonly string[];
  readonly onWarning?: (message: string) => void;
}

/**
 * Gives subjects and classes one name each. A word for a missing value, such as `NA`, is no class, and a sample with
 * such a subject is a patient of its own, under the sample's id, which is no spelling of another patient. Names with one
 * normal form are joined under the shortest spelling, unless they are to be kept apart. Each of these is told, with the
 * fix.
 */
export function settleNames(
  dataset: Dataset,
  { spellings = 'join', classes = [], onWarning = () => undefined }: NamesOptions = {},
): Dataset {
  const { name, positive, published } = dataset;
  const known = new Set([...classes, ...Object.keys(published?.counts ?? {})]);
  if (positive !== undefined) known.add(positive);
  const { samples: named, nobody } = withoutMissing(dataset, known, onWarning);
  const somebody = named.flatMap(({ id, subject }) => (nobody.has(id) ? [] : [subject]));
  const subjects = spelledAlike(somebody);
  const labels = spelledAlike(classNames(named));
  for (const warning of standInWarnings(name, named)) onWarning(warning);
  const told = { name, spellings };
  if (subjects.length > 0) onWarning(spellingsWarning(subjects, { ...told, ...SUBJECTS }));
  if (labels.length > 0) onWarning(spellingsWarning(labels, { ...told, ...CLASSES }));
  if (subjects.length === 0 && labels.length === 0) return { ...dataset, samples: named };
  const spelledSeveralWays = { subjects, classes: labels, joined: spellings === 'join' };
  if (spellings === 'keep') return { ...dataset, samples: named, spelledSeveralWays };
  const subjectOf = chosenSpellings(somebody);
  const labelOf = chosenSpellings(named.flatMap(({ label }) => label ?? []));
  return {
    ...dataset,
    ...(positive === undefined ? {} : { positive: spelledAs(positive, labelOf.values()) }),
    samples: named.map((sample) => ({
      ...sample,
      subject: nobody.has(sample.id) ? sample.subject : subjectOf.get(sample.subject)!,
      ...(sample.label === undefined ? {} : { label: labelOf.get(sample.label)! }),
    })),
    spelledSeveralWays,
  };
}

/** Finds the name among these that has the same normal form; the name itself where it is there, or none is. */
export function spelledAs(name: string, names: Iterable<string>): string {
  const all = [...names];
  if (all.includes(name)) return name;
  const form = normalForm(name);
  return all.find((other) => normalForm(other) === form) ?? name;
}

/** Takes words for missing values out. `nobody` are the ids of the samples that name no subject. */
function withoutMissing(
  { name, samples }: Dataset,
  known: ReadonlySet<string>,
  onWarning: (message: string) => void,
): { readonly samples: readonly Sample[]; readonly nobody: ReadonlySet<string> } {
  const isWord = (label: string) => isMissing(label) && !known.has(label);
  const words = classNames(samples).filter(isWord);
  const others = classNames(samples).filter((label) => !isWord(label));
  // With one other class, "none" is more likely the class of those who have it not.
  const kept = new Set(others.map(normalForm)).size === 1 ? words.filter(mayBeClass) : [];
  const missing = words.filter((word) => !kept.includes(word));
  const count = (list: readonly string[]) =>
    samples.filter(({ label }) => list.includes(label ?? '\0')).length;
  if (missing.length > 0) {
    onWarning(
      `${name}: ${share(count(missing), samples.length)} ${quoted(missing)} for a label, which counts as no label. ` +
        `If it is a class, name all classes: --classes ${shellWords([...missing, ...others])}.`,
    );
  }
  if (kept.length > 0) {
    onWarning(
      `${name}: ${share(count(kept), samples.length)} ${quoted(kept)} for a label, which counts as a class here, as "${others[0]}" ` +
        'is the only other one. If it means that the label is missing, empty these cells.',
    );
  }
  const nobody = samples.filter(({ subject }) => isMissing(subject));
  if (nobody.length > 0) {
    const written = [...new Set(nobody.map(({ subject }) => subject).filter((subject) => subject !== ''))];
    onWarning(
      `${name}: ${nobody.length} of ${samples.length} samples name no subject${written.length > 0 ? ` (${quoted(written)})` : ''}, ` +
        'so each of them counts as a patient of its own. If it is of a patient that others name, this patient may ' +
        'stand on both sides of a split: name it, or leave these samples out with --drop.',
    );
  }
  const ids = new Set(nobody.map(({ id }) => id));
  if (missing.length === 0 && nobody.length === 0) return { samples, nobody: ids };
  const settled = samples.map(({ label, ...sample }) => ({
    ...sample,
    subject: ids.has(sample.id) ? sample.id : sample.subject,
    ...(label === undefined || missing.includes(label) ? {} : { label }),
  }));
  return { samples: settled, nobody: ids };
}

function share(count: number, all: number): string {
  return `${count} of ${all} samples ${count === 1 ? 'says' : 'say'}`;
}

/** Maps each spelling to the shortest of its normal form; among equally short ones to the most frequent, then first. */
function chosenSpellings(names: readonly string[]): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const best = new Map<string, string>();
  const order = [...counts.keys()].sort(
    (a, b) => a.length - b.length || counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1),
  );
  const forms = new Map(order.map((name) => [name, normalForm(name)]));
  for (const name of order) if (!best.has(forms.get(name)!)) best.set(forms.get(name)!, name);
  return new Map(order.map((name) => [name, best.get(forms.get(name)!)!]));
}

interface SpellingWords {
  readonly many: string;
  readonly joined: string;
  readonly apart: string;
}

const SUBJECTS: SpellingWords = {
  many: 'subjects',
  joined:
    'Each counts as one patient, so that none stands on both sides of a split. If they are different patients, say --spellings keep.',
  apart:
    'They are kept apart, as --spellings keep asks. Those that are one patient may stand on both sides of a split.',
};

const CLASSES: SpellingWords = {
  many: 'classes',
  joined: 'Each counts as one class. If they are different classes, say --spellings keep.',
  apart: 'They are kept apart, as --spellings keep asks.',
};

function spellingsWarning(
  groups: readonly (readonly string[])[],
  { name, spellings, many, joined, apart }: SpellingWords & { name: string; spellings: Spellings },
): string {
  const names = groups.reduce((sum, { length }) => sum + length, 0);
  const listed = groups.slice(0, 3).map((group) => group.map(visibleName).join(' and '));
  const more = groups.length > 3 ? ', …' : '';
  return (
    `${name}: ${names} ${many} differ in case, spaces, zeros or Unicode form alone: ${listed.join(', ')}${more}. ` +
    `${names} names look like ${groups.length}. ${spellings === 'join' ? joined : apart}`
  );
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
