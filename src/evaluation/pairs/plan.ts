/** Plans which pairs are measured and which encoder measures them. */
import { SET_ASIDE } from '../../data/fold.js';
import { hasImage } from '../../data/presence.js';
import type { Dataset } from '../../data/sample.js';
import { loadSplits } from '../../data/splits/splits.js';
import { DataError, UsageError } from '../../errors.js';
import { Random } from '../../tensor/random.js';
import type { JudgedRun, RunEncoder } from '../encoders/runEncoders.js';
import type { ImageTrace } from '../folds/imageTrace.js';
import { setAsideEncoder } from '../folds/outerFolds.js';
import type { PairsData } from '../results/pairsResult.js';

/** The pairs that one encoder measures. The numbers are positions in the data. */
export interface PairRound {
  readonly encoder: RunEncoder;
  readonly positions: readonly number[];
  /** The pairs on which the batch norm of the untrained encoder is calibrated. */
  readonly calibration: readonly number[];
}

export interface PairPlan extends Pick<PairsData, 'chosen' | 'drawnFrom' | 'setAside'> {
  readonly rounds: readonly PairRound[];
  /** The positions of all measured pairs, ascending; entry i is pair i of the result. */
  readonly positions: readonly number[];
}

export interface PairPlanOptions {
  /** The positions of the samples that are pairs. */
  readonly of: readonly number[];
  /** The path of a splits file. Samples that it sets aside are not touched. */
  readonly splits?: string;
  /** Measure only the samples that are set aside. */
  readonly setAside?: boolean;
  /** The largest number of pairs to measure, drawn by the seed. */
  readonly pairs?: number;
  readonly seed: number;
}

/** The two modalities that are measured, and the samples that have an image of both. */
export interface ChosenPair {
  readonly modalities: readonly [string, string];
  /** The positions in the data, ascending. */
  readonly positions: readonly number[];
}

/**
 * Chooses the two modalities that are measured.
 * @param asked their names; by default the first two of the data
 * @throws DataError where the data has no pairs, or pairs of one subject only; UsageError where it has no such
 * modalities
 */
export function choosePair(
  { name, modalities, samples }: Dataset,
  asked: readonly string[] = modalities.slice(0, 2),
): ChosenPair {
  const [a, b] = asked;
  if (modalities.length < 2) {
    throw new DataError(
      `${name}: has one modality (${modalities.join()}), and pairs of two are needed: the claims are about what two images of ` +
        'the same anatomy have in common. Name data with pairs by --data.',
    );
  }
  if (
    a === undefined ||
    b === undefined ||
    a === b ||
    asked.some((one) => !modalities.includes(one)) ||
    asked.length > 2
  ) {
    throw new UsageError(
      `--pair is ${asked.join(' ')}, expected two different ones of the modalities ${modalities.join(', ')}`,
    );
  }
  const positions = samples.flatMap((sample, position) =>
    hasImage(sample, a) && hasImage(sample, b) ? [position] : [],
  );
  if (positions.length === 0) {
    const other = modalities.length > 2 ? '; name another pair with --pair' : '';
    throw new DataError(`${name}: no sample has both ${a} and ${b}, so there is no pair to measure${other}`);
  }
  if (new Set(positions.map((position) => samples[position]!.subject)).size < 2) {
    throw new DataError(
      `${name}: all ${positions.length} pairs are of one subject, expected at least 2: chance is told by images of others. ` +
        'Name the column that tells patients apart with --column subject=….',
    );
  }
  return { modalities: [a, b], positions };
}

/**
 * Plans which pairs are measured, and by which encoder. When the run kept folds out, each fold is measured by the
 * encoder that did not see it; otherwise one encoder measures all. Samples that are set aside are in no round, or in
 * the only one.
 *
 * @throws UsageError where nothing is left to measure
 */
export async function planPairs(
  { samples, name }: Dataset,
  { root, encoders }: JudgedRun,
  { inRun, keptOut }: ImageTrace,
  { of: all, splits, setAside = false, pairs, seed }: PairPlanOptions,
): Promise<PairPlan> {
  const folds = splits === undefined ? undefined : (await loadSplits(splits, samples)).folds;
  const isOpen = (position: number) =>
    folds?.[samples[position]!.id] !== SET_ASIDE && keptOut[position] !== SET_ASIDE;
  const open = all.filter(isOpen);
  if (setAside) {
    const aside = all.filter((position) => !isOpen(position));
    const encoder = setAsideEncoder({ root, encoders }, aside);
    const positions = drawn(aside, pairs, seed).toSorted((a, b) => a - b);
    const calibration = open.length > 0 ? open : positions;
    const rounds = [{ encoder, positions, calibration }];
    return { rounds, positions, chosen: 'set-aside', ...drawnFrom(aside, positions), setAside: 0 };
  }
  const heldOut = encoders[0]!.fold !== 'none' && inRun.includes(true);
  // Data that no encoder has seen is measured by one of them, since features of two encoders cannot be compared.
  const own = heldOut
    ? encoders.map((encoder) => ({
        encoder,
        positions: open.filter((position) => keptOut[position] === encoder.fold),
      }))
    : [{ encoder: encoders[0]!, positions: open }];
  const candidates = own.flatMap(({ positions }) => positions);
  if (candidates.length === 0) {
    throw new UsageError(
      `${root}: there is no pair of ${name} that an encoder of the run kept out and that is not set aside; give the --data and --splits of its pretraining`,
    );
  }
  const chosen = new Set(drawn(candidates, pairs, seed));
  const rounds = own.flatMap(({ encoder, positions }) => {
    const measured = positions.filter((position) => chosen.has(position));
    const test = new Set(positions);
    const calibration = heldOut ? open.filter((position) => !test.has(position)) : positions;
    return measured.length === 0 ? [] : [{ encoder, positions: measured, calibration }];
  });
  return {
    rounds,
    positions: rounds.flatMap(({ positions }) => positions).sort((a, b) => a - b),
    chosen: heldOut ? 'held-out' : 'all',
    ...drawnFrom(candidates, [...chosen]),
    setAside: all.length - open.length,
  };
}

function drawn(positions: readonly number[], count: number | undefined, seed: number): readonly number[] {
  if (count === undefined || count >= positions.length) return positions;
  const order = new Random(seed, 'pairs', 'chosen').permutation(positions.length);
  return Array.from(order.subarray(0, count), (at) => positions[at]!);
}

function drawnFrom(
  candidates: readonly number[],
  { length }: readonly number[],
): Pick<PairPlan, 'drawnFrom'> {
  return length < candidates.length ? { drawnFrom: candidates.length } : {};
}
