import { DataError, UsageError } from '../../errors.js';
import { Random } from '../../tensor/random.js';
import type { Sample } from '../sample.js';

export interface SubjectKFoldOptions {
  /** The number of folds k, at least 2. */
  folds: number;
  seed: number;
}

/**
 * The part of a sample that folds are drawn by. Any subset of a data set will do, so that inner splits use the same
 * function.
 */
export type Splittable = Pick<Sample, 'subject' | 'label'>;

/**
 * Draws the fold, 0 … k−1, of each sample in the order given. All samples of a subject share one, and classes and
 * sample counts are balanced. The folds depend on the set of samples and the seed, not on the order of the samples.
 *
 * Balance is the cost Σ_folds (Σ_classes n_fc² / N_c + n_f² / N), least when every fold holds 1/k of each class (N_c)
 * and of all samples (N). Subjects, in random order within their main class, go where they raise it least; then
 * subjects are moved and exchanged between folds while that lowers it. With one sample for each subject, class counts
 * and totals end within 1 of each other; with one class, totals end within the size of the largest subject.
 *
 * @throws DataError if there are fewer subjects than folds, UsageError if `folds` is not a whole number from 2
 */
export function subjectKFold(samples: readonly Splittable[], { folds, seed }: SubjectKFoldOptions): number[] {
  if (!Number.isInteger(folds) || folds < 2) {
    throw new UsageError(`The number of folds is ${folds}, expected a whole number from 2.`);
  }
  const { subjects, weights } = countBySubject(samples);
  if (subjects.length < folds) {
    throw new DataError(
      `${subjects.length} subjects cannot fill ${folds} folds: every fold needs a subject of its own. ` +
        `Use at most ${subjects.length} folds${subjects.length < 2 ? ' (so none at all)' : ''}, or add subjects.`,
    );
  }
  const random = new Random(seed, 'split');
  const order = [...random.permutation(subjects.length)].map((i) => subjects[i]!);
  // Subjects are dealt class by class, which makes both classes and totals even.
  order.sort((s, t) => s.mainClass - t.mainClass);

  const bins = [...random.permutation(folds)].map((fold) => new Fold(fold, weights));
  for (const subject of order) {
    let best = bins[0]!;
    for (const bin of bins) {
      const change = bin.costOfAdding(subject) - best.costOfAdding(subject);
      if (change < -TINY || (change <= TINY && bin.subjects.length < best.subjects.length)) best = bin;
    }
    best.add(subject);
  }
  improve(bins);

  const foldOf = new Map(bins.flatMap((bin) => bin.subjects.map(({ name }) => [name, bin.index] as const)));
  return samples.map(({ subject }) => foldOf.get(subject)!);
}

/** The difference below which two costs are equal but for rounding. */
const TINY = 1e-12;

/** The limit of rounds over all moves and exchanges. A handful suffice; the limit is a safety net. */
const MAX_ROUNDS = 50;

/**
 * The number of subjects up to which exchanges are tried: with more subjects their number grows by the square, and
 * their use shrinks.
 */
const MAX_SUBJECTS_TO_EXCHANGE = 1000;

interface Subject {
  readonly name: string;
  /** The number of samples of each class, then that of all samples. */
  readonly counts: readonly number[];
  readonly mainClass: number;
}

function countBySubject(samples: readonly Splittable[]): { subjects: Subject[]; weights: readonly number[] } {
  const classes = [...new Set(samples.map(({ label }) => label ?? ''))].sort();
  const classIndex = new Map(classes.map((name, i) => [name, i]));
  const counts = new Map<string, number[]>();
  const totals = new Array<number>(classes.length + 1).fill(0);
  for (const { subject, label } of samples) {
    let row = counts.get(subject);
    if (row === undefined) {
      row = new Array<number>(classes.length + 1).fill(0);
      counts.set(subject, row);
    }
    for (const column of [classIndex.get(label ?? '')!, classes.length]) {
      row[column]! += 1;
      totals[column]! += 1;
    }
  }
  const subjects = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, row]) => ({ name, counts: row, mainClass: row.indexOf(Math.max(...row.slice(0, -1))) }));
  return { subjects, weights: totals.map((total) => 1 / total) };
}

class Fold {
  readonly index: number;
  readonly subjects: Subject[] = [];
  readonly #weights: readonly number[];
  readonly #counts: number[];

  constructor(index: number, weights: readonly number[]) {
    this.index = index;
    this.#weights = weights;
    this.#counts = weights.map(() => 0);
  }

  /** The rise of the cost if `subject` comes and, where given, `leaving` goes. */
  costOfAdding(subject: Subject | undefined, leaving?: Subject): number {
    let rise = 0;
    for (const [c, weight] of this.#weights.entries()) {
      const change = (subject?.counts[c] ?? 0) - (leaving?.counts[c] ?? 0);
      rise += weight * change * (2 * this.#counts[c]! + change);
    }
    return rise;
  }

  add(subject: Subject): void {
    this.subjects.push(subject);
    for (const [c, n] of subject.counts.entries()) this.#counts[c]! += n;
  }

  remove(subject: Subject): void {
    this.subjects.splice(this.subjects.indexOf(subject), 1);
    for (const [c, n] of subject.counts.entries()) this.#counts[c]! -= n;
  }
}

/** Moves and exchanges subjects between folds as long as one of them lowers the cost. */
function improve(bins: readonly Fold[]): void {
  const exchange = bins.reduce((n, bin) => n + bin.subjects.length, 0) <= MAX_SUBJECTS_TO_EXCHANGE;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    let improved = false;
    for (const from of bins) {
      for (const subject of [...from.subjects]) {
        for (const to of bins) {
          if (to === from || !from.subjects.includes(subject)) continue;
          if (from.subjects.length > 1 && lowers(from, subject, to, undefined)) {
            from.remove(subject);
            to.add(subject);
            improved = true;
            continue;
          }
          const other = exchange
            ? to.subjects.find((candidate) => lowers(from, subject, to, candidate))
            : undefined;
          if (other === undefined) continue;
          from.remove(subject);
          to.remove(other);
          from.add(other);
          to.add(subject);
          improved = true;
        }
      }
    }
    if (!improved) return;
  }
}

/** Tells whether the cost falls if `subject` goes from `from` to `to` and `other`, where given, the other way. */
function lowers(from: Fold, subject: Subject, to: Fold, other: Subject | undefined): boolean {
  return from.costOfAdding(other, subject) + to.costOfAdding(subject, other) < -TINY;
}
