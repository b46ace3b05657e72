import { readFileSync } from 'node:fs';
import { type Features, featureRows } from '../../src/metrics/features/features.js';

/** What tests/golden/probes.py writes. */
interface Probes {
  auc: { scores: number[]; labels: number[]; auc: number }[];
  binary: { probabilities: number[]; labels: number[]; expected: Record<string, number> };
  threeClasses: { probabilities: number[]; labels: number[]; expected: Record<string, number> };
  logistic: Record<'two' | 'three' | 'wide' | 'wideThree', LogisticCase>;
  standardize: { x: number[]; z: number[] };
  ridge: { x: number[]; y: number[]; fits: { lambda: number; weights: number[]; bias: number }[] };
  neighbours: {
    a: number[];
    b: number[];
    labels: number[];
    k: number;
    temperature: number;
    probabilities: number[];
    aToB: number;
    bToA: number;
    alignment: number;
    uniformity: number;
    deviation: number;
  };
  linearProbe: {
    x: number[];
    labels: number[];
    rows: number;
    columns: number;
    classes: number;
    seed: number;
    epochs: number;
    batchSize: number;
    milestones: number[];
    epoch: ProbeRun;
    iteration: ProbeRun;
  };
}

interface LogisticCase {
  rows: number;
  columns: number;
  classes: number;
  x: number[];
  labels: number[];
  fits: { C: number; weights: number[]; bias: number[] }[];
  test: number[];
  /** For the last C of `fits`. */
  probabilities: number[];
}

interface ProbeRun {
  weights: number[];
  bias: number[];
  lastLoss: number;
  probabilities: number[];
}

export const probes: Probes = JSON.parse(readFileSync(new URL('./probes.json', import.meta.url), 'utf8'));

/** Row-major features from stored numbers. */
export function rows(data: readonly number[], columns: number): Features {
  return featureRows(Float64Array.from(data), data.length / columns, columns);
}

/** max|Δ| / max|reference|, the error golden tests bound. */
export function relativeError(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (actual.length !== reference.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < reference.length; i += 1) {
    const delta = Math.abs(actual[i]! - reference[i]!);
    if (Number.isNaN(delta)) return Number.NaN; // fails every bound
    difference = Math.max(difference, delta);
    size = Math.max(size, Math.abs(reference[i]!));
  }
  return difference / size;
}
