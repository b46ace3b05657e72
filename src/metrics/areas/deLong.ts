/**
 * The variance of areas under the ROC curve and of their differences, without resampling. DeLong, DeLong &
 * Clarke-Pearson (1988) treat independent samples. Obuchowski (1997) treats samples that come in clusters, such as the
 * slices of a patient.
 *
 * Both rest on placement values. The placement of a positive is the share of negatives that score below it. The
 * placement of a negative is the share of positives that score above it. Ties count half. Each kind has the area θ as
 * its mean.
 */
import { type BinaryLabels, ranking } from './ranking.js';

/** An area with the contribution of each sample, or a weighted sum of areas on the same samples. */
export interface AreaComponents {
  /** The area; NaN when a class is missing. */
  readonly area: number;
  /** The placement of each sample, [n]. */
  readonly placements: Float64Array;
  /** The class of each sample, [n]: 1 for positives. */
  readonly positive: Uint8Array;
}

/**
 * Computes the components of an area by one sort (Sun & Xu 2014), O(n log n).
 *
 * @param scores [n], higher means "more positive"
 * @param labels [n], 0/1 or booleans
 * @throws RangeError when lengths differ, a label is neither 0 nor 1, or a score is NaN
 */
export function areaComponents(scores: ArrayLike<number>, labels: BinaryLabels): AreaComponents {
  const { order, endsTie, positive } = ranking(scores, labels, 'DeLong');
  const n = order.length;
  const positives = positive.reduce((sum, one) => sum + one, 0);
  const negatives = n - positives;
  const placements = new Float64Array(n);
  let [positivesBelow, negativesBelow, wins] = [0, 0, 0];
  for (let start = 0; start < n; ) {
    let end = start;
    while (endsTie[end] === 0) end += 1;
    let tiedPositives = 0;
    for (let at = start; at <= end; at += 1) tiedPositives += positive[order[at]!]!;
    const tiedNegatives = end + 1 - start - tiedPositives;
    const beaten = negativesBelow + tiedNegatives / 2;
    for (let at = start; at <= end; at += 1) {
      const sample = order[at]!;
      placements[sample] =
        positive[sample] === 1
          ? beaten / negatives
          : (positives - positivesBelow - tiedPositives / 2) / positives;
    }
    wins += tiedPositives * beaten;
    positivesBelow += tiedPositives;
    negativesBelow += tiedNegatives;
    start = end + 1;
  }
  return { area: wins / (positives * negatives), placements, positive };
}

/**
 * Computes Σ weight · area on the same samples, such as the difference of two areas, a mean over seeds, or the
 * difference of such means.
 *
 * @throws RangeError when the samples differ
 */
export function combineAreas(parts: readonly (readonly [weight: number, AreaComponents])[]): AreaComponents {
  const { positive } = parts[0]![1];
  const placements = new Float64Array(positive.length);
  for (const [weight, part] of parts) {
    if (part.positive.length !== positive.length || part.positive.some((label, i) => label !== positive[i])) {
      throw new RangeError('DeLong: areas of different samples; expected the same samples in the same order');
    }
    for (let i = 0; i < placements.length; i += 1) placements[i]! += weight * part.placements[i]!;
  }
  return { area: parts.reduce((sum, [weight, { area }]) => sum + weight * area, 0), placements, positive };
}

/**
 * Covariance of two areas on the same independent samples (DeLong et al. 1988): the covariance of the positives'
 * placements over their number plus that of the negatives'. NaN with fewer than two samples of a class.
 */
export function deLongCovariance(a: AreaComponents, b: AreaComponents): number {
  return [1, 0].reduce((sum, kind) => {
    let count = 0;
    let products = 0;
    for (let i = 0; i < a.positive.length; i += 1) {
      if (a.positive[i] !== kind) continue;
      count += 1;
      products += (a.placements[i]! - a.area) * (b.placements[i]! - b.area);
    }
    return sum + products / (count - 1) / count;
  }, 0);
}

/**
 * Covariance of two areas on the same clustered samples (Obuchowski 1997): placements, less the area each, are summed
 * within clusters, and the sums take the place of samples. With u_k and v_k the sums of cluster k over its positives
 * and negatives, M and N samples of each class in I₁₀ and I₀₁ clusters, I in all,
 *
 *     I₁₀/(I₁₀−1) · Σ u_k u′_k / M² + I₀₁/(I₀₁−1) · Σ v_k v′_k / N² + I/(I−1) · Σ (u_k v′_k + v_k u′_k) / (MN)
 *
 * The last term stands for clusters that have both classes. With one sample a cluster it is DeLong's covariance. NaN
 * where a class occurs in fewer than two clusters.
 *
 * @param clusters [n] the cluster, e.g. the subject, of each sample
 */
export function clusteredCovariance(
  a: AreaComponents,
  b: AreaComponents,
  clusters: ArrayLike<string | number>,
): number {
  requireOneEach(clusters, a.positive.length);
  const [sumsOfA, sumsOfB] = [clusterSums(a, clusters), clusterSums(b, clusters)];
  let [m, n, withPositives, withNegatives] = [0, 0, 0, 0];
  let [ofPositives, ofNegatives, across] = [0, 0, 0];
  for (const [cluster, own] of sumsOfA) {
    const other = sumsOfB.get(cluster)!;
    m += own.positives;
    n += own.negatives;
    withPositives += Number(own.positives > 0);
    withNegatives += Number(own.negatives > 0);
    ofPositives += own.u * other.u;
    ofNegatives += own.v * other.v;
    across += own.u * other.v + own.v * other.u;
  }
  if (withPositives < 2 || withNegatives < 2) return Number.NaN;
  const corrected = (count: number) => count / (count - 1);
  return (
    (corrected(withPositives) * ofPositives) / (m * m) +
    (corrected(withNegatives) * ofNegatives) / (n * n) +
    (corrected(sumsOfA.size) * across) / (m * n)
  );
}

/** Computes `first − second`. */
export function subtract(first: AreaComponents, second: AreaComponents): AreaComponents {
  return combineAreas([
    [1, first],
    [-1, second],
  ]);
}

interface ClusterSums {
  /** The sum of placement − area over the positives of the cluster. */
  u: number;
  v: number;
  positives: number;
  negatives: number;
}

function clusterSums(
  { area, placements, positive }: AreaComponents,
  clusters: ArrayLike<string | number>,
): Map<string | number, ClusterSums> {
  const sums = new Map<string | number, ClusterSums>();
  for (let i = 0; i < placements.length; i += 1) {
    const own = sums.get(clusters[i]!) ?? { u: 0, v: 0, positives: 0, negatives: 0 };
    sums.set(clusters[i]!, own);
    if (positive[i] === 1) {
      own.u += placements[i]! - area;
      own.positives += 1;
    } else {
      own.v += placements[i]! - area;
      own.negatives += 1;
    }
  }
  return sums;
}

/** Checks that there is a subject for each sample. @throws RangeError where there is none */
export function requireOneEach(clusters: ArrayLike<string | number>, samples: number): void {
  if (clusters.length !== samples) {
    throw new RangeError(`DeLong: ${clusters.length} subjects for ${samples} samples; expected one each`);
  }
}
