import { describe, expect, it } from 'vitest';
import type { RowName } from '../../../src/evaluation/results/evaluationResult.js';
import { differences } from '../../../src/evaluation/summary/differences.js';
import { patientLevel } from '../../../src/evaluation/summary/patients.js';
import { type Judged, metricNames, summarizeRow } from '../../../src/evaluation/summary/rowMetrics.js';
import { clusteredDifference } from '../../../src/metrics/areas/areaTests.js';
import { rocAuc, weightedRocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { bootstrapInterval, meanOverFolds } from '../../../src/metrics/bootstrap.js';
import { holm } from '../../../src/metrics/holm.js';
import { classificationMetrics } from '../../../src/metrics/metricSet.js';
import { Random } from '../../../src/tensor/random.js';

/** 24 subjects with 4 samples each in 3 folds. Each fold's scores have their own level, like those of three probes. */
function judged(noise: number, seed: number): Judged & { readonly positive: number[] } {
  const random = new Random(seed, 'judged');
  const indices = Array.from({ length: 96 }, (_, i) => i);
  const labels = indices.map((i) => (Math.floor(i / 4) + Number(i % 4 === 0)) % 2);
  const folds = indices.map((i) => Math.floor(i / 4) % 3);
  const positive = indices.map((i) => {
    const score = 1.5 * labels[i]! - 1 + folds[i]! + random.normal(0, noise);
    return 1 / (1 + Math.exp(-score));
  });
  return {
    positive,
    labels,
    folds,
    subjects: indices.map((i) => `p${Math.floor(i / 4)}`),
    classes: 2,
    probabilistic: true,
    probabilities: Float64Array.from(positive.flatMap((p) => [1 - p, p])),
  };
}

const options = { replicates: 300, confidence: 0.95, seed: 1 };

describe('summarizeRow', () => {
  const row = judged(1, 0);
  const summary = summarizeRow({ judged: row, rounds: [0, 1, 2], bootstrap: options });
  const inFold = (fold: number) => row.labels.flatMap((_, i) => (row.folds[i] === fold ? [i] : []));

  it('tells the pooled AUC from the mean of the folds’ own, each with its interval', () => {
    const auc = summary.auc!;
    const own = [0, 1, 2].map((fold) => {
      const members = inFold(fold);
      return rocAuc(
        members.map((i) => row.positive[i]!),
        members.map((i) => row.labels[i]!),
      );
    });
    expect(auc.folds).toEqual(own);
    expect(auc.mean).toBeCloseTo((own[0]! + own[1]! + own[2]!) / 3, 14);
    expect(auc.pooled).toBe(rocAuc(row.positive, row.labels));
    expect(auc.mean - auc.pooled).toBeGreaterThan(0.03); // the folds' levels differ
    const pooled = bootstrapInterval(weightedRocAuc(row.positive, row.labels), row.subjects, options);
    expect([auc.low, auc.high, auc.standardError]).toEqual([pooled.low, pooled.high, pooled.standardError]);
    const mean = bootstrapInterval(
      meanOverFolds(row.folds, (members) =>
        weightedRocAuc(
          Array.from(members, (i) => row.positive[i]!),
          Array.from(members, (i) => row.labels[i]!),
        ),
      ),
      row.subjects,
      options,
    );
    expect([auc.meanLow, auc.meanHigh]).toEqual([
      expect.closeTo(mean.low, 12),
      expect.closeTo(mean.high, 12),
    ]);
  });

  it('computes every metric as on the predictions themselves', () => {
    expect(Object.keys(summary)).toEqual(metricNames(2));
    const all = classificationMetrics(row.positive, row.labels);
    for (const name of metricNames(2)) {
      const { pooled, low, high, meanLow, mean, meanHigh } = summary[name]!;
      expect(pooled, name).toBeCloseTo(all[name]!, 9);
      expect(low, name).toBeLessThan(high);
      expect(meanLow, name).toBeLessThan(meanHigh);
      expect(meanLow, name).toBeLessThan(mean);
    }
  });

  it('takes the mean, and its interval, over the folds that have both classes', () => {
    const labels = row.labels.map((label, i) => (row.folds[i] === 2 ? 1 : label));
    const { auc } = summarizeRow({ judged: { ...row, labels }, rounds: [0, 1, 2], bootstrap: options });
    expect(auc!.folds[2]).toBeNaN();
    expect(auc!.skipped).toBe(1);
    expect(auc!.mean).toBeCloseTo((summary.auc!.folds[0]! + summary.auc!.folds[1]!) / 2, 14);
    expect(auc!.meanLow).toBeLessThan(auc!.mean);
    expect(auc!.meanHigh).toBeGreaterThan(auc!.mean);
  });

  it('has no calibration for linear estimates, nor by patient', () => {
    const linear = { ...row, probabilistic: false };
    const found = summarizeRow({ judged: linear, rounds: [0, 1, 2], bootstrap: options });
    for (const name of ['brier', 'calibrationError', 'calibrationSlope', 'calibrationIntercept']) {
      expect(found[name]!.pooled, name).toBeNaN();
      expect(found[name]!.low, name).toBeNaN();
      expect(found[name]!.standardError, name).toBeNaN();
      expect(summary[name]!.pooled, name).not.toBeNaN();
    }
    expect(found.auc).toEqual(summary.auc);
    expect(patientLevel(linear, 'mean').probabilistic).toBe(false);
  });

  it('judges three classes', () => {
    const random = new Random(5, 'three');
    const labels = row.labels.map((_, i) => (Math.floor(i / 4) + i) % 3);
    const probabilities = Float64Array.from(
      labels.flatMap((label) => {
        const votes = [0, 1, 2].map((c) => 3 * random.uniform() + Number(c === label));
        return votes.map((vote) => vote / (votes[0]! + votes[1]! + votes[2]!));
      }),
    );
    const found = summarizeRow({
      judged: { ...row, classes: 3, labels, probabilities },
      rounds: [0, 1, 2],
      bootstrap: options,
    });
    expect(Object.keys(found)).toEqual(metricNames(3));
    for (const name of metricNames(3)) expect(found[name]!.low, name).toBeLessThan(found[name]!.high);
  });

  it('gives values without intervals for one subject', () => {
    const one = summarizeRow({
      judged: { ...row, subjects: row.subjects.map(() => 'p') },
      rounds: [0, 1, 2],
      bootstrap: options,
    });
    expect(one.auc!.pooled).toBe(summary.auc!.pooled);
    expect(one.auc!.mean).toBe(summary.auc!.mean);
    expect([one.auc!.low, one.auc!.meanLow, one.auc!.standardError]).toEqual([
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ]);
  });
});

describe('differences', () => {
  const rowName = (source: RowName['source'], modality: string): RowName => ({
    key: `${source}/${modality}`,
    source,
    features: source === 'thumbnail' ? 'pixels' : 'pooled',
    modalities: [modality],
  });
  const names = (['run', 'untrained', 'thumbnail'] as const).flatMap((source) =>
    ['a', 'b'].map((modality) => rowName(source, modality)),
  );
  const rows = new Map(names.map(({ key }, i) => [key, judged(1 + i / 2, i)]));
  const found = differences(names, (key) => rows.get(key)!, options);

  it('are tested twice, by bootstrap and by DeLong for clustered samples', () => {
    expect(found.map(({ row, against }) => [row, against])).toEqual([
      ['run/a', 'untrained/a'],
      ['run/a', 'thumbnail/a'],
      ['run/b', 'untrained/b'],
      ['run/b', 'thumbnail/b'],
    ]);
    for (const { row, against, value, deLong } of found) {
      const [first, second] = [rows.get(row)!, rows.get(against)!];
      const own = clusteredDifference(first.positive, second.positive, first.labels, first.subjects);
      expect(value).toBeCloseTo(own.value, 12);
      expect(deLong!.value).toBeCloseTo(own.value, 12);
      expect(deLong!.pValue).toBeCloseTo(own.pValue, 12);
      expect([deLong!.low, deLong!.high]).toEqual([
        expect.closeTo(own.low, 12),
        expect.closeTo(own.high, 12),
      ]);
    }
  });

  it('are one family in Holm’s correction', () => {
    expect(found.map((one) => one.holm)).toEqual(holm(found.map(({ pValue }) => pValue)));
    expect(Math.max(...found.map((one) => one.holm - one.pValue))).toBeGreaterThan(0);
  });

  it('have no DeLong test for more than two classes', () => {
    const three = (key: string): Judged => {
      const own = rows.get(key)!;
      const labels = own.labels.map((label, i) => (i % 3 === 0 ? 2 : label));
      const probabilities = Float64Array.from(own.positive.flatMap((p) => [(1 - p) / 2, p, (1 - p) / 2]));
      return { ...own, classes: 3, labels, probabilities };
    };
    for (const one of differences(names, three, options)) {
      expect(one.metric).toBe('macroAuc');
      expect(one.deLong).toBeUndefined();
    }
  });
});
