import { describe, expect, it } from 'vitest';
import { rocAuc, weightedRocAuc } from '../../src/metrics/areas/rocAuc.js';
import {
  bootstrapDifference,
  bootstrapInterval,
  meanOf,
  meanOverFolds,
  minimumDetectableDifference,
  resampledTable,
} from '../../src/metrics/bootstrap.js';
import { confusion } from '../../src/metrics/classification.js';
import { Random } from '../../src/tensor/random.js';
import { resampledMean } from './resampledMean.js';

function draws(n: number, seed: number): { labels: number[]; scores: (noise: number) => number[] } {
  const random = new Random(seed, 'test');
  const labels = Array.from({ length: n }, () => random.below(2));
  return { labels, scores: (noise) => labels.map((label) => label + random.normal(0, noise)) };
}

describe('bootstrapInterval', () => {
  it('finds the standard error and the normal interval of a mean', () => {
    const random = new Random(1, 'mean');
    const values = Array.from({ length: 200 }, () => random.normal(3, 2));
    const mean = values.reduce((a, b) => a + b) / 200;
    const se = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 200 / 200);
    const found = bootstrapInterval(
      resampledMean(values),
      values.map((_, i) => i),
      { replicates: 8000 },
    );
    expect(found.value).toBeCloseTo(mean, 12);
    expect(found.standardError / se).toBeCloseTo(1, 1.3);
    expect((found.low - mean) / se).toBeCloseTo(-1.96, 1);
    expect((found.high - mean) / se).toBeCloseTo(1.96, 1);
    expect(found.undefinedReplicates).toBe(0);
  });

  it('narrows with the confidence', () => {
    const values = Array.from({ length: 50 }, (_, i) => i);
    const wide = bootstrapInterval(resampledMean(values), values);
    const narrow = bootstrapInterval(resampledMean(values), values, { confidence: 0.5 });
    expect((narrow.high - narrow.low) / (wide.high - wide.low)).toBeCloseTo(0.6745 / 1.96, 1);
  });

  it('draws subjects, so copies of a subject’s image add nothing', () => {
    const { labels, scores } = draws(60, 2);
    const values = scores(1);
    const once = bootstrapInterval(
      weightedRocAuc(values, labels),
      labels.map((_, i) => `p${i}`),
    );
    const four = [0, 1, 2, 3];
    const copied = bootstrapInterval(
      weightedRocAuc(
        values.flatMap((v) => four.map(() => v)),
        labels.flatMap((v) => four.map(() => v)),
      ),
      labels.flatMap((_, i) => four.map(() => `p${i}`)),
    );
    expect(copied.low).toBeCloseTo(once.low, 12);
    expect(copied.high).toBeCloseTo(once.high, 12);
    expect(copied.standardError).toBeCloseTo(once.standardError, 12);
  });

  it('covers the true AUC about as often as it says', () => {
    // Two normals one apart at noise 1: AUC = Φ(1/√2).
    const truth = 0.7602499389;
    let covered = 0;
    for (let seed = 0; seed < 200; seed += 1) {
      const { labels, scores } = draws(120, seed);
      const { low, high } = bootstrapInterval(
        weightedRocAuc(scores(1), labels),
        labels.map((_, i) => i),
        { replicates: 300, seed },
      );
      if (low <= truth && truth <= high) covered += 1;
    }
    expect(covered / 200).toBeGreaterThan(0.89);
    expect(covered / 200).toBeLessThan(0.99);
  });

  it('counts replicates without a value and leaves them out', () => {
    const found = bootstrapInterval(weightedRocAuc([0.1, 0.2, 0.9], [0, 0, 1]), ['x', 'y', 'z']);
    // One class only: the positive is never drawn (8/27) or always (1/27).
    expect(found.undefinedReplicates / 2000).toBeCloseTo(9 / 27, 1);
    expect([found.low, found.high]).toEqual([1, 1]);
  });

  it('repeats for a seed and differs for another', () => {
    const metric = resampledMean([1, 5, 2, 8]);
    const subjects = ['a', 'b', 'c', 'd'];
    const first = bootstrapInterval(metric, subjects, { seed: 1 });
    expect(bootstrapInterval(metric, subjects, { seed: 1 })).toEqual(first);
    expect(bootstrapInterval(metric, subjects, { seed: 2 }).standardError).not.toBe(first.standardError);
  });

  it('names what does not fit', () => {
    expect(() => bootstrapInterval(resampledMean([1, 2]), ['a', 'a'])).toThrow('1 subject(s) in 2 samples');
    expect(() => bootstrapInterval(resampledMean([1, 2]), ['a', 'b'], { replicates: 0 })).toThrow(
      'replicates is 0',
    );
    expect(() => bootstrapInterval(resampledMean([1, 2]), ['a', 'b'], { confidence: 95 })).toThrow(
      'confidence is 95',
    );
  });
});

