/** Rules that turn the probability of a class into a call. */
import { type RocPoint, rocCurve } from './areas/curves.js';

export type ThresholdRule =
  /** Above one half. */
  | { readonly kind: 'half' }
  /** Where sensitivity + specificity is largest (Youden 1950); of equal ones the more specific. */
  | { readonly kind: 'youden' }
  /** The most specific threshold that is at least this sensitive. */
  | { readonly kind: 'sensitivity'; readonly least: number }
  /** The most sensitive threshold that is at least this specific. */
  | { readonly kind: 'specificity'; readonly least: number };

export interface ChosenThreshold {
  /** A sample is called positive where its probability is above it. */
  readonly threshold: number;
  /** On the samples by which it was chosen, so a little high. */
  readonly sensitivity: number;
  readonly specificity: number;
}

/**
 * Chooses a threshold. It lies halfway between two scores, so that rounding changes no call.
 *
 * @param probabilities [n] of the positive class, of samples that the model has not learned from
 * @param labels [n] 0 or 1, both present
 */
export function chooseThreshold(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  rule: ThresholdRule,
): ChosenThreshold {
  const curve = rocCurve(probabilities, labels);
  if (curve.length === 0) throw new RangeError('threshold: expected samples of both classes');
  const at = rule.kind === 'half' ? lastAbove(curve, 0.5) : chosenPoint(curve, rule);
  const { threshold, truePositiveRate, falsePositiveRate } = curve[at]!;
  return {
    threshold: rule.kind === 'half' ? 0.5 : between(threshold, curve[at + 1]?.threshold),
    sensitivity: truePositiveRate,
    specificity: 1 - falsePositiveRate,
  };
}

function chosenPoint(curve: readonly RocPoint[], rule: Exclude<ThresholdRule, { kind: 'half' }>): number {
  // Sensitivity rises and specificity falls along the curve.
  switch (rule.kind) {
    case 'sensitivity':
      return curve.findIndex(({ truePositiveRate }) => truePositiveRate >= rule.least);
    case 'specificity':
      return curve.findLastIndex(({ falsePositiveRate }) => 1 - falsePositiveRate >= rule.least);
    case 'youden': {
      const gains = curve.map((point) => point.truePositiveRate - point.falsePositiveRate);
      // Equal sums may differ by rounding.
      const most = gains.reduce((a, b) => Math.max(a, b)) - 1e-12;
      return gains.findIndex((gain) => gain >= most);
    }
  }
}

/** The last point whose samples all score above the value. */
function lastAbove(curve: readonly RocPoint[], value: number): number {
  return curve.findLastIndex(({ threshold }) => threshold > value);
}

function between(called: number, next: number | undefined): number {
  if (called === Number.POSITIVE_INFINITY) return next === undefined ? 1 : (1 + next) / 2;
  return next === undefined ? called / 2 : (called + next) / 2;
}
