import { expect, test } from 'vitest';
import { consistencyBetween, patchesOf } from '../../../../src/evaluation/pairs/measures/consistencyTerms.js';
import { globalTerms } from '../../../../src/evaluation/pairs/measures/globalTerms.js';
import {
  type ConsistencyOptions,
  consistencyLoss,
  globalContrastiveLoss,
  pairsEqual,
} from '../../../../src/losses/index.js';
import { featureRows } from '../../../../src/metrics/features/features.js';
import { Random, type Tensor, tensor, tidy } from '../../../../src/tensor/index.js';

const N = 6;

function maps(salt: string): Tensor[] {
  return [8, 4].map((side, layer) => {
    const random = new Random(salt, layer);
    const values = Float64Array.from({ length: N * 5 * side * side }, () => Math.max(0, random.normal(0.3)));
    return tensor(values, [N, 5, side, side]);
  });
}

const relations: ConsistencyOptions[] = [
  { patches: [4, 4] },
  {
    patches: [
      [4, 4],
      [2, 2],
    ],
    reduction: 'sum',
    distance: 'frobenius',
    normalize: 'pixel',
  },
  { patches: [2, 2], relation: 'cka', windows: 'adaptive' },
];

test.each(relations)('L_C pair by pair has the loss of the batch as its mean: %o', (options) => {
  tidy(() => {
    const [a, b] = [maps('a'), maps('b')];
    const [sA, sB] = [patchesOf(a, options), patchesOf(b, options)];
    const mean = (offset: number) =>
      Array.from({ length: N }, (_, i) => consistencyBetween(sA, i, sB, (i + offset) % N, options)).reduce(
        (sum, loss) => sum + loss / N,
        0,
      );
    const loss = consistencyLoss(a, b, options).item();
    expect(Math.abs(mean(0) / loss - 1)).toBeLessThan(1e-12); // f64 sums in another order
    expect(Math.abs(mean(1) / loss - 1)).toBeGreaterThan(1e-3);
  });
});

test('L_C of identical modalities is 0', () => {
  tidy(() => {
    const options: ConsistencyOptions = { patches: [4, 4] };
    const s = patchesOf(maps('a'), options);
    expect(consistencyBetween(s, 2, s, 2, options)).toBe(0);
  });
});

const subjects = ['p', 'p', 'q', 'r', 'r', 'r'];
const D = 7;

function rows(salt: string) {
  const random = new Random(salt);
  return Float64Array.from({ length: N * D }, () => random.normal());
}

test.each([
  { positive: 'once', crossModal: 'both-directions' },
  { positive: 'twice', crossModal: 'clean-and-augmented' },
] as const)('L_Glo pair by pair has the loss of the batch as its mean: %o', (options) => {
  const raw = { a: rows('a'), b: rows('b'), aHat: rows('aHat'), bHat: rows('bHat') };
  const features = (data: Float64Array) => featureRows(data, N, D);
  const { value, chance } = globalTerms(
    { a: features(raw.a), b: features(raw.b), aHat: features(raw.aHat), bHat: features(raw.bHat) },
    subjects,
    { tau: 0.2, ...options },
  );
  const loss = tidy(() => {
    const own = tensor(
      subjects.map((subject) => subject.charCodeAt(0)),
      [N],
      { dtype: 'i64' },
    );
    const of = (data: Float64Array) => tensor(data, [N, D]);
    const views = { a: of(raw.a), b: of(raw.b), aHat: of(raw.aHat), bHat: of(raw.bHat) };
    return globalContrastiveLoss(views, { tau: 0.2, ...options, exclude: pairsEqual(own, own) }).item();
  });
  const mean = value.reduce((sum, one) => sum + one / N, 0);
  expect(Math.abs(mean / loss - 1)).toBeLessThan(1e-12);
  // The candidates are the mate and the images of other subjects: 4 others of p, 5 of q, 3 of r.
  const extra = options.positive === 'twice' ? 1 : 0;
  const guesses = [4, 4, 5, 3, 3, 3].map((others) => 4 * Math.log(others + 1 + extra));
  for (const [i, guess] of guesses.entries()) expect(chance[i]).toBeCloseTo(guess, 12);
});

test('L_Glo of embeddings that are all alike equals guessing', () => {
  const alike = featureRows(new Float64Array(N * D).fill(1), N, D);
  const { value, chance } = globalTerms({ a: alike, b: alike, aHat: alike, bHat: alike }, subjects, {
    tau: 0.07,
    positive: 'once',
    crossModal: 'both-directions',
  });
  for (let i = 0; i < N; i += 1) expect(value[i]).toBeCloseTo(chance[i]!, 10);
});

test('L_Glo is undefined, not 0, where all pairs are of one patient', () => {
  const one = featureRows(rows('one'), N, D);
  const views = { a: one, b: one, aHat: one, bHat: one };
  for (const positive of ['once', 'twice'] as const) {
    const { value, chance } = globalTerms(views, new Array<string>(N).fill('p'), {
      tau: 0.07,
      positive,
      crossModal: 'both-directions',
    });
    expect([...value, ...chance].every(Number.isNaN)).toBe(true);
  }
});
