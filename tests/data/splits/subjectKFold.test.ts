import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Splittable, subjectKFold } from '../../../src/data/splits/subjectKFold.js';
import { DataError, UsageError } from '../../../src/errors.js';

const sample = fc.record({
  subject: fc.integer({ min: 0, max: 30 }).map((n) => `p${n}`),
  label: fc.option(fc.constantFrom('x', 'y', 'z'), { nil: undefined }),
});
const settings = fc.record({ folds: fc.integer({ min: 2, max: 6 }), seed: fc.nat() });

function perFold(samples: readonly Splittable[], assigned: readonly number[], folds: number) {
  const totals = new Array<number>(folds).fill(0);
  const classes = new Map<string, number[]>();
  for (const [i, { label = '' }] of samples.entries()) {
    totals[assigned[i]!]! += 1;
    const counts = classes.get(label) ?? new Array<number>(folds).fill(0);
    counts[assigned[i]!]! += 1;
    classes.set(label, counts);
  }
  return { totals, classes };
}

const spread = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts);

describe('subjectKFold', () => {
  it('puts every sample into one fold, no subject into two, and leaves no fold empty', () => {
    fc.assert(
      fc.property(
        fc.array(sample, { minLength: 1, maxLength: 120 }),
        settings,
        (samples, { folds, seed }) => {
          fc.pre(new Set(samples.map(({ subject }) => subject)).size >= folds);
          const assigned = subjectKFold(samples, { folds, seed });
          expect(assigned).toHaveLength(samples.length);
          expect(new Set(assigned)).toEqual(new Set(Array.from({ length: folds }, (_, fold) => fold)));
          const foldOf = new Map(samples.map(({ subject }, i) => [subject, assigned[i]]));
          for (const [i, { subject }] of samples.entries()) expect(assigned[i]).toBe(foldOf.get(subject));
        },
      ),
    );
  });

  it('keeps classes and totals within 1 between folds if each subject has one sample', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('x', 'y', 'z'), { minLength: 6, maxLength: 150 }),
        settings,
        (labels, s) => {
          const samples = labels.map((label, i) => ({ subject: `p${i}`, label }));
          const { totals, classes } = perFold(samples, subjectKFold(samples, s), s.folds);
          expect(spread(totals)).toBeLessThanOrEqual(1);
          for (const counts of classes.values()) expect(spread(counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('keeps totals within the largest subject if there are no labels', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 6, maxLength: 40 }),
        settings,
        (sizes, s) => {
          const samples = sizes.flatMap((size, i) => new Array<Splittable>(size).fill({ subject: `p${i}` }));
          const { totals } = perFold(samples, subjectKFold(samples, s), s.folds);
          expect(spread(totals)).toBeLessThanOrEqual(Math.max(...sizes));
        },
      ),
    );
  });

  it('depends on seed and samples, not on the order of the samples', () => {
    const samples = Array.from({ length: 60 }, (_, i) => ({
      subject: `p${i % 25}`,
      label: i % 3 ? 'x' : 'y',
    }));
    const assigned = subjectKFold(samples, { folds: 5, seed: 1 });
    expect(subjectKFold(samples, { folds: 5, seed: 1 })).toEqual(assigned);
    expect(subjectKFold([...samples].reverse(), { folds: 5, seed: 1 }).reverse()).toEqual(assigned);
    expect(subjectKFold(samples, { folds: 5, seed: 2 })).not.toEqual(assigned);
  });

  it('refuses fewer subjects than folds, and numbers of folds that make no sense', () => {
    const samples = Array.from({ length: 20 }, (_, i) => ({ subject: `p${i % 3}` }));
    expect(() => subjectKFold(samples, { folds: 4, seed: 0 })).toThrow(DataError);
    expect(() => subjectKFold(samples, { folds: 4, seed: 0 })).toThrow('3 subjects cannot fill 4 folds');
    expect(() => subjectKFold(samples, { folds: 1, seed: 0 })).toThrow(UsageError);
    expect(() => subjectKFold(samples, { folds: 2.5, seed: 0 })).toThrow(UsageError);
    expect(() => subjectKFold([], { folds: 2, seed: 0 })).toThrow(DataError);
  });

  it('fills ten folds with the same share of every class where subjects are thousands', () => {
    const samples = Array.from({ length: 20_000 }, (_, i) => ({
      subject: `p${i % 5000}`,
      label: String((i * i) % 7),
    }));
    const assigned = subjectKFold(samples, { folds: 10, seed: 0 });
    for (const label of new Set(samples.map((sample) => sample.label))) {
      const counts = new Array<number>(10).fill(0);
      samples.forEach((sample, i) => {
        if (sample.label === label) counts[assigned[i]!]! += 1;
      });
      // A subject has four samples, of several classes, and stays whole.
      expect(Math.max(...counts) / Math.min(...counts), label).toBeLessThan(1.02);
    }
  });
});
