import { describe, expect, it } from 'vitest';
import { type Features, featureRows, takeRows, unitRows } from '../../../src/metrics/features/features.js';
import {
  alignment,
  featureDeviation,
  neighbourProbabilities,
  retrievalAtOne,
  uniformity,
} from '../../../src/metrics/features/neighbours.js';
import { Random } from '../../../src/tensor/random.js';
import { probes, relativeError, rows } from '../../golden/probes.js';

const golden = probes.neighbours;
const a = rows(golden.a, 5);
const b = rows(golden.b, 5);

function gaussian(n: number, d: number, seed = 0): Features {
  const random = new Random(seed, 'features');
  return featureRows(
    Float32Array.from({ length: n * d }, () => random.normal()),
    n,
    d,
  );
}

describe('neighbourProbabilities', () => {
  it('equals the formula in numpy', () => {
    const { k, temperature, labels, probabilities } = golden;
    const found = neighbourProbabilities(a, labels, b, { k, temperature, classes: 3 });
    expect(relativeError(found, probabilities)).toBeLessThan(1e-10);
  });

  it('picks the neighbours that a full sort picks, equal ones in their order', () => {
    const random = new Random(4);
    // Corners of a cube: many similarities are exactly equal.
    const corners = featureRows(
      Float32Array.from({ length: 60 * 4 }, () => 2 * random.below(2) - 1),
      60,
      4,
    );
    const k = 7;
    // One class a row, so the votes tell which rows were taken.
    const own = Array.from({ length: 60 }, (_, i) => i);
    const found = neighbourProbabilities(corners, own, corners, { k, classes: 60 });
    for (let i = 0; i < 60; i += 1) {
      const similarity = own.map((j) => {
        let sum = 0;
        for (let c = 0; c < 4; c += 1) sum += corners.data[i * 4 + c]! * corners.data[j * 4 + c]!;
        return sum;
      });
      const expected = own.toSorted((p, q) => similarity[q]! - similarity[p]! || p - q).slice(0, k);
      const taken = own.filter((j) => found[i * 60 + j]! > 0);
      expect(taken).toEqual(expected.toSorted((p, q) => p - q));
    }
  });

  it('does not overflow at a small temperature and ignores the length of rows', () => {
    const long = featureRows(
      a.data.map((v) => 1000 * v),
      a.rows,
      a.columns,
    );
    const found = neighbourProbabilities(long, golden.labels, a, { k: 3, temperature: 1e-4, classes: 3 });
    const expected = golden.labels.flatMap((label) => [0, 1, 2].map((c) => (c === label ? 1 : 0)));
    expect(relativeError(found, expected)).toBeLessThan(1e-6);
  });

  it('names what does not fit', () => {
    expect(() => neighbourProbabilities(a, golden.labels, b, { k: 12, classes: 3 })).toThrow(
      'k is 12; expected 1 to 11',
    );
    expect(() => neighbourProbabilities(a, golden.labels, b, { k: 3 })).toThrow(
      'expected a class from 0 to 1',
    );
    expect(() => neighbourProbabilities(a, [0], b)).toThrow('11 rows but 1 labels');
    expect(() => neighbourProbabilities(a, golden.labels, rows([1, 2], 2))).toThrow('5 and 2 columns');
  });
});

describe('retrievalAtOne', () => {
  it('equals torch in both directions', () => {
    expect(golden.aToB).not.toBe(golden.bToA); // or a swap would not show
    const { aToB, bToA } = retrievalAtOne(a, b);
    expect(aToB).toBeCloseTo(golden.aToB, 12);
    expect(bToA).toBeCloseTo(golden.bToA, 12);
  });

  it('is 1 for partners that are alike and 1/n for collapsed rows', () => {
    const x = gaussian(13, 6);
    expect(retrievalAtOne(x, x)).toEqual({ aToB: 1, bToA: 1 });
    const collapsed = featureRows(new Float32Array(8 * 6).fill(0.3), 8, 6);
    expect(retrievalAtOne(collapsed, collapsed)).toEqual({ aToB: 1 / 8, bToA: 1 / 8 });
  });
});

describe('alignment, uniformity and deviation', () => {
  it('equal torch', () => {
    expect(alignment(a, b)).toBeCloseTo(golden.alignment, 12);
    expect(uniformity(a)).toBeCloseTo(golden.uniformity, 12);
    expect(featureDeviation(a)).toBeCloseTo(golden.deviation, 12);
  });

  it('are 2, near −2t and 1/√d for unrelated isotropic rows', () => {
    const d = 400;
    expect(alignment(gaussian(200, d, 1), gaussian(200, d, 2))).toBeCloseTo(2, 1);
    expect(uniformity(gaussian(200, d, 1))).toBeCloseTo(-4, 1);
    expect(featureDeviation(gaussian(200, d, 1)) * Math.sqrt(d)).toBeCloseTo(1, 1.5);
  });

  it('are 0 for collapsed rows', () => {
    const collapsed = featureRows(new Float32Array(9 * 7).fill(0.1), 9, 7);
    expect(alignment(collapsed, collapsed)).toBe(0);
    expect(uniformity(collapsed)).toBeCloseTo(0, 12);
    expect(featureDeviation(collapsed)).toBeLessThan(1e-15);
  });

  it('stay finite with a zero row', () => {
    const withZero = featureRows(new Float64Array([0, 0, 3, 4]), 2, 2);
    expect(uniformity(withZero)).toBeCloseTo(-2, 12); // squared distance 1
    expect(alignment(withZero, rows([1, 0, 3, 4], 2))).toBeCloseTo(0.5, 12);
    expect(alignment(withZero, rows([0, -2, -6, -8], 2), 1)).toBeCloseTo(1.5, 12);
  });

  it('refuse too few rows', () => {
    expect(() => uniformity(rows([1, 2], 2))).toThrow('1 row(s); expected at least 2');
    expect(() => alignment(a, takeRows(b, [0]))).toThrow('11 rows against 1');
  });
});

describe('features', () => {
  it('take rows in the order given and scale them to length 1', () => {
    const x = featureRows(new Float32Array([3, 4, 0, 0, 5, 12]), 3, 2);
    const taken = takeRows(x, [2, 0]);
    expect([...taken.data]).toEqual([5, 12, 3, 4]);
    expect([...unitRows(x).data]).toEqual(
      [0.6000000000000001, 0.8, 0, 0, 5 / 13, 12 / 13].map((v) => expect.closeTo(v, 14)),
    );
    expect([...x.data]).toEqual([3, 4, 0, 0, 5, 12]);
    expect(() => takeRows(x, [3])).toThrow('row 3 of a matrix with 3 rows');
    expect(() => featureRows(new Float32Array(5), 2, 3)).toThrow('5 numbers do not fill 2 rows of 3 columns');
  });
});
