/** The area under the ROC curve among samples that are alike, and the numbers of samples and pairs behind it. */
import { type BinaryLabels, ranking } from './ranking.js';

/**
 * The area under the ROC curve among samples that are alike in a covariate c: the chance that a positive scores above a
 * negative whose c is about the same, ties counting half. It is
 *
 *     Σ over (positive p, negative n) with |c_p − c_n| ≤ within of [s_p > s_n] + ½ [s_p = s_n]
 *
 * divided by the number of these pairs.
 *
 * The covariate may tell the label, as age does, or the place of a slice in the head. A score that knows nothing else
 * then has an area of about ½ here, whatever its AUC. This is the area given the covariate (Janes & Pepe 2009),
 * averaged over the pairs. With a width of Infinity it is the AUC itself. NaN without any such pair.
 *
 * The returned function takes weights as that of `weightedRocAuc` does. It walks over pairs of **groups**, so that
 * thousands of bootstrap replicates over patients stay cheap.
 *
 * @param scores [n], finite or infinite
 * @param labels [n], 0/1 or booleans
 * @throws RangeError when lengths differ, a label is neither 0 nor 1, a score is NaN, or `within` is negative
 */
export function weightedMatchedAuc(
  scores: ArrayLike<number>,
  labels: BinaryLabels,
  matching: CovariateMatching,
): (weights?: Float64Array) => number {
  const { covariate, within, groups, strata } = matching;
  const { positive } = ranking(scores, labels, 'matched AUC');
  const n = positive.length;
  for (const { length } of [covariate, groups ?? covariate, strata ?? covariate]) {
    if (length !== n) {
      throw new RangeError(
        `matched AUC: ${n} scores but ${length} values of the covariate, the groups or the strata`,
      );
    }
  }
  if (!(within >= 0)) throw new RangeError(`matched AUC: within is ${within}, expected 0 or more`);
  const pairs = groupPairs(scores, positive, matching);
  const ones = new Float64Array(n).fill(1);

  return (weights = ones) => {
    let wins = 0;
    let total = 0;
    for (const { p, n: other, won, count } of pairs) {
      const both = weights[p]! * weights[other]!;
      wins += both * won;
      total += both * count;
    }
    return total > 0 ? wins / total : Number.NaN;
  };
}

/** The rule by which samples are compared. */
export interface CovariateMatching {
  /** The value of each sample, [n]. A sample whose value is not finite is in no pair. */
  readonly covariate: ArrayLike<number>;
  /** The largest difference that counts as the same, in the covariate’s own units. */
  readonly within: number;
  /** The group of each sample, [n], such as the patient. Samples of one group always have the same weight. */
  readonly groups?: ArrayLike<string | number>;
  /**
   * The stratum of each sample, [n], such as the test fold. Only samples of one stratum are compared: scores of two
   * folds come from two models, and a fold with many positives is scored by a model that learned from few.
   */
  readonly strata?: ArrayLike<string | number>;
}

/** The numbers of samples and pairs that a matched AUC rests on. */
export interface MatchedCounts {
  readonly positives: number;
  /** The number of positives with a negative that is alike. */
  readonly matched: number;
  /** The number of pairs of a positive and a negative that are compared. */
  readonly pairs: number;
}

export function matchedCounts(
  labels: BinaryLabels,
  matching: Pick<CovariateMatching, 'covariate' | 'within' | 'strata'>,
): MatchedCounts {
  const positive = Uint8Array.from(labels, Number);
  const matched = new Set<number>();
  let pairs = 0;
  eachPair(positive, matching, (p) => {
    matched.add(p);
    pairs += 1;
  });
  return { positives: positive.reduce((sum, one) => sum + one, 0), matched: matched.size, pairs };
}

/** All pairs of a positive of one group and a negative of another, or of the same. */
interface GroupPair {
  /** A sample of the positive’s group, whose weight is that of the group. */
  readonly p: number;
  readonly n: number;
  won: number;
  count: number;
}

function groupPairs(
  scores: ArrayLike<number>,
  positive: Uint8Array,
  matching: CovariateMatching,
): GroupPair[] {
  const { groups } = matching;
  const first = new Map<string | number, number>();
  const groupOf = Uint32Array.from(positive, (_, i) => {
    const group = groups?.[i] ?? i;
    if (!first.has(group)) first.set(group, i);
    return first.get(group)!;
  });
  const found = new Map<number, GroupPair>();
  eachPair(positive, matching, (p, n) => {
    const key = groupOf[p]! * positive.length + groupOf[n]!;
    const pair = found.get(key) ?? { p: groupOf[p]!, n: groupOf[n]!, won: 0, count: 0 };
    found.set(key, pair);
    pair.count += 1;
    if (scores[p]! > scores[n]!) pair.won += 1;
    else if (scores[p] === scores[n]) pair.won += 0.5;
  });
  return [...found.values()];
}

/** Visits each positive with each negative that it is compared with. */
function eachPair(
  positive: Uint8Array,
  { covariate, within, strata }: Pick<CovariateMatching, 'covariate' | 'within' | 'strata'>,
  visit: (p: number, n: number) => void,
): void {
  const known = Array.from(positive.keys()).filter((i) => Number.isFinite(covariate[i]!));
  const sorted = known.sort((a, b) => covariate[a]! - covariate[b]!);
  const negatives = sorted.filter((i) => positive[i] === 0);
  // By rounding alone, 0.75 − 0.7 is more than 0.05.
  const largest = known.reduce((most, i) => Math.max(most, Math.abs(covariate[i]!)), 0);
  const reach = within + 4 * Number.EPSILON * largest;
  // The negatives near a positive lie side by side, and their window moves on with it.
  let from = 0;
  for (const p of sorted) {
    if (positive[p] === 0) continue;
    while (from < negatives.length && covariate[p]! - covariate[negatives[from]!]! > reach) from += 1;
    for (let at = from; at < negatives.length; at += 1) {
      const n = negatives[at]!;
      if (covariate[n]! - covariate[p]! > reach) break;
      if (strata === undefined || strata[p] === strata[n]) visit(p, n);
    }
  }
}
