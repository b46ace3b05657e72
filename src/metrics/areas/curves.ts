/** The points of curves to draw: one for each distinct score, none left out. */
import { type BinaryLabels, ranking } from './ranking.js';

/** The error rates when every sample that scores at least `threshold` is called positive. */
export interface RocPoint {
  readonly threshold: number;
  /** The false positive rate, 1 − specificity. */
  readonly falsePositiveRate: number;
  /** The true positive rate: sensitivity, or recall. */
  readonly truePositiveRate: number;
}

export interface PrecisionRecallPoint {
  readonly threshold: number;
  readonly recall: number;
  readonly precision: number;
}

/**
 * The ROC curve from (0, 0), where nothing is called positive, to (1, 1); straight lines between the points enclose
 * `rocAuc`. Empty when a class is missing.
 *
 * @param scores [n], higher means "more positive"
 * @param labels [n], 0/1 or booleans
 * @throws RangeError when lengths differ, a label is neither 0 nor 1, or a score is NaN
 */
export function rocCurve(scores: ArrayLike<number>, labels: BinaryLabels): RocPoint[] {
  const { counts, positives, negatives } = callsFromAbove(scores, labels, 'ROC curve');
  if (positives === 0 || negatives === 0) return [];
  return [{ threshold: Number.POSITIVE_INFINITY, found: 0, wrong: 0 }, ...counts].map(
    ({ threshold, found, wrong }) => ({
      threshold,
      falsePositiveRate: wrong / negatives,
      truePositiveRate: found / positives,
    }),
  );
}

/**
 * The precision–recall curve in ascending recall, from (0, 1), where nothing is called positive, to recall 1. Its
 * steps, each point's precision back to the recall of the point before, enclose `averagePrecision`; straight lines
 * between points would be too high (Davis & Goadrich 2006). Empty when a class is missing.
 */
export function precisionRecallCurve(
  scores: ArrayLike<number>,
  labels: BinaryLabels,
): PrecisionRecallPoint[] {
  const { counts, positives, negatives } = callsFromAbove(scores, labels, 'precision-recall curve');
  if (positives === 0 || negatives === 0) return [];
  const points = counts.map(({ threshold, found, wrong }) => ({
    threshold,
    recall: found / positives,
    precision: found / (found + wrong),
  }));
  return [{ threshold: Number.POSITIVE_INFINITY, recall: 0, precision: 1 }, ...points];
}

interface Calls {
  readonly threshold: number;
  /** The number of positives among the called samples. */
  readonly found: number;
  /** The number of negatives among the called samples. */
  readonly wrong: number;
}

function callsFromAbove(scores: ArrayLike<number>, labels: BinaryLabels, metric: string) {
  const { order, endsTie, positive } = ranking(scores, labels, metric);
  const counts: Calls[] = [];
  let positives = 0;
  let negatives = 0;
  for (let at = order.length - 1; at >= 0; at -= 1) {
    const sample = order[at]!;
    if (positive[sample] === 1) positives += 1;
    else negatives += 1;
    if (at > 0 && endsTie[at - 1] === 0) continue;
    counts.push({ threshold: scores[sample]!, found: positives, wrong: negatives });
  }
  return { counts, positives, negatives };
}
