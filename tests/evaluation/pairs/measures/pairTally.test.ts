import { expect, test } from 'vitest';
import { PairTally } from '../../../../src/evaluation/pairs/measures/pairTally.js';
import { bootstrapDifference, bootstrapInterval } from '../../../../src/metrics/bootstrap.js';
import { Random } from '../../../../src/tensor/random.js';

const N = 40;
const subjects = Array.from({ length: N }, (_, i) => `patient ${Math.floor(i / 3)}`);
const weightedMean = (values: Float64Array) => (weights: Float64Array) =>
  values.reduce((sum, value, i) => sum + weights[i]! * value, 0) / weights.reduce((a, b) => a + b);
const draw = (salt: string, mean: number) => {
  const random = new Random(salt);
  return Float64Array.from({ length: N }, () => random.normal(mean));
};
const [value, chance] = [draw('value', 3), draw('chance', 5)];
const bootstrap = { replicates: 300, seed: 4 };

test('a measure is the bootstrap of the means over subjects, and its contrast with chance uses the same draws', () => {
  const tally = new PairTally(subjects);
  const name = { claim: 'agreement', source: 'run', features: 'map1', grid: 4, zone: 'all' } as const;
  const distance = { claim: 'distance', source: 'run', features: 'head' } as const;
  value.forEach((one, i) => {
    tally.add(name, i, one, chance[i]!);
    tally.add(distance, i, one, chance[i]!);
  });
  const [agreement, ratio] = tally.measures(bootstrap);
  const expected = bootstrapInterval(weightedMean(value), subjects, bootstrap);
  expect(agreement!.key).toBe('agreement/run/map1/4x4/all');
  expect(agreement!.value).toBeCloseTo(expected.value, 12);
  expect(agreement!.low).toBeCloseTo(expected.low, 12);
  expect(agreement!.high).toBeCloseTo(expected.high, 12);
  expect([agreement!.pairs, agreement!.subjects]).toEqual([40, 14]);
  const difference = bootstrapDifference(weightedMean(value), weightedMean(chance), subjects, bootstrap);
  expect(agreement!.againstChance.kind).toBe('difference');
  expect(agreement!.againstChance.low).toBeCloseTo(difference.low, 12);
  const [mean, other] = [weightedMean(value), weightedMean(chance)];
  const quotient = bootstrapInterval((weights) => mean(weights) / other(weights), subjects, bootstrap);
  expect(ratio!.againstChance.kind).toBe('ratio');
  expect(ratio!.againstChance.value).toBeCloseTo(quotient.value, 12);
  expect(ratio!.againstChance.high).toBeCloseTo(quotient.high, 12);
  expect(ratio!.againstRest).toBeUndefined();
});

test('zones are compared with the rest of the same images', () => {
  const tally = new PairTally(['p', 'q', 'r']);
  const name = (zone: 'inside' | 'rest') =>
    ({ claim: 'agreement', source: 'pixels', features: 'patch-mean', grid: 8, zone }) as const;
  [0.5, 0.7, Number.NaN].forEach((one, i) => {
    tally.add(name('inside'), i, one, 0);
    tally.add(name('rest'), i, [0.1, 0.2, 0.9][i]!, 0);
  });
  const [inside, rest] = tally.measures(bootstrap);
  expect(inside!.pairs).toBe(2);
  expect(inside!.value).toBeCloseTo(0.6, 12);
  expect(inside!.againstRest!.value).toBeCloseTo(0.45, 12);
  expect(rest!.againstRest).toBeUndefined();
  expect(rest!.value).toBeCloseTo(0.4, 12);
});

test('an undefined value is NaN and not 0: without a pair, without a stranger, with one subject', () => {
  const tally = new PairTally(['p', 'q', 'q']);
  const name = (features: string) => ({ claim: 'distance', source: 'run', features }) as const;
  tally.add(name('none'), 0, Number.NaN, 1);
  tally.add(name('alone'), 0, 1, Number.NaN);
  tally.add(name('one'), 1, 1, 2);
  tally.add(name('zero'), 0, 1, 0);
  const [none, alone, one, zero] = tally.measures(bootstrap);
  for (const empty of [none, alone])
    expect([empty!.value, empty!.low, empty!.pairs]).toEqual([Number.NaN, Number.NaN, 0]);
  expect([one!.value, one!.low, one!.againstChance.value]).toEqual([1, Number.NaN, 0.5]);
  expect(zero!.againstChance.value).toBeNaN();
});
