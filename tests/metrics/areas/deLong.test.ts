import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clusteredArea,
  clusteredDifference,
  clusteredTest,
  deLongArea,
  deLongDifference,
} from '../../../src/metrics/areas/areaTests.js';
import {
  areaComponents,
  clusteredCovariance,
  combineAreas,
  deLongCovariance,
  subtract,
} from '../../../src/metrics/areas/deLong.js';
import { rocAuc, weightedRocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { bootstrapDifference, bootstrapInterval } from '../../../src/metrics/bootstrap.js';
import { Random } from '../../../src/tensor/random.js';
import { deLongGolden, metricsGolden } from '../../golden/metrics.js';

const each = (values: ArrayLike<unknown>) => Array.from(values, (_, i) => i);

/** Obuchowski's covariance straight from her sums over pairs of samples, O(n²). */
function byPairs(
  first: readonly number[],
  second: readonly number[],
  labels: readonly number[],
  clusters: readonly (string | number)[],
): number {
  const positives = each(labels).filter((i) => labels[i] === 1);
  const negatives = each(labels).filter((i) => labels[i] === 0);
  const beats = (p: number, n: number) => (p > n ? 1 : p === n ? 0.5 : 0);
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const names = [...new Set(clusters)];
  const sums = (scores: readonly number[]) => {
    const area = mean(positives.map((p) => mean(negatives.map((n) => beats(scores[p]!, scores[n]!)))));
    return names.map((name) => {
      const u = positives
        .filter((p) => clusters[p] === name)
        .reduce((sum, p) => sum + mean(negatives.map((n) => beats(scores[p]!, scores[n]!))) - area, 0);
      const v = negatives
        .filter((n) => clusters[n] === name)
        .reduce((sum, n) => sum + mean(positives.map((p) => beats(scores[p]!, scores[n]!))) - area, 0);
      return { u, v };
    });
  };
  const [a, b] = [sums(first), sums(second)];
  const [m, n] = [positives.length, negatives.length];
  const i10 = new Set(positives.map((p) => clusters[p])).size;
  const i01 = new Set(negatives.map((i) => clusters[i])).size;
  const i = names.length;
  const s10 = (i10 / ((i10 - 1) * m)) * a.reduce((sum, { u }, k) => sum + u * b[k]!.u, 0);
  const s01 = (i01 / ((i01 - 1) * n)) * a.reduce((sum, { v }, k) => sum + v * b[k]!.v, 0);
  const s11 = (i / (i - 1)) * a.reduce((sum, { u }, k) => sum + u * b[k]!.v, 0);
  const s11Turned = (i / (i - 1)) * a.reduce((sum, { v }, k) => sum + v * b[k]!.u, 0);
  return s10 / m + s01 / n + (s11 + s11Turned) / (m * n);
}

/** Two tied scores of each sample, labels with at least two of each class, and clusters. */
const samples = fc
  .array(
    fc.record({
      first: fc.integer({ min: -4, max: 4 }),
      second: fc.integer({ min: -4, max: 4 }),
      label: fc.integer({ min: 0, max: 1 }),
      cluster: fc.integer({ min: 0, max: 7 }),
    }),
    { minLength: 4, maxLength: 40 },
  )
  .map((list) => ({
    first: list.map(({ first }) => first),
    second: list.map(({ second }) => second),
    labels: list.map(({ label }) => label),
    clusters: list.map(({ cluster }) => cluster),
  }))
  .filter(({ labels, clusters }) =>
    [0, 1].every((c) => new Set(clusters.filter((_, i) => labels[i] === c)).size >= 2),
  );

describe('DeLong', () => {
  it('equals pROC: areas, variances, covariance, interval, test', () => {
    for (const [i, golden] of deLongGolden.cases.entries()) {
      const { labels, first, second } = metricsGolden.twoScores[i]!;
      const [a, b] = [areaComponents(first, labels), areaComponents(second, labels)];
      expect(a.area).toBeCloseTo(golden.areas[0], 12);
      expect(b.area).toBeCloseTo(golden.areas[1], 12);
      expect(deLongCovariance(a, a)).toBeCloseTo(golden.variances[0], 12);
      expect(deLongCovariance(b, b)).toBeCloseTo(golden.variances[1], 12);
      expect(deLongCovariance(a, b)).toBeCloseTo(golden.covariance, 12);
      const own = deLongArea(first, labels, each(labels));
      expect([own.low, own.high]).toEqual(golden.interval.map((end) => expect.closeTo(end, 12)));
      const found = deLongDifference(first, second, labels, each(labels));
      expect([found.low, found.high]).toEqual(golden.difference.map((end) => expect.closeTo(end, 12)));
      expect(found.value / found.standardError).toBeCloseTo(golden.z, 11);
      expect(found.pValue).toBeCloseTo(golden.p, 12);
    }
  });

  it('gives the CT ratings of Hanley & McNeil (1982), Table I, their area, 0.893, and the interval pROC has for it', () => {
    const counts = [
      [33, 6, 6, 11, 2],
      [3, 2, 2, 11, 33],
    ];
    const ratings = counts.flatMap((own) => own.flatMap((n, rating) => Array<number>(n).fill(rating)));
    const labels = counts.flatMap((own, c) => Array<number>(own.reduce((a, b) => a + b)).fill(c));
    const { value, standardError, low, high } = deLongArea(ratings, labels, each(labels));
    expect([value, standardError].map((v) => v.toFixed(4))).toEqual(['0.8932', '0.0307']);
    expect([low, high].map((v) => v.toFixed(5))).toEqual(['0.83295', '0.95339']);
  });

  it('keeps the logit interval within 0 … 1, near the other where the area is in the middle', () => {
    const random = new Random(1, 'logit');
    const labels = Array.from({ length: 400 }, (_, i) => i % 2);
    const middle = deLongArea(
      labels.map((label) => 0.5 * label + random.normal(0, 1)),
      labels,
      each(labels),
    );
    expect(middle.logit.low).toBeCloseTo(middle.low, 2);
    expect(middle.logit.high).toBeCloseTo(middle.high, 2);
    const high = deLongArea([1, 2, 3, 6, 5, 7, 8, 9], [0, 0, 0, 0, 1, 1, 1, 1], each(labels.slice(0, 8)));
    expect(high.high).toBeGreaterThan(1);
    expect(high.logit.high).toBeLessThan(1);
    expect(high.logit.low).toBeLessThan(high.low);
    const perfect = deLongArea([1, 2, 3, 4], [0, 0, 1, 1], each([1, 2, 3, 4]));
    expect(perfect).toMatchObject({ value: 1, standardError: 0, low: 1, high: 1 });
    expect(perfect.logit.low).toBeNaN();
  });

  it('refuses subjects with several samples and says what to use', () => {
    const scores = [0.1, 0.4, 0.3, 0.9];
    const labels = [0, 0, 1, 1];
    const subjects = ['p', 'q', 'r', 'q'];
    expect(() => deLongArea(scores, labels, subjects)).toThrow(
      new RangeError('DeLong: subject q has several samples, which are not independent; use clusteredArea'),
    );
    expect(() => deLongDifference(scores, scores, labels, subjects)).toThrow('use clusteredDifference');
    expect(() => clusteredArea(scores, labels, ['p'])).toThrow('1 subjects for 4 samples');
    expect(() => areaComponents([1, Number.NaN], [0, 1])).toThrow('DeLong: score 1 is NaN');
    expect(() => subtract(areaComponents([1, 2], [0, 1]), areaComponents([1, 2], [1, 0]))).toThrow(
      'areas of different samples',
    );
  });

  it('has no number where a class is missing or has one sample', () => {
    const alone = deLongArea([0.1, 0.2, 0.3], [0, 0, 1], ['p', 'q', 'r']);
    expect(alone.value).toBe(1);
    expect(alone.standardError).toBeNaN();
    expect(deLongArea([0.1, 0.2], [1, 1], ['p', 'q']).value).toBeNaN();
    expect(clusteredArea([1, 2, 3, 4], [0, 1, 0, 1], ['p', 'p', 'p', 'q']).standardError).toBeNaN();
  });
});

describe('Obuchowski', () => {
  it('is what her sums over pairs say, with ties and mixed clusters', () => {
    fc.assert(
      fc.property(samples, ({ first, second, labels, clusters }) => {
        const [a, b] = [areaComponents(first, labels), areaComponents(second, labels)];
        expect(a.area).toBeCloseTo(rocAuc(first, labels), 12);
        expect(clusteredCovariance(a, b, clusters)).toBeCloseTo(byPairs(first, second, labels, clusters), 12);
        expect(clusteredCovariance(a, a, clusters)).toBeCloseTo(byPairs(first, first, labels, clusters), 12);
      }),
    );
  });

  it('is DeLong with one sample a cluster, and copies within clusters add nothing', () => {
    fc.assert(
      fc.property(samples, ({ first, second, labels }) => {
        const [a, b] = [areaComponents(first, labels), areaComponents(second, labels)];
        const plain = deLongCovariance(a, b);
        expect(clusteredCovariance(a, b, each(labels))).toBeCloseTo(plain, 12);
        const twice = (values: readonly number[]) => [...values, ...values];
        const doubled = clusteredCovariance(
          areaComponents(twice(first), twice(labels)),
          areaComponents(twice(second), twice(labels)),
          twice(each(labels)),
        );
        expect(doubled).toBeCloseTo(plain, 12);
      }),
    );
  });

  it('has no negative variance, is symmetric, and that of a difference is what covariances say', () => {
    fc.assert(
      fc.property(samples, ({ first, second, labels, clusters }) => {
        const [a, b] = [areaComponents(first, labels), areaComponents(second, labels)];
        for (const covariance of [
          deLongCovariance,
          (x: typeof a, y: typeof a) => clusteredCovariance(x, y, clusters),
        ]) {
          const [aa, bb, ab] = [covariance(a, a), covariance(b, b), covariance(a, b)];
          expect(aa).toBeGreaterThanOrEqual(0);
          expect(covariance(b, a)).toBeCloseTo(ab, 15);
          const difference = subtract(a, b);
          expect(covariance(difference, difference)).toBeCloseTo(aa + bb - 2 * ab, 12);
          const turned = areaComponents(
            first.map((s) => -s),
            labels,
          );
          expect(covariance(turned, turned)).toBeCloseTo(aa, 12);
          const mapped = areaComponents(
            first.map((s) => Math.exp(s)),
            labels,
          );
          expect(covariance(mapped, mapped)).toBe(aa);
        }
      }),
    );
  });

  it('turns with the order of the two, and finds equal scores equal', () => {
    const { labels, first, second } = metricsGolden.twoScores[1]!;
    const clusters = labels.map((_, i) => Math.floor(i / 3));
    const [a, b] = [areaComponents(first, labels), areaComponents(second, labels)];
    const [there, back] = [subtract(a, b), subtract(b, a)].map((d) => clusteredTest(d, clusters));
    expect(there!.value).toBeCloseTo(-back!.value, 15);
    expect(there!.low).toBeCloseTo(-back!.high, 15);
    expect(there!.pValue).toBe(back!.pValue);
    expect(clusteredTest(subtract(a, a), clusters)).toMatchObject({ value: 0, pValue: 1 });
    const half = combineAreas([
      [0.5, a],
      [0.5, b],
    ]);
    expect(half.area).toBeCloseTo((a.area + b.area) / 2, 15);
  });
});

/**
 * 40 subjects with 8 samples each of both classes, whose scores share most of their noise within a subject and a
 * class, so that a subject is worth hardly more than a sample of each class. Two methods share half of it. The true
 * area is Φ(1/√2), for both.
 */
function clusteredStudy(seed: number) {
  const random = new Random(seed, 'clustered');
  const [labels, subjects, first, second]: number[][] = [[], [], [], []];
  for (let subject = 0; subject < 40; subject += 1) {
    // One class for most subjects, both for every fourth.
    const noise = Array.from({ length: 2 }, () => Array.from({ length: 3 }, () => random.normal(0, 1)));
    for (let i = 0; i < 8; i += 1) {
      const label = subject % 4 === 0 ? i % 2 : subject % 2;
      const [shared, ofFirst, ofSecond] = noise[label]! as [number, number, number];
      const score = (own: number) =>
        label + Math.sqrt(0.45) * shared + Math.sqrt(0.45) * own + Math.sqrt(0.1) * random.normal(0, 1);
      labels!.push(label);
      subjects!.push(subject);
      first!.push(score(ofFirst));
      second!.push(score(ofSecond));
    }
  }
  return { labels: labels!, subjects: subjects!, first: first!, second: second! };
}

describe('on 600 studies with 8 alike samples a subject', () => {
  const truth = 0.7602499389;
  const studies = Array.from({ length: 600 }, (_, seed) => clusteredStudy(seed));
  const share = (hits: readonly boolean[]) => hits.filter(Boolean).length / hits.length;
  const covers = ({ low, high }: { low: number; high: number }, value: number) =>
    low <= value && value <= high;

  it('the clustered interval covers the true area as often as it says, the plain one far too rarely', () => {
    const clustered = studies.map(({ first, labels, subjects }) => clusteredArea(first, labels, subjects));
    const plain = studies.map(({ first, labels }) => deLongArea(first, labels, each(labels)));
    expect(share(clustered.map((found) => covers(found, truth)))).toBeGreaterThan(0.92);
    expect(share(clustered.map((found) => covers(found, truth)))).toBeLessThan(0.98);
    expect(share(clustered.map(({ logit }) => covers(logit, truth)))).toBeGreaterThan(0.92);
    expect(share(clustered.map(({ logit }) => covers(logit, truth)))).toBeLessThan(0.98);
    expect(share(plain.map((found) => covers(found, truth)))).toBeLessThan(0.7);
  });

  it('the clustered test of equal methods rejects about 5 %, the plain one far more', () => {
    const clustered = studies.map(({ first, second, labels, subjects }) =>
      clusteredDifference(first, second, labels, subjects),
    );
    const plain = studies.map(({ first, second, labels }) =>
      deLongDifference(first, second, labels, each(labels)),
    );
    expect(share(clustered.map(({ pValue }) => pValue < 0.05))).toBeGreaterThan(0.02);
    expect(share(clustered.map(({ pValue }) => pValue < 0.05))).toBeLessThan(0.08);
    expect(share(plain.map(({ pValue }) => pValue < 0.05))).toBeGreaterThan(0.25);
  });

  it('the bootstrap over subjects covers as often as it says, that over samples far too rarely', () => {
    const some = studies.slice(0, 400);
    const options = { replicates: 200 };
    const bySubject = some.map(({ first, labels, subjects }) =>
      bootstrapInterval(weightedRocAuc(first, labels), subjects, options),
    );
    const bySample = some
      .slice(0, 100)
      .map(({ first, labels }) => bootstrapInterval(weightedRocAuc(first, labels), each(labels), options));
    expect(share(bySubject.map((found) => covers(found, truth)))).toBeGreaterThan(0.91);
    expect(share(bySubject.map((found) => covers(found, truth)))).toBeLessThan(0.98);
    expect(share(bySample.map((found) => covers(found, truth)))).toBeLessThan(0.7);
  });

  it('the bootstrap’s standard errors are those of the clustered formula', () => {
    const { first, second, labels, subjects } = studies[0]!;
    const found = bootstrapDifference(
      weightedRocAuc(first, labels),
      weightedRocAuc(second, labels),
      subjects,
    );
    const formula = clusteredDifference(first, second, labels, subjects);
    expect(found.value).toBeCloseTo(formula.value, 12);
    expect(found.standardError / formula.standardError).toBeCloseTo(1, 1);
  });
});
