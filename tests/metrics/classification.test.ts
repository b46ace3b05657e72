import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { macroRocAuc, rocAuc, weightedMacroRocAuc, weightedRocAuc } from '../../src/metrics/areas/rocAuc.js';
import {
  accuracy,
  confusion,
  f1,
  macro,
  precision,
  predictedClasses,
  recall,
  specificity,
} from '../../src/metrics/classification.js';
import { classificationMetrics } from '../../src/metrics/metricSet.js';
import { probes } from '../golden/probes.js';

/** Scores from a small set, so that ties abound, with labels of both classes. */
const scored = fc
  .array(fc.tuple(fc.integer({ min: -6, max: 6 }), fc.boolean()), { minLength: 2, maxLength: 40 })
  .filter((samples) => new Set(samples.map(([, label]) => label)).size === 2)
  .map((samples) => ({ scores: samples.map(([s]) => s), labels: samples.map(([, label]) => label) }));

describe('rocAuc', () => {
  it('equals scikit-learn, with few ties and with many', () => {
    for (const { scores, labels, auc } of probes.auc) expect(rocAuc(scores, labels)).toBeCloseTo(auc, 12);
  });

  it('is the share of pairs ranked rightly, ties counting half', () => {
    fc.assert(
      fc.property(scored, ({ scores, labels }) => {
        let wins = 0;
        let pairs = 0;
        for (const [p, positive] of labels.entries()) {
          for (const [n, other] of labels.entries()) {
            if (!positive || other) continue;
            pairs += 1;
            if (scores[p]! > scores[n]!) wins += 1;
            else if (scores[p] === scores[n]) wins += 0.5;
          }
        }
        expect(rocAuc(scores, labels)).toBeCloseTo(wins / pairs, 12);
      }),
    );
  });

  it('does not change under monotone maps and turns over with the sign', () => {
    fc.assert(
      fc.property(scored, ({ scores, labels }) => {
        const auc = rocAuc(scores, labels);
        const mapped = scores.map((s) => Math.exp(s) - 5);
        const turned = scores.map((s) => -s);
        expect(rocAuc(mapped, labels)).toBe(auc);
        expect(rocAuc(turned, labels)).toBeCloseTo(1 - auc, 12);
      }),
    );
  });

  it('weighs a sample as if it stood there that often', () => {
    fc.assert(
      fc.property(
        scored,
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
        ({ scores, labels }, times) => {
          const copies = scores.flatMap((_, i) => Array<number>(times[i]!).fill(i));
          const repeated = rocAuc(
            copies.map((i) => scores[i]!),
            copies.map((i) => labels[i]!),
          );
          const weighted = weightedRocAuc(scores, labels)(Float64Array.from(scores, (_, i) => times[i]!));
          if (Number.isNaN(repeated)) expect(weighted).toBeNaN();
          else expect(weighted).toBeCloseTo(repeated, 12);
        },
      ),
    );
  });

  it('ranks infinite scores and accepts typed arrays', () => {
    expect(
      rocAuc([Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY], [0, 0, 1, 1]),
    ).toBe(1);
    expect(rocAuc(new Float32Array([0.1, 0.9]), new Uint8Array([0, 1]))).toBe(1);
  });

  it('is NaN with one class, never a number', () => {
    expect(rocAuc([0.2, 0.7], [1, 1])).toBeNaN();
    expect(rocAuc([0.2, 0.7], [false, false])).toBeNaN();
    expect(rocAuc([], [])).toBeNaN();
  });

  it('names what does not fit', () => {
    expect(() => rocAuc([1], [0, 1])).toThrow('1 scores but 2 labels');
    expect(() => rocAuc([1, Number.NaN], [0, 1])).toThrow('score 1 is NaN');
    expect(() => rocAuc([1, 2], [0, 2])).toThrow('label 1 is 2; expected 0 or 1');
  });
});

