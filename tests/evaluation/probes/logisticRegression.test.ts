import { describe, expect, it } from 'vitest';
import { predictProbabilities } from '../../../src/evaluation/probes/linearClassifier.js';
import {
  fitLogistic,
  logisticObjective,
  logisticPath,
} from '../../../src/evaluation/probes/logisticRegression.js';
import { rowSpace } from '../../../src/evaluation/probes/rowSpace.js';
import { featureRows } from '../../../src/metrics/features/features.js';
import { logisticLoss } from '../../../src/tensor/logistic.js';
import { Random } from '../../../src/tensor/random.js';
import { probes, relativeError, rows } from '../../golden/probes.js';

/** The softmax's intercepts are free up to a constant. */
function centred(values: ArrayLike<number>): number[] {
  const list = Array.from(values);
  const mean = list.length > 1 ? list.reduce((a, b) => a + b) / list.length : 0;
  return list.map((v) => v - mean);
}

describe('fitLogistic', () => {
  for (const [name, golden] of Object.entries(probes.logistic)) {
    it(`equals scikit-learn's coefficients: ${name} (${golden.rows}×${golden.columns})`, () => {
      const x = rows(golden.x, golden.columns);
      const options = { classes: golden.classes, tolerance: 1e-11 };
      const fitted = logisticPath(x, golden.labels, golden.fits.length, options);
      const path = golden.fits.map((fit) => fitted(fit.C));
      for (const [i, fit] of golden.fits.entries()) {
        for (const model of [path[i]!, fitLogistic(x, golden.labels, fit.C, options)]) {
          expect(model.C).toBe(fit.C);
          expect(relativeError(model.weights, fit.weights), `C ${fit.C}`).toBeLessThan(1e-6);
          expect(relativeError(centred(model.bias), centred(fit.bias)), `C ${fit.C}`).toBeLessThan(1e-6);
        }
      }
      const found = predictProbabilities(path.at(-1)!, rows(golden.test, golden.columns));
      expect(relativeError(found, golden.probabilities)).toBeLessThan(1e-6);
    });
  }

  it('finds the same minimum from the solution of a larger C', () => {
    const { x, columns, labels, fits } = probes.logistic.two;
    const fitted = logisticPath(rows(x, columns), labels, 2, { tolerance: 1e-11 });
    fitted(100);
    expect(relativeError(fitted(0.01).weights, fits[0]!.weights)).toBeLessThan(1e-6);
  });

  it('fits only the base rate when the features say nothing', () => {
    const model = fitLogistic(featureRows(new Float32Array(8 * 3), 8, 3), [1, 0, 0, 0, 1, 0, 0, 0], 1, {
      tolerance: 1e-12,
    });
    expect([...model.weights]).toEqual([0, 0, 0]);
    expect(model.bias[0]).toBeCloseTo(Math.log(2 / 6), 9);
  });

  it('stays finite on separable data with hardly any regularisation', () => {
    const model = fitLogistic(rows([-2, -1, 1, 2], 1), [0, 0, 1, 1], 1e6);
    expect(model.converged).toBe(true);
    const p = predictProbabilities(model, rows([-1, 1, 1e6, -1e6], 1));
    expect(p[1]).toBeLessThan(0.01);
    expect(p[3]).toBeGreaterThan(0.99);
    expect([...p.slice(4)]).toEqual([0, 1, 1, 0]);
  });

  it('predicts from logits far beyond the range of exp', () => {
    const layer = { classes: 3, weights: new Float64Array([1000, 2000, 1999]), bias: new Float64Array(3) };
    const p = predictProbabilities(layer, rows([1], 1));
    expect([...p]).toEqual([0, 1 / (1 + Math.exp(-1)), 1 / (1 + Math.E)].map((v) => expect.closeTo(v, 12)));
  });

  it('names the argument that does not fit', () => {
    const x = rows([1, 2, 3, 4], 2);
    expect(() => fitLogistic(x, [0], 1)).toThrow('2 rows but 1 labels');
    expect(() => fitLogistic(x, [0, 2], 1)).toThrow('label 1 is 2; expected a class from 0 to 1');
    expect(() => fitLogistic(x, [0, 1], 0)).toThrow('C is 0; expected a positive number');
    const model = fitLogistic(x, [0, 1], 1);
    expect(() => predictProbabilities(model, rows([1, 2, 3], 3))).toThrow(
      '3 feature columns, but fitted on 2',
    );
  });
});

