import { describe, expect, it } from 'vitest';
import { DataError, UsageError } from '../../src/errors.js';
import { type ComparedMethod, compareMethods, methodInterval } from '../../src/evaluation/compareMethods.js';
import { bootstrapDifference } from '../../src/metrics/bootstrap.js';
import { holm } from '../../src/metrics/holm.js';
import { rocAuc, weightedRocAuc } from '../../src/metrics/rocAuc.js';
import { Random } from '../../src/tensor/random.js';

const N = 120;
const ids = Array.from({ length: N }, (_, i) => `x${i}`);
const subjects = ids.map((_, i) => `p${Math.floor(i / 3)}`);
const labels = ids.map((_, i) => Math.floor(i / 3) % 2);

/** Scores that share each sample's difficulty and differ by the seed's noise. */
function method(name: string, gain: number, seeds = 3): ComparedMethod {
  const easy = new Random(0, 'difficulty');
  const difficulty = subjects.map(() => easy.normal(0, 1));
  return {
    name,
    seeds: Array.from({ length: seeds }, (_, seed) => {
      const random = new Random(seed, name);
      const scores = labels.map((y, i) => gain * y + difficulty[i]! + random.normal(0, 0.5));
      return { ids, subjects, labels, classes: 2, probabilities: twoColumns(scores) };
    }),
  };
}

const twoColumns = (scores: readonly number[]) => Float64Array.from(scores.flatMap((s) => [-s, s]));
const scoresOf = ({ seeds }: ComparedMethod) =>
  seeds.map(({ probabilities }) => probabilities.filter((_, at) => at % 2 === 1));
const options = { replicates: 400, seed: 2 };
const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

describe('compareMethods', () => {
  const ours = method('ours', 1.5);
  const others = [method('better', 2.4), method('same', 1.5), method('one seed', 0.6, 1)];
  const found = compareMethods([others[0]!, ours, ...others.slice(1)], 'ours', options);

  it('is the difference of the means over seeds, method minus reference', () => {
    expect(found.map(({ name, against }) => [name, against])).toEqual([
      ['better', 'ours'],
      ['same', 'ours'],
      ['one seed', 'ours'],
    ]);
    const areaOf = (one: ComparedMethod) => mean(scoresOf(one).map((scores) => rocAuc(scores, labels)));
    for (const [i, { value, deLong, low, high }] of found.entries()) {
      expect(value).toBeCloseTo(areaOf(others[i]!) - areaOf(ours), 12);
      expect(deLong!.value).toBeCloseTo(value, 12);
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
    }
    expect(found[0]!.pValue).toBe(2 / 401);
    expect(found[1]!.pValue).toBeGreaterThan(0.05);
    expect(found[2]!.value).toBeLessThan(0);
  });

  it('draws the same subjects for all seeds and methods', () => {
    const by = (list: readonly ArrayLike<number>[]) => {
      const areas = list.map((scores) => weightedRocAuc(scores, labels));
      return (weights: Float64Array) => mean(areas.map((area) => area(weights)));
    };
    const own = bootstrapDifference(by(scoresOf(others[0]!)), by(scoresOf(ours)), subjects, options);
    expect(found[0]!.low).toBeCloseTo(own.low, 12);
    expect(found[0]!.high).toBeCloseTo(own.high, 12);
    expect(found[0]!.minimumDetectable).toBeCloseTo(own.minimumDetectable, 12);
    // Of one method at several seeds, what the seeds share stays: three seeds are not three times the patients.
    const three = methodInterval(ours, options);
    const one = methodInterval({ ...ours, seeds: ours.seeds.slice(0, 1) }, options);
    expect(three.value).toBeCloseTo(mean(scoresOf(ours).map((scores) => rocAuc(scores, labels))), 12);
    expect(three.standardError / one.standardError).toBeGreaterThan(0.7);
  });

  it('adjusts by Holm over what it returns', () => {
    expect(found.map((one) => one.holm)).toEqual(holm(found.map(({ pValue }) => pValue)));
    expect(found[0]!.holm).toBeGreaterThan(found[0]!.pValue);
  });

  it('matches samples by id, in any order', () => {
    const shuffled = ids.map((_, i) => (7 * i + 3) % N);
    const moved = others[0]!.seeds.map((seed) => ({
      ids: shuffled.map((i) => ids[i]!),
      subjects: shuffled.map((i) => subjects[i]!),
      labels: shuffled.map((i) => labels[i]!),
      classes: 2,
      probabilities: Float64Array.from(
        shuffled.flatMap((i) => [...seed.probabilities.subarray(2 * i, 2 * i + 2)]),
      ),
    }));
    const again = compareMethods([{ name: 'better', seeds: moved }, ours], 'ours', options);
    expect(again[0]!.value).toBeCloseTo(found[0]!.value, 12);
    expect(again[0]!.low).toBeCloseTo(found[0]!.low, 12);
  });

  it('refuses other samples, labels, subjects and names', () => {
    const [seed] = ours.seeds;
    const against = (change: object) => () =>
      compareMethods([ours, { name: 'other', seeds: [{ ...seed!, ...change }] }], 'ours', options);
    expect(against({ ids: ids.map((id) => `${id}'`) })).toThrow(
      new DataError(
        'other: sample x0 has no prediction, expected the samples of the reference; judge all methods on the same data and folds',
      ),
    );
    expect(against({ labels: labels.map((label) => 1 - label) })).toThrow('has another label or subject');
    expect(against({ subjects: ids })).toThrow('has another label or subject');
    expect(against({ classes: 3 })).toThrow('120 samples of 3 classes, expected 120 of 2');
    expect(against({ ids: ids.slice(1) })).toThrow(DataError);
    expect(() => compareMethods([ours, ...others], 'theirs', options)).toThrow(
      new UsageError(
        'reference theirs: expected one of at least two methods (there are: ours, better, same, one seed)',
      ),
    );
    expect(() => compareMethods([ours], 'ours', options)).toThrow(UsageError);
    expect(() => compareMethods([ours, ours], 'ours', options)).toThrow('a name occurs twice');
    expect(() => compareMethods([ours, { name: 'none', seeds: [] }], 'ours', options)).toThrow(
      'none: no predictions',
    );
  });
});
