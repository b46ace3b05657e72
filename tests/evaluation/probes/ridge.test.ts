import { describe, expect, it } from 'vitest';
import { choleskySolve } from '../../../src/evaluation/probes/cholesky.js';
import { ridgeBaseline } from '../../../src/evaluation/probes/ridge.js';
import { rocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { featureRows, takeRows } from '../../../src/metrics/features/features.js';
import { Random } from '../../../src/tensor/random.js';
import { probes, relativeError, rows } from '../../golden/probes.js';

describe('choleskySolve', () => {
  it('solves a random positive definite system', () => {
    const random = new Random(1);
    const d = 13;
    const root = Float64Array.from({ length: d * d }, () => random.normal());
    const s = new Float64Array(d * d);
    for (let i = 0; i < d; i += 1) {
      for (let j = 0; j < d; j += 1) {
        for (let k = 0; k < d; k += 1) s[i * d + j]! += root[i * d + k]! * root[j * d + k]!;
      }
    }
    const x = Float64Array.from({ length: d }, () => random.normal());
    const b = x.map((_, i) => x.reduce((sum, v, j) => sum + s[i * d + j]! * v, 0));
    expect(relativeError(choleskySolve(s, b), x)).toBeLessThan(1e-9);
  });

  it('refuses an indefinite matrix', () => {
    expect(() => choleskySolve(new Float64Array([1, 2, 2, 1]), new Float64Array(2))).toThrow('pivot 1 is -3');
  });
});

describe('ridgeBaseline', () => {
  const [n, d] = [240, 144];
  const random = new Random(12);
  const labels = Array.from({ length: n }, () => random.below(2));
  // Positive thumbnails are brighter in one corner; the last column is a constant border.
  const pixels = Float32Array.from({ length: n * d }, (_, at) => {
    const [i, j] = [Math.floor(at / d), at % d];
    if (j === d - 1) return 0.5;
    return 0.5 + 0.1 * random.normal() + (j < 20 ? 0.05 * labels[i]! : 0);
  });
  const x = featureRows(pixels, n, d);
  const train = takeRows(
    x,
    Array.from({ length: 160 }, (_, i) => i),
  );
  const test = takeRows(
    x,
    Array.from({ length: 80 }, (_, i) => 160 + i),
  );
  const trainLabels = labels.slice(0, 160);
  const folds = trainLabels.map((_, i) => i % 5);

  it('solves the same equations where there are more columns than rows', () => {
    const [few, many] = [14, 40];
    const wide = featureRows(
      Float32Array.from({ length: few * many }, () => random.normal()),
      few,
      many,
    );
    const own = Array.from({ length: few }, (_, i) => i % 2);
    const { model } = ridgeBaseline(
      wide,
      own,
      wide,
      own.map((_, i) => i % 3),
      { grid: [0.1] },
    );
    const column = (j: number) => Array.from({ length: few }, (_, i) => wide.data[i * many + j]!);
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const residuals = own.map(
      (label, i) =>
        2 * label -
        1 -
        model.bias -
        model.weights.reduce((sum, w, j) => sum + w * wide.data[i * many + j]!, 0),
    );
    // X̃ᵀ(ỹ − X̃w) = λw, and the residuals have the mean 0.
    for (const [j, weight] of model.weights.entries()) {
      const centred = column(j).map((value) => value - mean(column(j)));
      const gradient = centred.reduce((sum, value, i) => sum + value * residuals[i]!, 0);
      expect(Math.abs(gradient - model.lambda * weight)).toBeLessThan(1e-12);
    }
    expect(Math.abs(mean(residuals))).toBeLessThan(1e-14);
  });

  it('equals scikit-learn for a given λ', () => {
    const x = rows(probes.ridge.x, 5);
    const own = probes.ridge.y.map((target) => (target + 1) / 2);
    const means = Array.from(
      { length: 5 },
      (_, j) => probes.ridge.x.reduce((sum, v, at) => sum + (at % 5 === j ? v : 0), 0) / 20,
    );
    const variation = probes.ridge.x.reduce((sum, v, at) => sum + (v - means[at % 5]!) ** 2, 0);
    for (const { lambda, weights, bias } of probes.ridge.fits) {
      const grid = [lambda / (variation / 5)];
      const inner = own.map((_, i) => i % 4);
      const { model, scores } = ridgeBaseline(x, own, takeRows(x, [0]), inner, { grid });
      expect(model.lambda / lambda).toBeCloseTo(1, 12);
      expect(relativeError(model.weights, weights)).toBeLessThan(1e-11);
      expect(model.bias).toBeCloseTo(bias, 11);
      expect(scores[0]).toBeCloseTo(bias + weights.reduce((sum, w, j) => sum + w * x.data[j]!, 0), 11);
    }
  });

  it('finds what the brightness says, more than a hardly regularised fit does', () => {
    const { scores } = ridgeBaseline(train, trainLabels, test, folds);
    const bare = ridgeBaseline(train, trainLabels, test, folds, { grid: [1e-6] });
    const auc = rocAuc(scores, labels.slice(160));
    expect(auc).toBeGreaterThan(0.8);
    expect(auc).toBeGreaterThan(rocAuc(bare.scores, labels.slice(160)));
  });

  it('ranks alike in any unit of the pixels', () => {
    const in255 = (part: typeof train) => ({ ...part, data: part.data.map((v) => 255 * v) });
    const unit = ridgeBaseline(train, trainLabels, test, folds);
    const bytes = ridgeBaseline(in255(train), trainLabels, in255(test), folds);
    expect(relativeError(bytes.scores, unit.scores)).toBeLessThan(1e-4);
    expect(bytes.model.lambda / unit.model.lambda).toBeCloseTo(255 * 255, -1);
  });

  it('chooses the λ with the least held-out squared error', () => {
    const error = (relative: number): number => {
      let sum = 0;
      for (let fold = 0; fold < 5; fold += 1) {
        const fit = Array.from(folds.keys()).filter((i) => folds[i] !== fold);
        const judge = Array.from(folds.keys()).filter((i) => folds[i] === fold);
        const own = ridgeBaseline(
          takeRows(train, fit),
          fit.map((i) => trainLabels[i]!),
          takeRows(train, judge),
          fit.map((_, i) => i % 2),
          { grid: [relative] },
        );
        for (const [row, i] of judge.entries()) sum += (own.scores[row]! - (2 * trainLabels[i]! - 1)) ** 2;
      }
      return sum;
    };
    const grid = [1e-3, 1e-1, 1, 10, 1000];
    const best = grid.toSorted((a, b) => error(a) - error(b))[0]!;
    const chosen = ridgeBaseline(train, trainLabels, test, folds, { grid });
    const alone = ridgeBaseline(train, trainLabels, test, folds, { grid: [best] });
    expect(chosen.model.lambda).toBe(alone.model.lambda);
  });

  it('takes the larger of equally good λ, and survives pixels that are all the same', () => {
    const blank = featureRows(new Float32Array(12 * 3).fill(0.5), 12, 3);
    const own = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1];
    const { model, scores } = ridgeBaseline(
      blank,
      own,
      blank,
      own.map((_, i) => i % 3),
      { grid: [1, 10, 0.1] },
    );
    expect(model.lambda).toBe(10);
    expect(scores[0]).toBeCloseTo(7 / 6 - 1, 12); // the mean of the targets
  });

  it('names the argument that does not fit', () => {
    expect(() => ridgeBaseline(train, trainLabels, test, [0, 1])).toThrow('160 rows but 2 fold numbers');
    expect(() =>
      ridgeBaseline(
        train,
        trainLabels.map((v) => 2 * v),
        test,
        folds,
      ),
    ).toThrow('expected 0 or 1');
    const narrow = featureRows(new Float32Array(80), 80, 1);
    expect(() => ridgeBaseline(train, trainLabels, narrow, folds)).toThrow('1 columns, but fitted on 144');
    expect(() => ridgeBaseline(train, trainLabels.slice(1), test, folds)).toThrow(RangeError);
  });
});