describe('logisticObjective', () => {
  for (const classes of [2, 4]) {
    it(`has the gradient that finite differences give, ${classes} classes`, () => {
      const random = new Random(classes);
      const [n, d] = [11, 9]; // blocks of 8 rows and 4 columns leave a rest of both
      const data = Float64Array.from({ length: n * d }, () => random.normal());
      const x = { data, rows: n, columns: d };
      const labels = Array.from({ length: n }, () => random.below(classes));
      const objective = logisticObjective(x, labels, 0.7, classes);
      const outputs = classes === 2 ? 1 : classes;
      const at = Float64Array.from({ length: outputs * (d + 1) }, () => random.normal());
      const gradient = new Float64Array(at.length);
      objective(at, gradient);
      const ignored = new Float64Array(at.length);
      const differences = at.map((_, i) => {
        const up = objective(
          at.map((v, j) => (i === j ? v + 1e-6 : v)),
          ignored,
        );
        const down = objective(
          at.map((v, j) => (i === j ? v - 1e-6 : v)),
          ignored,
        );
        return (up - down) / 2e-6;
      });
      expect(relativeError(gradient, differences)).toBeLessThan(1e-8);
    });
  }

  it('refuses numbers that do not fit, before it reads them', () => {
    const [x, gradient] = [new Float64Array(4), new Float64Array(3)];
    const lossOf = (labels: number[], parameters: number) =>
      logisticLoss(x, Uint32Array.from(labels), 1, new Float64Array(parameters), gradient);
    expect(() => lossOf([0, 2], 3)).toThrow('a label is not below the number of classes');
    expect(() => lossOf([0, 1], 4)).toThrow('lengths of features, labels and parameters do not fit');
    expect(() => lossOf([0, 1, 1], 3)).toThrow('do not fit');
  });

  it('equals (Σ log-loss + ‖w‖² / 2C) / n', () => {
    const objective = logisticObjective(
      { data: new Float64Array([1, 2, -1, 0.5]), rows: 2, columns: 2 },
      [1, 0],
      0.25,
    );
    const [w1, w2, b] = [0.3, -0.2, 0.1] as const;
    const losses = Math.log1p(Math.exp(-(w1 + 2 * w2 + b))) + Math.log1p(Math.exp(-w1 + 0.5 * w2 + b));
    expect(objective(new Float64Array([w1, w2, b]), new Float64Array(3))).toBeCloseTo(
      (losses + (w1 * w1 + w2 * w2) / 0.5) / 2,
      14,
    );
  });
});

describe('rowSpace', () => {
  const random = new Random(8);
  const [n, d] = [9, 20];
  const data = Float64Array.from({ length: n * d }, () => random.normal());
  data.set(data.subarray(0, d), 4 * d); // row 4 repeats row 0
  for (let j = 0; j < d; j += 1) data[7 * d + j] = data[j]! - 2 * data[d + j]!; // row 7 combines rows 0 and 1
  const x = { data, rows: n, columns: d };
  const { coordinates, back } = rowSpace(x);
  const r = coordinates.columns;
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  const row = (m: { data: Float64Array; columns: number }, i: number) =>
    m.data.subarray(i * m.columns, (i + 1) * m.columns);

  it('finds the rank and keeps every inner product', () => {
    expect(r).toBe(7);
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        expect(dot(row(coordinates, i), row(coordinates, j))).toBeCloseTo(dot(row(x, i), row(x, j)), 11);
      }
    }
  });

  it('brings weights back with the same products and the same norm', () => {
    const v = Float64Array.from({ length: r }, () => random.normal());
    const w = back(v);
    expect(w.length).toBe(d);
    expect(dot(w, w)).toBeCloseTo(dot(v, v), 11);
    for (let i = 0; i < n; i += 1) expect(dot(row(x, i), w)).toBeCloseTo(dot(row(coordinates, i), v), 11);
  });
});
