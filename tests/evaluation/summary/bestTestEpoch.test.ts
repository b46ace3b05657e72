import { expect, test } from 'vitest';
import { bestTestEpoch } from '../../../src/evaluation/summary/bestTestEpoch.js';
import { classificationMetrics } from '../../../src/metrics/metricSet.js';
import { Random } from '../../../src/tensor/random.js';

/** Makes class probabilities from those of class 1. */
const both = (positive: readonly number[]) => Float64Array.from(positive.flatMap((p) => [1 - p, p]));

test('each fold takes the epoch with the largest sum of six test metrics, of equal ones the first', () => {
  const labels = [0, 0, 1, 1];
  const wrong = both([0.9, 0.8, 0.2, 0.1]);
  const half = both([0.1, 0.8, 0.9, 0.2]);
  const right = both([0.1, 0.2, 0.8, 0.9]);
  const found = bestTestEpoch(
    [
      [wrong, right, half],
      [half, wrong, half],
    ],
    [labels, labels],
    2,
  );
  expect(found.epochs).toEqual([2, 1]);
  expect(found.label).toBe('best test epoch, as the paper’s snapshot reports; optimistic');
  expect(Object.keys(found.metrics)).toEqual(['auc', 'accuracy', 'f1', 'precision', 'recall', 'specificity']);
  expect(found.metrics.accuracy).toEqual({ mean: 0.75, folds: [1, 0.5] });
  expect(found.metrics.auc).toEqual({ mean: 0.875, folds: [1, 0.75] });
});

test('the sum of the best epoch is never below that of the last', () => {
  const random = new Random('best test epoch');
  for (let trial = 0; trial < 50; trial += 1) {
    const labels = Array.from({ length: 12 }, (_, i) => i % 2);
    const epochs = Array.from({ length: 6 }, () => both(labels.map(() => random.uniform())));
    const { metrics } = bestTestEpoch([epochs], [labels], 2);
    const last = classificationMetrics(epochs.at(-1)!, labels, { classes: 2 });
    const sum = (value: (name: string) => number) =>
      Object.keys(metrics).reduce((total, name) => total + value(name), 0);
    expect(sum((name) => metrics[name]!.mean)).toBeGreaterThanOrEqual(sum((name) => last[name]!) - 1e-12);
  }
});

test('a fold without one class has no AUC but a best epoch, and more classes are summed by macro metrics', () => {
  const one = bestTestEpoch([[both([0.9, 0.9]), both([0.1, 0.9])]], [[0, 0]], 2);
  expect(one.epochs).toEqual([2]);
  expect(one.metrics.auc!.mean).toBeNaN();
  const three = Float64Array.of(0.8, 0.1, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.8);
  const flat = new Float64Array(9).fill(1 / 3);
  const found = bestTestEpoch([[flat, three]], [[0, 1, 2]], 3);
  expect(found.epochs).toEqual([2]);
  expect(found.metrics.macroAuc).toEqual({ mean: 1, folds: [1] });
});
