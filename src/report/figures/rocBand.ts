/** The confidence band of a ROC curve. */
import { bootstrapInterval, type ResampledMetric } from '../../metrics/bootstrap.js';

export interface RocBandPoint {
  readonly falsePositiveRate: number;
  readonly low: number;
  readonly high: number;
}

export interface RocBandOptions {
  readonly replicates: number;
  readonly confidence: number;
  readonly seed: number;
  /** The false positive rates at which the band is measured. */
  readonly at: readonly number[];
}

/**
 * Computes a pointwise band around the curve (Fawcett 2006, vertical averaging): at each false positive rate the
 * percentile interval of the sensitivity over resampled **subjects**, with the same draws at each rate. It holds for
 * each point by itself and not for the whole curve at once.
 *
 * @param subjects [n] the subject of each sample
 */
export function rocBand(
  scores: ArrayLike<number>,
  positive: readonly boolean[],
  subjects: readonly string[],
  { at, ...options }: RocBandOptions,
): RocBandPoint[] {
  if (new Set(subjects).size < 2) return [];
  const order = descending(scores);
  const points = at.map((rate) => {
    const { low, high } = bootstrapInterval(sensitivityAt(rate, order, scores, positive), subjects, options);
    return { falsePositiveRate: rate, low, high };
  });
  return points.filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
}

/**
 * The height of the curve at a false positive rate, where sample i counts `weights[i]` times. The curve is linear
 * between its corners; where it rises straight up, the upper end counts. NaN where one class was not drawn.
 */
function sensitivityAt(
  rate: number,
  order: Uint32Array,
  scores: ArrayLike<number>,
  positive: readonly boolean[],
): ResampledMetric {
  return (weights) => {
    let positives = 0;
    let negatives = 0;
    for (let i = 0; i < weights.length; i += 1) {
      if (positive[i]) positives += weights[i]!;
      else negatives += weights[i]!;
    }
    if (positives === 0 || negatives === 0) return Number.NaN;
    const wanted = rate * negatives;
    let [hits, alarms, hitsBefore, alarmsBefore] = [0, 0, 0, 0];
    for (let at = 0; at < order.length; at += 1) {
      const sample = order[at]!;
      if (positive[sample]) hits += weights[sample]!;
      else alarms += weights[sample]!;
      if (at + 1 < order.length && scores[order[at + 1]!] === scores[sample]) continue;
      if (alarms > wanted) {
        const share = (wanted - alarmsBefore) / (alarms - alarmsBefore);
        return (hitsBefore + share * (hits - hitsBefore)) / positives;
      }
      hitsBefore = hits;
      alarmsBefore = alarms;
    }
    return 1;
  };
}

function descending(scores: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
}
