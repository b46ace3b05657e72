/**
 * This room plans the cross-validation: the task that the labels set, the rounds in which it is judged, the labels that
 * are used, and what each encoder saw of the test samples in its pretraining.
 */
import { existsSync } from 'node:fs';
import { type Fold, SET_ASIDE } from '../../data/fold.js';
import type { Dataset } from '../../data/sample.js';
import { loadSplits, makeSplits, type Splits } from '../../data/splits/splits.js';
import { subjectKFold } from '../../data/splits/subjectKFold.js';
import { DataError, UsageError } from '../../errors.js';
import { runPaths } from '../../training/runFolder.js';
import type { JudgedRun, RunEncoder } from '../encoders/runEncoders.js';
import type { JudgedFolds } from '../results/evaluationResult.js';
import { type ImageTrace, untraced } from './imageTrace.js';
import { labelledShare } from './labelledShare.js';
import type { Task } from './task.js';

/** One round of the cross-validation. The numbers are samples of the task. */
export interface OuterFold {
  readonly fold: number;
  /** All samples that may be trained on, whether their labels are used or not. */
  readonly pool: readonly number[];
  /** The samples of the pool whose labels the probe uses. */
  readonly train: readonly number[];
  readonly test: readonly number[];
  /** The inner fold of each training sample; all samples of a subject are in the same one. */
  readonly inner: Uint32Array;
  /** The encoder that is judged in this round. */
  readonly encoder: RunEncoder;
}

export interface OuterFoldOptions {
  /** The path of a splits file. */
  readonly splits?: string;
  /** The number of folds. */
  readonly folds?: number;
  readonly seed: number;
  /** The share of the training labels that probes use. */
  readonly labelFraction: number;
  /** Judge the samples that were set aside, with probes trained on all others. */
  readonly setAside: boolean;
}

/** The options that decide which labels are used. */
export type LabelOptions = Pick<OuterFoldOptions, 'seed' | 'labelFraction'>;

export interface FoldPlan extends Omit<JudgedFolds, 'judged'> {
  readonly rounds: readonly OuterFold[];
}

/** The number of inner folds; there are fewer when there are fewer training subjects. */
const INNER_FOLDS = 5;

/**
 * Plans the rounds of the cross-validation and the encoder that is judged in each. The folds are those of the splits
 * file, else those the run was pretrained in, else those published with the data, else they are drawn by subject.
 *
 * When the run has seen the data, each encoder is judged on the fold that it did not see, and folds without an encoder
 * are left out. On data that the run has not seen any encoder may judge any fold, and they take turns. Samples that are
 * set aside are in no round, or in the only one.
 *
 * @throws UsageError when the folds asked for are not the run's, DataError when a round has too little to train on
 */
export async function planFolds(
  task: Task,
  dataset: Dataset,
  run: JudgedRun,
  trace: ImageTrace,
  options: OuterFoldOptions,
): Promise<FoldPlan> {
  const { source, k, foldOf } = await chooseFolds(task, dataset, trace, options);
  const { encoders } = run;
  const byNumber = encoders[0]!.fold !== 'none' && trace.inRun.includes(true) && source !== 'generated';
  const encoderOf = (fold: number): RunEncoder | undefined =>
    byNumber ? encoders.find((encoder) => encoder.fold === fold) : encoders[fold % encoders.length];
  const samplesOf = (wanted: (fold: Fold) => boolean) => foldOf.flatMap((own, i) => (wanted(own) ? [i] : []));
  const roundOf = (fold: number, test: number[], pool: number[], encoder: RunEncoder): OuterFold => {
    return { fold, pool, ...trainingOf(task, pool, fold, options), test, encoder };
  };
  const common = { inner: INNER_FOLDS, seed: options.seed };
  if (options.setAside) {
    const test = samplesOf((fold) => fold === SET_ASIDE);
    const pool = samplesOf((fold) => fold !== SET_ASIDE);
    const encoder = setAsideEncoder(run, test);
    return { source: 'set-aside', k: 1, ...common, rounds: [roundOf(0, test, pool, encoder)] };
  }
  const rounds: OuterFold[] = [];
  for (let fold = 0; fold < k; fold += 1) {
    const test = samplesOf((own) => own === fold);
    const encoder = encoderOf(fold);
    // It may be that no sample of a fold has a label.
    if (encoder === undefined || test.length === 0) continue;
    const pool = samplesOf((own) => own !== fold && own !== SET_ASIDE);
    rounds.push(roundOf(fold, test, pool, encoder));
  }
  if (rounds.length === 0) {
    const known = encoders.map(({ fold }) => fold).join(', ');
    throw new UsageError(`${run.root}: kept out fold ${known}, but the folds to judge are 0 to ${k - 1}`);
  }
  return { source, k, ...common, rounds };
}

/**
 * Finds the training samples of each round of a cross-validation in these folds, without any encoder.
 *
 * @returns sample numbers of the task, a list for each fold with something to test
 * @throws DataError when a round has too little to train on
 */
export function trainingSets(
  task: Task,
  { k, folds }: Pick<Splits, 'k' | 'folds'>,
  options: LabelOptions,
): (readonly number[])[] {
  const foldOf = task.ids.map((id) => folds[id]!);
  const tested = Array.from({ length: k }, (_, fold) => fold).filter((fold) => foldOf.includes(fold));
  return tested.map((fold) => {
    const pool = [...foldOf.keys()].filter((i) => foldOf[i] !== fold && foldOf[i] !== SET_ASIDE);
    return trainingOf(task, pool, fold, options).train;
  });
}

