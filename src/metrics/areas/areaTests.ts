/** Intervals and tests of areas under the ROC curve, made from their variance; see `deLong.ts`. */
import {
  type AreaComponents,
  areaComponents,
  clusteredCovariance,
  deLongCovariance,
  requireOneEach,
  subtract,
} from './deLong.js';
import { normalHalfWidth, twoSidedP } from './normal.js';
import type { BinaryLabels } from './ranking.js';

export interface AreaInterval {
  readonly value: number;
  readonly standardError: number;
  readonly low: number;
  readonly high: number;
}

export interface AreaEstimate extends AreaInterval {
  /**
   * The interval made on the logit scale, which stays within 0 … 1 and fits high areas better. NaN at an area of 0 or
   * 1.
   */
  readonly logit: { readonly low: number; readonly high: number };
}

export interface AreaDifference extends AreaInterval {
  /** The two-sided p-value. It is 1 where both sides agree in every placement. */
  readonly pValue: number;
}

export interface ConfidenceOptions {
  readonly confidence?: number;
}

/**
 * Computes an area with DeLong's interval.
 *
 * @param subjects [n] the subject of each sample; it guards against samples that are not independent
 * @throws RangeError when a subject has several samples; see {@link clusteredArea}
 */
export function deLongArea(
  scores: ArrayLike<number>,
  labels: BinaryLabels,
  subjects: ArrayLike<string | number>,
  options: ConfidenceOptions = {},
): AreaEstimate {
  requireIndependent(subjects, scores.length, 'clusteredArea');
  const area = areaComponents(scores, labels);
  return estimate(area.area, deLongCovariance(area, area), options);
}

/**
 * Tests the difference `first − second` of two areas on the same samples, as DeLong does.
 *
 * @throws RangeError when a subject has several samples; see {@link clusteredDifference}
 */
export function deLongDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  labels: BinaryLabels,
  subjects: ArrayLike<string | number>,
  options: ConfidenceOptions = {},
): AreaDifference {
  requireIndependent(subjects, first.length, 'clusteredDifference');
  const difference = subtract(areaComponents(first, labels), areaComponents(second, labels));
  return tested(difference.area, deLongCovariance(difference, difference), options);
}

/** Computes an area with its interval where subjects have several samples. */
export function clusteredArea(
  scores: ArrayLike<number>,
  labels: BinaryLabels,
  subjects: ArrayLike<string | number>,
  options: ConfidenceOptions = {},
): AreaEstimate {
  const area = areaComponents(scores, labels);
  return estimate(area.area, clusteredCovariance(area, area, subjects), options);
}

/** Tests as {@link deLongDifference} does, where subjects have several samples. */
export function clusteredDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  labels: BinaryLabels,
  subjects: ArrayLike<string | number>,
  options: ConfidenceOptions = {},
): AreaDifference {
  return clusteredTest(
    subtract(areaComponents(first, labels), areaComponents(second, labels)),
    subjects,
    options,
  );
}

/**
 * Tests any difference of areas, as `combineAreas` makes it, where subjects have several samples. The normal
 * approximation needs some twenty subjects of each class; with fewer its intervals are too narrow.
 */
export function clusteredTest(
  difference: AreaComponents,
  subjects: ArrayLike<string | number>,
  options: ConfidenceOptions = {},
): AreaDifference {
  return tested(difference.area, clusteredCovariance(difference, difference, subjects), options);
}

function interval(value: number, variance: number, { confidence = 0.95 }: ConfidenceOptions): AreaInterval {
  const standardError = Math.sqrt(variance);
  const half = normalHalfWidth(confidence) * standardError;
  return { value, standardError, low: value - half, high: value + half };
}

function estimate(value: number, variance: number, options: ConfidenceOptions): AreaEstimate {
  const linear = interval(value, variance, options);
  const onLogits = interval(Math.log(value / (1 - value)), variance / (value * (1 - value)) ** 2, options);
  const [low, high] = [onLogits.low, onLogits.high].map((logit) => 1 / (1 + Math.exp(-logit)));
  return { ...linear, logit: { low: low!, high: high! } };
}

function tested(value: number, variance: number, options: ConfidenceOptions): AreaDifference {
  const found = interval(value, variance, options);
  // Two scores that rank all samples alike give 0/0, which is no difference. Any other difference without variance has
  // no test.
  if (variance === 0) return { ...found, pValue: value === 0 ? 1 : Number.NaN };
  return { ...found, pValue: twoSidedP(value / found.standardError) };
}

function requireIndependent(subjects: ArrayLike<string | number>, samples: number, clustered: string): void {
  requireOneEach(subjects, samples);
  const seen = new Set<string | number>();
  for (let i = 0; i < samples; i += 1) {
    if (seen.has(subjects[i]!)) {
      throw new RangeError(
        `DeLong: subject ${subjects[i]} has several samples, which are not independent; use ${clustered}`,
      );
    }
    seen.add(subjects[i]!);
  }
}