describe('classificationMetrics', () => {
  it('equals scikit-learn for two classes, with probabilities on the threshold', () => {
    const { probabilities, labels, expected } = probes.binary;
    const metrics = classificationMetrics(probabilities, labels);
    for (const [name, value] of Object.entries(expected)) expect(metrics[name], name).toBeCloseTo(value, 12);
    const bothColumns = probabilities.flatMap((p) => [1 - p, p]);
    expect(classificationMetrics(bothColumns, labels)).toEqual(metrics);
  });

  it('equals scikit-learn for three classes', () => {
    const { probabilities, labels, expected } = probes.threeClasses;
    const metrics = classificationMetrics(probabilities, labels, { classes: 3 });
    for (const [name, value] of Object.entries(expected)) expect(metrics[name], name).toBeCloseTo(value, 12);
  });

  it('moves with the threshold', () => {
    expect(classificationMetrics([0.3, 0.6], [0, 1], { threshold: 0.2 })).toMatchObject({
      recall: 1,
      specificity: 0,
      precision: 0.5,
    });
    expect(classificationMetrics([0.3, 0.6], [0, 1], { threshold: 0.7 })).toMatchObject({
      recall: 0,
      specificity: 1,
      precision: Number.NaN,
    });
  });

  it('takes the most probable class, the lower of equal ones', () => {
    expect([...predictedClasses([0.4, 0.4, 0.2, 0.1, 0.2, 0.7], 2, { classes: 3 })]).toEqual([0, 2]);
  });

  it('says when a class is missing instead of averaging over fewer areas', () => {
    expect(macroRocAuc([0.5, 0.3, 0.2, 0.1, 0.8, 0.1], [0, 1], 3)).toBeNaN();
  });

  it('weighs samples of three classes too', () => {
    const { probabilities, labels } = probes.threeClasses;
    const times = labels.map((_, i) => i % 3);
    const copies = labels.flatMap((_, i) => Array<number>(times[i]!).fill(i));
    const repeated = macroRocAuc(
      copies.flatMap((i) => probabilities.slice(3 * i, 3 * i + 3)),
      copies.map((i) => labels[i]!),
      3,
    );
    expect(weightedMacroRocAuc(probabilities, labels, 3)(Float64Array.from(times))).toBeCloseTo(repeated, 12);
  });

  it('names what does not fit', () => {
    expect(() => classificationMetrics([0.1, 0.2, 0.3], [0, 1])).toThrow(
      '3 probabilities do not fit 2 labels of 2',
    );
    expect(() => classificationMetrics([0.1, 0.2], [0, 2])).toThrow('label 1 is 2');
  });
});

describe('confusion', () => {
  const table = confusion([1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0]);

  it('has labels as rows and predictions as columns', () => {
    expect([...table.counts]).toEqual([3, 1, 1, 2]);
    expect(accuracy(table)).toBe(5 / 7);
    expect(precision(table)).toBe(2 / 3);
    expect(recall(table)).toBe(2 / 3);
    expect(specificity(table)).toBe(3 / 4);
    expect(precision(table, 0)).toBe(3 / 4);
    expect(macro(table, f1)).toBeCloseTo((2 / 3 + 3 / 4) / 2, 15);
  });

  it('treats empty denominators as documented', () => {
    const noPositives = confusion([0, 1], [0, 0]);
    expect(recall(noPositives)).toBeNaN();
    expect(precision(noPositives)).toBe(0);
    expect(f1(noPositives)).toBe(0);
    for (const metric of [recall, precision, f1]) expect(macro(noPositives, metric)).toBeNaN();
    const nothingCalled = confusion([0, 0], [0, 1]);
    expect(precision(nothingCalled)).toBeNaN();
    expect(macro(nothingCalled, precision)).toBeNaN();
    expect(specificity(confusion([1, 1], [1, 1]))).toBeNaN();
    expect(f1(confusion([0, 0], [0, 0]))).toBeNaN();
  });
});