/**
 * Draws the labelled training samples of a round from its pool, and their inner folds.
 * @throws DataError when a class or a second subject is missing
 */
export function trainingOf(
  task: Task,
  pool: readonly number[],
  fold: number,
  { seed, labelFraction }: LabelOptions,
): Pick<OuterFold, 'train' | 'inner'> {
  const train = labelledShare(task, pool, labelFraction, { seed, fold });
  return { train, inner: innerFoldsOf(task, train, fold, seed) };
}

/**
 * The encoder that judges the samples set aside.
 * @throws UsageError when nothing is set aside, or the run has an encoder for each fold
 */
export function setAsideEncoder(
  { root, encoders }: Pick<JudgedRun, 'root' | 'encoders'>,
  test: readonly number[],
): RunEncoder {
  if (test.length === 0) {
    throw new UsageError(
      '--set-aside: no sample to judge is set aside; make splits with anatomy data split --set-aside N, pretrain with them, and give --splits',
    );
  }
  if (encoders.length > 1) {
    throw new UsageError(
      `--set-aside: ${root} has ${encoders.length} encoders, one a fold, expected one; pretrain with --splits and --fold none`,
    );
  }
  return encoders[0]!;
}

/**
 * Plans the rounds before any image is decoded, so that a mistake is reported at once. Undefined for a run that kept
 * samples out, since only the digest of the images tells which ones; the splits file is checked all the same.
 */
export async function planUndecoded(
  task: Task,
  dataset: Dataset,
  run: JudgedRun,
  options: OuterFoldOptions,
): Promise<FoldPlan | undefined> {
  const trace = untraced(dataset);
  const { root, fold } = run.encoders[0]!;
  const keptNoneOut = fold === 'none' && !existsSync(runPaths(root).folds);
  if (keptNoneOut) return planFolds(task, dataset, run, trace, options);
  if (options.splits !== undefined) await chooseFolds(task, dataset, trace, options);
  return undefined;
}

/** Chooses the folds by the order of {@link planFolds} and checks that they agree with what was asked for. */
async function chooseFolds(
  { positions, ids }: Task,
  dataset: Dataset,
  { keptOut }: ImageTrace,
  { splits: file, folds: asked, seed }: OuterFoldOptions,
): Promise<{ source: JudgedFolds['source']; k: number; foldOf: Fold[] }> {
  const ofRun = positions.map((position) => keptOut[position]);
  const runFolds = keptOut.reduce<number>(
    (most, fold) => (typeof fold === 'number' ? Math.max(most, fold + 1) : most),
    0,
  );
  if (file !== undefined) {
    const { folds, k } = await loadSplits(file, dataset.samples);
    refuseOther(asked, k, file);
    if (runFolds > 0) refuseOther(runFolds, k, file, 'the run was pretrained in');
    const foldOf = ids.map((id) => folds[id]!);
    const opened = foldOf.filter((fold, i) => ofRun[i] === SET_ASIDE && fold !== SET_ASIDE).length;
    if (opened > 0) {
      throw new UsageError(
        `${file}: has ${opened} samples in folds that were set aside when the run was pretrained; give the splits it was pretrained with, or leave --splits out`,
      );
    }
    return { source: 'file', k, foldOf };
  }
  if (ofRun.every((fold) => fold !== undefined)) {
    refuseOther(asked, runFolds, 'the run');
    return { source: 'run', k: runFolds, foldOf: ofRun };
  }
  const samples = positions.flatMap((position, i) =>
    ofRun[i] === SET_ASIDE ? [] : [dataset.samples[position]!],
  );
  const { source, k, folds } = makeSplits({ ...dataset, samples }, { folds: asked, seed });
  return { source, k, foldOf: ids.map((id) => folds[id] ?? SET_ASIDE) };
}

function refuseOther(asked: number | undefined, k: number, where: string, who = '--folds asks for'): void {
  if (asked === undefined || asked === k) return;
  throw new UsageError(
    `${who} ${asked} folds, but ${where} has ${k}; leave --folds out, or give the matching --splits`,
  );
}

/** Deals the training samples into inner folds. @throws DataError when a class or a second subject is missing */
function innerFoldsOf(
  { subjects, labels, classes }: Task,
  train: readonly number[],
  fold: number,
  seed: number,
) {
  const missing = classes.findIndex((_, c) => !train.some((i) => labels[i] === c));
  if (missing >= 0) {
    throw new DataError(
      `fold ${fold}: no training sample is "${classes[missing]}", so there is nothing to learn it from. ` +
        'Make other folds with anatomy data split, or label more subjects.',
    );
  }
  const own = train.map((i) => ({ subject: subjects[i]!, label: String(labels[i]) }));
  const distinct = new Set(own.map(({ subject }) => subject)).size;
  if (distinct < 2) {
    throw new DataError(
      `fold ${fold}: ${distinct} subject to train on, expected at least 2 (the settings of a probe are chosen by ` +
        'cross-validation inside them). Use more folds, or label more subjects.',
    );
  }
  return Uint32Array.from(subjectKFold(own, { folds: Math.min(INNER_FOLDS, distinct), seed }));
}