describe('bootstrapDifference', () => {
  const { labels, scores } = draws(150, 5);
  const subjects = labels.map((_, i) => i);
  const good = scores(0.6);

  it('sees no difference between equal scores', () => {
    const same = bootstrapDifference(weightedRocAuc(good, labels), weightedRocAuc(good, labels), subjects);
    expect(same).toMatchObject({ value: 0, low: 0, high: 0, pValue: 1, minimumDetectable: 0 });
  });

  it('finds a large difference, with its sign and the smallest p there is', () => {
    const poor = scores(5);
    const found = bootstrapDifference(weightedRocAuc(good, labels), weightedRocAuc(poor, labels), subjects);
    expect(found.value).toBeCloseTo(rocAuc(good, labels) - rocAuc(poor, labels), 12);
    expect(found.low).toBeGreaterThan(0);
    expect(found.pValue).toBe(2 / 2001);
    expect(found.minimumDetectable).toBeCloseTo(2.8016 * found.standardError, 5);
  });

  it('never has a smaller p than so few subjects can give, however often they are drawn', () => {
    for (const [n, floor] of [
      [2, 0.5],
      [3, 0.25],
      [8, 2 / 256],
    ] as const) {
      const gains = Array.from({ length: n }, (_, i) => 1 + i / 10);
      const few = Array.from({ length: n }, (_, i) => i);
      const none = resampledMean(gains.map(() => 0));
      expect(bootstrapDifference(resampledMean(gains), none, few).pValue).toBe(floor);
    }
  });

  it('pairs: a small steady gain shows, though each interval is far wider', () => {
    const steady = good.map((s, i) => s + (labels[i] === 1 ? 0.1 : 0));
    const a = weightedRocAuc(steady, labels);
    const b = weightedRocAuc(good, labels);
    const found = bootstrapDifference(a, b, subjects);
    expect(found.low).toBeGreaterThan(0);
    expect(found.standardError).toBeLessThan(bootstrapInterval(a, subjects).standardError / 2);
  });

  it('has p below 5 % in about 5 % of cases without a difference', () => {
    let rejected = 0;
    for (let seed = 0; seed < 200; seed += 1) {
      const set = draws(100, 1000 + seed);
      const a = weightedRocAuc(set.scores(1), set.labels);
      const b = weightedRocAuc(set.scores(1), set.labels);
      const { pValue } = bootstrapDifference(a, b, Array.from(set.labels.keys()), { replicates: 300, seed });
      if (pValue < 0.05) rejected += 1;
    }
    expect(rejected / 200).toBeGreaterThan(0.01);
    expect(rejected / 200).toBeLessThan(0.11);
  });
});

describe('metrics to resample', () => {
  it('weigh the confusion table', () => {
    const predicted = [1, 0, 1, 0];
    const labels = [1, 1, 0, 0];
    const table = resampledTable(predicted, labels, 2);
    expect(table(new Float64Array([1, 1, 1, 1]))).toEqual(confusion(predicted, labels));
    expect(table(new Float64Array([2, 0, 1, 1]))).toEqual(confusion([1, 1, 1, 0], [1, 1, 0, 0]));
    expect(() => resampledTable([2], [1], 2)).toThrow('label 0 is 2');
  });

  it('average inside folds, where pooled scores of two models would mislead', () => {
    const scores = [0.1, 0.2, 0.8, 0.9]; // each fold ranks perfectly, on a scale of its own
    const labels = [0, 1, 0, 1];
    const folds = [0, 0, 1, 1];
    const metric = meanOverFolds(folds, (own) =>
      weightedRocAuc(
        Array.from(own, (i) => scores[i]!),
        Array.from(own, (i) => labels[i]!),
      ),
    );
    expect(rocAuc(scores, labels)).toBe(0.75);
    expect(metric(new Float64Array(4).fill(1))).toBe(1);
    expect(metric(new Float64Array([1, 0, 1, 1]))).toBeNaN();
  });

  it('average metrics of the same draws', () => {
    const both = meanOf([resampledMean([1, 7, 4]), resampledMean([5, 0, 2])]);
    expect(both(new Float64Array([2, 0, 1]))).toBe(3);
    expect(both(new Float64Array(3))).toBeNaN();
  });

  it('detects 2.8 standard errors with 80 % power', () => {
    expect(minimumDetectableDifference(0.01)).toBeCloseTo(0.028, 4);
    const random = new Random(0, 'power');
    let found = 0;
    for (let i = 0; i < 20000; i += 1) {
      if (Math.abs(random.normal(minimumDetectableDifference(1), 1)) > 1.96) found += 1;
    }
    expect(found / 20000).toBeCloseTo(0.8, 1.5);
  });
});
