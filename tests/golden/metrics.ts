import { readFileSync } from 'node:fs';

type Values = Record<string, number>;

/** What tests/golden/metrics.py writes. */
interface MetricsGolden {
  binary: {
    labels: number[];
    probabilities: number[];
    weights: number[];
    plain: Values;
    weighted: Values;
    roc: { fpr: number[]; tpr: number[]; thresholds: number[] };
    pr: { precision: number[]; recall: number[]; thresholds: number[] };
    diagrams: Record<
      'equal-width' | 'equal-mass',
      { observed: number[]; predicted: number[]; error: number }
    >;
  }[];
  threeClasses: {
    labels: number[];
    probabilities: number[];
    weights: number[];
    plain: Values;
    weighted: Values;
  };
  ranks: { x: number[]; y: number[]; rho: number }[];
  normal: { z: number[]; tail: number[]; confidences: number[]; halfWidths: number[] };
  holm: { p: number[]; adjusted: number[] };
  twoScores: { labels: number[]; first: number[]; second: number[] }[];
}

/** What tests/golden/delong.R writes: pROC on `twoScores`. */
interface DeLongGolden {
  cases: {
    areas: [number, number];
    variances: [number, number];
    covariance: number;
    interval: [number, number];
    difference: [number, number];
    z: number;
    p: number;
  }[];
}

const read = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));

export const metricsGolden: MetricsGolden = read('./metrics.json');
export const deLongGolden: DeLongGolden = read('./delong.json');
