/**
 * Plans on which samples each set of modalities is judged: on those that have its images. Where images are missing, two
 * sets may be judged on different samples.
 */
import { hasImage } from '../../data/presence.js';
import type { Dataset } from '../../data/sample.js';
import { DataError } from '../../errors.js';
import { isAny, modalityKey } from '../results/modalitySets.js';
import { type FoldPlan, type LabelOptions, type OuterFold, trainingOf } from './outerFolds.js';
import type { Task } from './task.js';

/** The rounds in which the rows on a set of modalities are judged. */
export interface SetRounds {
  readonly modalities: readonly string[];
  /** The samples of the task that have the images, ascending; absent: all have them. */
  readonly samples?: readonly number[];
  /** The rounds of the plan with these samples alone. A round may test none of them. */
  readonly rounds: readonly OuterFold[];
}

/** A set of modalities that cannot be judged, with the reason: `no sample has them`. */
export interface LeftOut {
  readonly modalities: readonly string[];
  readonly reason: string;
}

export interface PlannedSets {
  readonly judged: readonly SetRounds[];
  readonly leftOut: readonly LeftOut[];
}

/** Gives the rounds of a set that is judged. */
export type RoundsOn = (modalities: readonly string[]) => readonly OuterFold[];

export function roundsOn({ judged }: PlannedSets): RoundsOn {
  const found = new Map(judged.map(({ modalities, rounds }) => [modalityKey(modalities), rounds]));
  return (modalities) => found.get(modalityKey(modalities))!;
}

/** Tells whether samples of the task lack images. */
export function hasGaps({ positions }: Task, { samples, modalities }: Dataset): boolean {
  return positions.some((position) => modalities.some((name) => !hasImage(samples[position]!, name)));
}

/**
 * Takes from each round the samples that have the images of a set. The pool stays whole, as the untrained encoder is
 * calibrated without labels, on the same images for all rows.
 *
 * @param misfit finds why the settings of the protocol do not fit, from the number of training samples of the smallest
 * round
 */
export function planSets(
  task: Task,
  dataset: Dataset,
  plan: FoldPlan,
  sets: readonly (readonly string[])[],
  options: LabelOptions & { readonly misfit?: (fewest: number) => string | undefined },
): PlannedSets {
  const judged: SetRounds[] = [];
  const leftOut: LeftOut[] = [];
  // Rows on the same samples share their rounds, and can be trained side by side.
  const known = new Map<string, readonly OuterFold[]>();
  for (const modalities of sets) {
    const samples = samplesWith(task, dataset, modalities);
    if (samples === undefined) {
      judged.push({ modalities, rounds: plan.rounds });
      continue;
    }
    const key = samples.join();
    const found = known.get(key) ?? roundsAmong(task, plan, samples, options);
    if (typeof found === 'string') leftOut.push({ modalities, reason: found });
    else {
      known.set(key, found);
      judged.push({ modalities, samples, rounds: found });
    }
  }
  return { judged, leftOut };
}

/** The samples of the task that have all images of the set; undefined where all samples have them. */
function samplesWith(
  { positions }: Task,
  { samples }: Dataset,
  set: readonly string[],
): number[] | undefined {
  if (isAny(set)) return undefined;
  const found = positions.flatMap((position, i) =>
    set.every((modality) => hasImage(samples[position]!, modality)) ? [i] : [],
  );
  return found.length === positions.length ? undefined : found;
}

/** The rounds for some samples alone, or the reason why they cannot be judged. */
function roundsAmong(
  task: Task,
  { rounds }: FoldPlan,
  samples: readonly number[],
  { misfit, ...options }: LabelOptions & { readonly misfit?: (fewest: number) => string | undefined },
): readonly OuterFold[] | string {
  if (samples.length === 0) return 'no sample has them';
  for (const [c, name] of task.classes.entries()) {
    const { size } = new Set(samples.filter((i) => task.labels[i] === c).map((i) => task.subjects[i]));
    if (size < 2) {
      return `class "${name}" has ${size} ${size === 1 ? 'subject' : 'subjects'} with them, expected at least 2`;
    }
  }
  const own = new Set(samples);
  try {
    const found = rounds.map((round) => {
      const pool = round.pool.filter((i) => own.has(i));
      const test = round.test.filter((i) => own.has(i));
      return { ...round, ...trainingOf(task, pool, round.fold, options), test };
    });
    if (found.every(({ test }) => test.length === 0)) return 'no sample that is tested has them';
    return misfit?.(Math.min(...found.map(({ train }) => train.length))) ?? found;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    // The first sentence is the reason, and the others are advice.
    return error.message.split('. ')[0]!;
  }
}
