import { describe, expect, it } from 'vitest';
import { linearProbe } from '../../../src/evaluation/probes/linearProbe.js';
import { featureRows, takeRows } from '../../../src/metrics/features/features.js';
import { Random } from '../../../src/tensor/random.js';
import { probes, relativeError, rows } from '../../golden/probes.js';

const { x, labels, columns, ...options } = probes.linearProbe;
const train = rows(x, columns);
const { classes, seed, epochs, batchSize, milestones } = options;

describe('linearProbe (hu-linear)', () => {
  for (const milestoneUnit of ['epoch', 'iteration'] as const) {
    it(`equals float64 PyTorch, milestones counted in ${milestoneUnit}s, the last batch smaller`, () => {
      const golden = probes.linearProbe[milestoneUnit];
      const found = linearProbe(train, labels, takeRows(train, [0, 1]), {
        classes,
        seed,
        epochs,
        batchSize,
        milestones,
        milestoneUnit,
      });
      expect(relativeError(found.weights, golden.weights)).toBeLessThan(1e-10);
      expect(relativeError(found.bias, golden.bias)).toBeLessThan(1e-10);
      expect(relativeError(found.probabilities, golden.probabilities)).toBeLessThan(1e-10);
      expect(found.losses.at(-1)).toBeCloseTo(golden.lastLoss, 10);
      expect(found.losses.length).toBe(epochs);
    });
  }

  it('starts from W ~ N(0, 0.01) and b = 0, with 50 epochs at 0.03 and milestones in epochs by default', () => {
    const untrained = linearProbe(train, labels, train, { classes, seed, epochs: 0 });
    const draws = new Random(seed, 'hu-linear', 'init');
    expect([...untrained.weights]).toEqual(Array.from(untrained.weights, () => draws.normal(0, 0.01)));
    expect([...untrained.bias]).toEqual([0, 0, 0]);
    const { data, rows: n } = train;
    const many = featureRows(
      Float64Array.from({ length: 8 * data.length }, (_, i) => data[i % data.length]!),
      8 * n,
      columns,
    );
    const manyLabels = Array.from({ length: 8 * n }, (_, i) => labels[i % n]!); // 184 rows: two batches
    const defaults = linearProbe(many, manyLabels, train, { classes });
    const spelled = linearProbe(many, manyLabels, train, {
      classes,
      epochs: 50,
      batchSize: 128,
      learningRate: 0.03,
      milestones: [10, 30, 50, 70],
      milestoneUnit: 'epoch',
      seed: 0,
    });
    expect(defaults).toEqual(spelled);
  });

  it('measures the scale of features, unlike the logistic probe', () => {
    const smaller = { ...train, data: train.data.map((v) => v / 100) };
    const full = linearProbe(train, labels, train, { classes }).losses.at(-1)!;
    const faint = linearProbe(smaller, labels, smaller, { classes }).losses.at(-1)!;
    expect(faint).toBeGreaterThan(full + 0.1);
  });

  it('names the argument that does not fit', () => {
    expect(() => linearProbe(train, labels, train)).toThrow('expected a class from 0 to 1');
    expect(() => linearProbe(train, labels, train, { classes, batchSize: 0 })).toThrow('batchSize is 0');
  });
});
