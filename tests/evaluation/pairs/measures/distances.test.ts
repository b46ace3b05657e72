import { expect, test } from 'vitest';
import { fixedBatches } from '../../../../src/evaluation/pairs/measures/batches.js';
import { distancesOf } from '../../../../src/evaluation/pairs/measures/distances.js';
import { strangersOf } from '../../../../src/evaluation/pairs/measures/strangers.js';
import { featureRows } from '../../../../src/metrics/features/features.js';
import { retrievalAtOne } from '../../../../src/metrics/features/neighbours.js';
import { Random } from '../../../../src/tensor/random.js';

const N = 12;
const subjects = Array.from({ length: N }, (_, i) => `patient ${i >> 1}`);

function rows(salt: string, spread = 1) {
  const random = new Random(salt);
  return featureRows(
    Float64Array.from({ length: N * 5 }, () => random.normal(0.5, spread)),
    N,
    5,
  );
}

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('on identical modalities mates are at distance 0, strangers are not, and every mate is found first', () => {
  const a = rows('a');
  const found = distancesOf(a, a, subjects);
  expect(mean(found.mate)).toBeLessThan(1e-15);
  expect(mean(found.stranger)).toBeGreaterThan(0.1);
  expect([mean(found.aToB), mean(found.bToA)]).toEqual([1, 1]);
});

test('the distance of strangers is the mean over other subjects, without images of the same patient', () => {
  // Rows lie on an axis of their own subject: the cosine is 1 within a subject, 0 across.
  const data = new Float64Array(N * 6);
  for (let i = 0; i < N; i += 1) data[i * 6 + (i >> 1)] = 1 + i;
  const byPatient = featureRows(data, N, 6);
  const { mate, stranger, aToB } = distancesOf(byPatient, byPatient, subjects);
  expect([...mate]).toEqual(new Array(N).fill(0));
  expect([...stranger]).toEqual(new Array(N).fill(1));
  // The mate ties with the patient's other image.
  expect([...aToB]).toEqual(new Array(N).fill(0.5));
});

test('mates that are permuted among patients are strangers: the ratio is 1 on average, and hits are rare', () => {
  const [a, b] = [rows('a'), rows('b')];
  const { mate, stranger, aToB, bToA } = distancesOf(a, b, subjects);
  expect(Math.abs(mean(mate) / mean(stranger) - 1)).toBeLessThan(0.35); // 12 independent pairs
  const { aToB: share, bToA: back } = retrievalAtOne(a, b);
  expect([mean(aToB), mean(bToA)]).toEqual([share, back]);
});

test('with one subject there are no strangers, and a zero embedding is at distance 1', () => {
  const zero = featureRows(new Float64Array(10), 2, 5);
  const { mate, stranger } = distancesOf(zero, zero, ['p', 'p']);
  expect([...mate]).toEqual([1, 1]);
  expect([...stranger]).toEqual([Number.NaN, Number.NaN]);
});

test('strangers are of another subject and depend on the key alone', () => {
  const drawn = strangersOf(subjects, 3, 'x');
  expect(drawn.every((j, i) => subjects[j] !== subjects[i])).toBe(true);
  expect(strangersOf(subjects, 3, 'x')).toEqual(drawn);
  expect(strangersOf(subjects, 4, 'x')).not.toEqual(drawn);
  expect([...strangersOf(['p', 'p'], 0)]).toEqual([-1, -1]);
});

test('batches contain every pair once, hold at most 128 and are as equal as can be', () => {
  const positions = Array.from({ length: 257 }, (_, i) => 3 * i);
  const batches = fixedBatches(positions, 1);
  expect(batches.map((batch) => batch.length)).toEqual([86, 85, 86]);
  expect(batches.flat().sort((a, b) => a - b)).toEqual(positions);
  expect(fixedBatches(positions, 1)).toEqual(batches);
  expect(fixedBatches(positions, 2)).not.toEqual(batches);
});
