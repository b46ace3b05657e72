import { describe, expect, it } from 'vitest';
import { predictProbabilities } from '../../../src/evaluation/probes/linearClassifier.js';
import { chooseC, logisticProbe } from '../../../src/evaluation/probes/logisticProbe.js';
import { fitLogistic } from '../../../src/evaluation/probes/logisticRegression.js';
import { fitStandardizer, standardize } from '../../../src/evaluation/probes/standardize.js';
import { classColumn, rocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { type Features, featureRows, takeRows } from '../../../src/metrics/features/features.js';
import { Random } from '../../../src/tensor/random.js';
import { probes, relativeError, rows } from '../../golden/probes.js';

/** Draws features whose first `informative` columns shift with the label, on scales from 1 to 100. */
function cohort(n: number, d: number, informative: number, seed: number) {
  const random = new Random(seed, 'cohort');
  const labels = Array.from({ length: n }, () => random.below(2));
  const data = Float32Array.from({ length: n * d }, (_, at) => {
    const column = at % d;
    const shift = column < informative ? 0.8 * labels[Math.floor(at / d)]! : 0;
    return (shift + random.normal()) * 10 ** (column % 3);
  });
  return { features: featureRows(data, n, d), labels };
}

function split(features: Features, labels: readonly number[], at: number) {
  const first = Array.from({ length: at }, (_, i) => i);
  const rest = Array.from({ length: features.rows - at }, (_, i) => at + i);
  return {
    train: takeRows(features, first),
    trainLabels: labels.slice(0, at),
    test: takeRows(features, rest),
    testLabels: labels.slice(at),
  };
}

describe('standardize', () => {
  it('equals scikit-learn, and a constant column becomes 0', () => {
    const x = rows(probes.standardize.x, 4);
    const z = standardize(x, fitStandardizer(x));
    expect(relativeError(z.data, probes.standardize.z)).toBeLessThan(1e-12);
  });

  it('takes single-precision rounding for a constant and applies the training fold’s numbers to others', () => {
    const train = featureRows(new Float32Array([1, 1000, 3, 1000.00006]), 2, 2);
    const fitted = fitStandardizer(train);
    expect([...standardize(train, fitted).data]).toEqual([-1, -0, 1, 0]);
    expect([...standardize(rows([5, 2000], 2), fitted).data]).toEqual([3, 0]);
    expect(() => standardize(rows([1, 2, 3], 3), fitted)).toThrow('3 columns, but fitted on 2');
  });
});

describe('chooseC', () => {
  it('reports the held-out log-loss of fits made one by one', () => {
    const { features, labels } = cohort(60, 5, 2, 1);
    const folds = labels.map((_, i) => i % 3);
    const grid = [0.01, 10];
    const { logLoss, C } = chooseC(features, labels, folds, { grid });
    const expected = grid.map((c) => {
      let loss = 0;
      for (let fold = 0; fold < 3; fold += 1) {
        const fit = Array.from(labels.keys()).filter((i) => folds[i] !== fold);
        const judge = Array.from(labels.keys()).filter((i) => folds[i] === fold);
        const standardizer = fitStandardizer(takeRows(features, fit));
        const model = fitLogistic(
          standardize(takeRows(features, fit), standardizer),
          fit.map((i) => labels[i]!),
          c,
        );
        const p = predictProbabilities(model, standardize(takeRows(features, judge), standardizer));
        for (const [row, i] of judge.entries()) loss -= Math.log(p[2 * row + labels[i]!]!);
      }
      return loss / 60;
    });
    expect(relativeError(logLoss, expected)).toBeLessThan(1e-3);
    expect(C).toBe(expected[0]! < expected[1]! ? 0.01 : 10);
  });

  it('regularises noise strongly and signal little', () => {
    const noise = cohort(200, 100, 0, 3);
    const signal = cohort(600, 3, 3, 3);
    const ofNoise = chooseC(
      noise.features,
      noise.labels,
      noise.labels.map((_, i) => i % 5),
    );
    const ofSignal = chooseC(
      signal.features,
      signal.labels,
      signal.labels.map((_, i) => i % 5),
    );
    expect(ofNoise.C).toBeLessThanOrEqual(1e-3);
    expect(ofSignal.C).toBeGreaterThanOrEqual(1e-2);
  });

  it('ends the search when the loss has risen twice, with the same choice as the whole grid', () => {
    const { features, labels } = cohort(120, 60, 3, 8);
    const folds = labels.map((_, i) => i % 5);
    const grid = [10, 1e-4, 1e-3, 1e-2, 1e-1, 1];
    const { C, logLoss, heldOut } = chooseC(features, labels, folds, { grid });
    const alone = grid.map((c) => chooseC(features, labels, folds, { grid: [c] }));
    const all = alone.map(({ logLoss: [loss] }) => loss!);
    const best = all.indexOf(Math.min(...all));
    expect(C).toBe(grid[best]);
    expect(C).toBeLessThan(0.1); // so that two larger values end the walk before the last
    expect(logLoss[0]).toBeNaN();
    for (const [g, loss] of logLoss.entries()) {
      if (!Number.isNaN(loss)) expect(Math.abs(loss - all[g]!)).toBeLessThan(1e-3);
    }
    // Held-out samples are predicted by fits that have not seen them, the same as by the chosen C alone.
    expect(relativeError(heldOut, alone[best]!.heldOut)).toBeLessThan(1e-2);
    const loss = labels.reduce((sum, label, i) => sum - Math.log(heldOut[2 * i + label]!), 0) / 120;
    expect(loss).toBeCloseTo(logLoss[best]!, 12);
  });

  it('takes the smaller of equally good C, whatever the order of the grid', () => {
    const constant = featureRows(new Float32Array(12 * 2).fill(1), 12, 2);
    const labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
    const folds = labels.map((_, i) => (i < 6 ? 0 : 1));
    expect(chooseC(constant, labels, folds, { grid: [1, 0.1, 10] }).C).toBe(0.1);
  });

  it('survives an inner fold that lacks a class', () => {
    const { features } = cohort(12, 2, 1, 4);
    const labels = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const folds = labels.map((label) => (label === 1 ? 0 : 1));
    const tried = chooseC(features, labels, folds).logLoss.filter((loss) => !Number.isNaN(loss));
    expect(tried.length).toBeGreaterThan(1);
    for (const loss of tried) expect(Number.isFinite(loss)).toBe(true);
  });

  it('gives a finite loss to a prediction that is certain and wrong', () => {
    const x = rows([-1, -1.1, 1, 1.2, 1e6, -1e6], 1);
    const { logLoss } = chooseC(x, [0, 0, 1, 1, 0, 1], [0, 0, 0, 0, 1, 1], { grid: [1] });
    expect(logLoss[0]).toBeGreaterThan(100);
    expect(logLoss[0]).toBeLessThan(1000);
  });

  it('names the argument that does not fit', () => {
    const { features, labels } = cohort(6, 2, 1, 5);
    expect(() => chooseC(features, labels, [0, 1])).toThrow('6 rows, 6 labels and 2 fold numbers');
    expect(() => chooseC(features, labels, [0, 0, 0, 0, 0, 0])).toThrow(
      '1 fold(s) given; expected at least 2',
    );
    expect(() => chooseC(features, labels, [0, 1, 0, 1, 0, 1], { grid: [] })).toThrow('grid of C is empty');
  });
});

describe('logisticProbe', () => {
  const { features, labels } = cohort(300, 40, 6, 6);
  const { train, trainLabels, test, testLabels } = split(features, labels, 200);
  const folds = trainLabels.map((_, i) => i % 5);

  it('predicts unseen rows', () => {
    const { probabilities, chosen, model } = logisticProbe(train, trainLabels, test, folds);
    expect(model.C).toBe(chosen!.C);
    // Six columns 0.8 apart: the best there is has AUC Φ(0.8·√6/√2) = 0.917.
    expect(rocAuc(classColumn(probabilities, 2, 1), testLabels)).toBeGreaterThan(0.8);
  });

  it('does not depend on the scale or the offset of columns', () => {
    const moved = (x: Features): Features => ({
      ...x,
      data: Float64Array.from(x.data, (v, at) => v * (1 + (at % 40)) + 5 * (at % 40)),
    });
    const plain = logisticProbe(train, trainLabels, test, folds, { tolerance: 1e-9 });
    const scaled = logisticProbe(moved(train), trainLabels, moved(test), folds, { tolerance: 1e-9 });
    expect(relativeError(scaled.probabilities, plain.probabilities)).toBeLessThan(1e-6);
  });

  it('never lets test rows move the fit', () => {
    const all = logisticProbe(train, trainLabels, test, 0.01);
    const one = logisticProbe(train, trainLabels, takeRows(test, [7]), 0.01);
    expect([...one.probabilities]).toEqual([...all.probabilities.slice(14, 16)]);
    expect(all.chosen).toBeUndefined();
  });
});
