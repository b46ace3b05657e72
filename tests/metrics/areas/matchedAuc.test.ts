import { describe, expect, test } from 'vitest';
import { matchedCounts, weightedMatchedAuc } from '../../../src/metrics/areas/matchedAuc.js';
import { rocAuc, weightedRocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { Random } from '../../../src/tensor/random.js';

/** The definition, pair by pair. */
function byPairs(
  scores: number[],
  labels: number[],
  covariate: number[],
  within: number,
  weights: ArrayLike<number> = scores.map(() => 1),
): number {
  let [won, count] = [0, 0];
  for (const [p, label] of labels.entries()) {
    for (const n of labels.keys()) {
      if (label !== 1 || labels[n] !== 0 || !(Math.abs(covariate[p]! - covariate[n]!) <= within)) continue;
      const both = weights[p]! * weights[n]!;
      count += both;
      won += both * (scores[p]! > scores[n]! ? 1 : scores[p] === scores[n] ? 0.5 : 0);
    }
  }
  return won / count;
}

/** Ties in scores and covariate; five samples a subject. */
function drawn(seed: number, n = 60) {
  const random = new Random(seed);
  const whole = (below: number) => Math.floor(random.uniform() * below);
  return {
    scores: Array.from({ length: n }, () => whole(12) / 4),
    labels: Array.from({ length: n }, () => whole(2)),
    covariate: Array.from({ length: n }, () => (whole(9) === 0 ? Number.NaN : whole(20) / 4)),
    subjects: Array.from({ length: n }, (_, i) => `s${Math.floor(i / 5)}`),
    weightOf: Array.from({ length: Math.ceil(n / 5) }, () => whole(3)),
  };
}

describe('matched AUC', () => {
  test('is the share of pairs that are in order, by hand', () => {
    // Pairs at most 1 apart: (0.9, 0.4), (0.9, 0.9) and (0.2, 0.4).
    const value = weightedMatchedAuc([0.9, 0.4, 0.9, 0.2, 0.1], [1, 0, 0, 1, 0], {
      covariate: [1, 2, 0, 3, 9],
      within: 1,
    });
    expect(value()).toBe(1.5 / 3);
  });

  test.each([0, 0.25, 1, Number.POSITIVE_INFINITY])(
    'agrees with its definition within %d, weighted and by groups',
    (within) => {
      for (let seed = 0; seed < 20; seed += 1) {
        const { scores, labels, covariate, subjects, weightOf } = drawn(seed);
        const weights = Float64Array.from(subjects, (_, i) => weightOf[Math.floor(i / 5)]!);
        const expected = byPairs(scores, labels, covariate, within, weights);
        for (const groups of [undefined, subjects]) {
          const auc = weightedMatchedAuc(scores, labels, { covariate, within, groups });
          expect(auc()).toBeCloseTo(byPairs(scores, labels, covariate, within), 12);
          expect(auc(weights)).toBeCloseTo(expected, 12);
        }
      }
    },
  );

  test('of any width is the AUC', () => {
    const { scores, labels, subjects } = drawn(3);
    const covariate = scores.map(() => 7);
    const auc = weightedMatchedAuc(scores, labels, { covariate, within: 0, groups: subjects });
    expect(auc()).toBeCloseTo(rocAuc(scores, labels), 14);
    const weights = Float64Array.from(subjects, (_, i) => Math.floor(i / 5) % 3);
    expect(auc(weights)).toBeCloseTo(weightedRocAuc(scores, labels)(weights), 14);
  });

  test('a score that knows the covariate alone has an AUC and no matched AUC', () => {
    const random = new Random(1);
    const covariate = Array.from({ length: 3000 }, () => random.uniform());
    const labels = covariate.map((c) => (random.uniform() < c ? 1 : 0));
    expect(rocAuc(covariate, labels)).toBeGreaterThan(0.8);
    // What is left is the covariate’s own difference inside the width, which goes with it.
    const matched = (within: number) => weightedMatchedAuc(covariate, labels, { covariate, within })() - 0.5;
    expect(matched(0.1)).toBeGreaterThan(0.03);
    expect(Math.abs(matched(0.005))).toBeLessThan(0.02);
  });

  test('a width counts what is just so far apart, however it is rounded', () => {
    // 0.75 − 0.7 > 0.05 > 0.3 − 0.25 in binary.
    for (const [a, b] of [
      [0.75, 0.7],
      [0.7, 0.75],
      [0.3, 0.25],
    ] as const) {
      expect(weightedMatchedAuc([1, 0], [1, 0], { covariate: [a, b], within: 0.05 })()).toBe(1);
    }
    expect(weightedMatchedAuc([1, 0], [1, 0], { covariate: [0.35, 0.29], within: 0.05 })()).toBeNaN();
  });

  test('of strata compares inside them only: scores of two folds come of two models', () => {
    // Each fold is scored by the share of positives in the others, which knows nothing of its own.
    const random = new Random(2);
    const strata = Array.from({ length: 500 }, (_, i) => i % 5);
    const labels = strata.map((fold) => (random.uniform() < 0.2 + 0.15 * fold ? 1 : 0));
    const rate = (chosen: (fold: number) => boolean) => {
      const own = labels.filter((_, i) => chosen(strata[i]!));
      return own.filter((label) => label === 1).length / own.length;
    };
    const scores = strata.map((fold) => rate((other) => other !== fold));
    const covariate = labels.map(() => 0);
    expect(weightedMatchedAuc(scores, labels, { covariate, within: 0 })()).toBeLessThan(0.4);
    expect(weightedMatchedAuc(scores, labels, { covariate, within: 0, strata })()).toBe(0.5);
    for (let seed = 0; seed < 10; seed += 1) {
      const { scores, labels, covariate, subjects, weightOf } = drawn(seed);
      const weights = Float64Array.from(subjects, (_, i) => weightOf[Math.floor(i / 5)]!);
      const folds = subjects.map((subject) => Number(subject.slice(1)) % 3);
      const auc = weightedMatchedAuc(scores, labels, {
        covariate,
        within: 1,
        groups: subjects,
        strata: folds,
      });
      // A covariate that is far apart in other strata keeps them apart as well.
      const apart = covariate.map((c, i) => c + 100 * folds[i]!);
      expect(auc(weights)).toBeCloseTo(byPairs(scores, labels, apart, 1, weights), 12);
    }
  });

  test('counts the positives with a negative, and the pairs', () => {
    for (const seed of [1, 2, 3]) {
      const { labels, covariate } = drawn(seed);
      const strata = labels.map((_, i) => i % 2);
      const mates = labels.map((label, p) =>
        labels.filter(
          (other, n) =>
            label === 1 &&
            other === 0 &&
            strata[p] === strata[n] &&
            Math.abs(covariate[p]! - covariate[n]!) <= 0.25,
        ),
      );
      expect(matchedCounts(labels, { covariate, within: 0.25, strata })).toEqual({
        positives: labels.filter((label) => label === 1).length,
        matched: mates.filter(({ length }) => length > 0).length,
        pairs: mates.flat().length,
      });
    }
  });

  test('without a pair there is none, and what cannot be is refused', () => {
    const auc = (scores: number[], labels: number[], covariate: number[], within = 1, strata?: number[]) =>
      weightedMatchedAuc(scores, labels, { covariate, within, strata });
    expect(auc([1, 2], [1, 0], [0, 5])()).toBeNaN();
    expect(auc([1, 2], [1, 1], [0, 0])()).toBeNaN();
    expect(auc([1, 2], [1, 0], [Number.NaN, 0])()).toBeNaN();
    expect(auc([1, 2], [1, 0], [0, 0], 1, [0, 1])()).toBeNaN();
    expect(() => auc([1, 2], [1, 0], [0])).toThrow('2 scores but 1 values');
    expect(() => auc([1, 2], [1, 0], [0, 0], 1, [0])).toThrow('2 scores but 1 values');
    expect(() => auc([1, 2], [1, 0], [0, 0], -1)).toThrow('within is -1');
    expect(() => auc([Number.NaN, 2], [1, 0], [0, 0])).toThrow('score 0 is NaN');
  });
});
