import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { learningRateAt, type Schedule } from '../../src/optim/index.js';
import { relativeError } from '../golden/formula.js';

const golden: Record<'multistep' | 'cosine', number[]> = JSON.parse(
  readFileSync(new URL('../golden/optim.json', import.meta.url), 'utf8'),
);
const base = 0.03;
const rates = (
  schedule: Schedule,
  totalSteps: number,
  more: { stepsPerEpoch?: number; warmupSteps?: number } = {},
) =>
  Array.from({ length: totalSteps }, (_, step) =>
    learningRateAt(step, schedule, { base, totalSteps, stepsPerEpoch: 1, ...more }),
  );

describe('against torch', () => {
  test('multistep by steps is MultiStepLR', () => {
    const schedule = { kind: 'multistep', milestones: [10, 30, 50, 70], gamma: 0.5, unit: 'step' } as const;
    expect(relativeError(rates(schedule, 80), golden.multistep)).toBeLessThan(1e-14);
  });

  test('cosine is CosineAnnealingLR over the whole run', () => {
    expect(relativeError(rates({ kind: 'cosine', minimum: 0.001 }, 40), golden.cosine)).toBeLessThan(1e-12);
  });
});

describe('closed forms', () => {
  test('constant', () => {
    expect(new Set(rates({ kind: 'constant' }, 7))).toEqual(new Set([base]));
  });

  test('multistep by epochs changes at the first step of an epoch, whatever its length', () => {
    const schedule = { kind: 'multistep', milestones: [1, 3], gamma: 0.1, unit: 'epoch' } as const;
    const found = rates(schedule, 15, { stepsPerEpoch: 4 });
    const factors = found.map((rate) => Math.round(Math.log10(rate / base)));
    expect(factors).toEqual([0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -2, -2, -2]);
  });

  test('cosine: base at first, half way down in the middle, the minimum at the end and after it', () => {
    const at = (step: number) =>
      learningRateAt(step, { kind: 'cosine', minimum: 0.01 }, { base, totalSteps: 10, stepsPerEpoch: 1 });
    expect(at(0)).toBe(base);
    expect(at(5)).toBeCloseTo(0.02, 15);
    expect(at(10)).toBeCloseTo(0.01, 15);
    expect(at(11)).toBeCloseTo(0.01, 15);
  });

  test('warm-up rises linearly to the base rate, and the schedule follows from there', () => {
    const schedule = { kind: 'cosine', minimum: 0 } as const;
    const found = rates(schedule, 14, { warmupSteps: 4 });
    expect(found.slice(0, 4)).toEqual([base / 4, (base * 2) / 4, (base * 3) / 4, base]);
    expect(found.slice(4)).toEqual(rates(schedule, 10));
  });

  test('a run of nothing but warm-up ends at the base rate', () => {
    expect(rates({ kind: 'cosine', minimum: 0 }, 3, { warmupSteps: 3 }).at(-1)).toBe(base);
  });
});
