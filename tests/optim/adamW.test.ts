import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AdamW, type ParameterGroup } from '../../src/optim/index.js';
import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';

interface Golden {
  groups: Record<'weight' | 'bias', { rate: number; weightDecay: number }>;
  options: { betas?: [number, number]; eps?: number };
  steps: { weight: number[]; bias: number[] }[];
  moments: Record<'weight' | 'bias', { exp_avg: number[]; exp_avg_sq: number[] }>;
}
const { adamw: golden }: { adamw: Golden[] } = JSON.parse(
  readFileSync(new URL('../golden/optim.json', import.meta.url), 'utf8'),
);
const shapes = { weight: [2, 3], bias: [3] };
const rates = [0.1, 0.1, 0.05, 0.3, 0.02, 0.1];
const withoutBias = [0, 3];

function parameters(): Map<string, Tensor> {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      tensor(values(shape, 1 + i), shape, { dtype: 'f64', requiresGrad: true }),
    ]),
  );
}

function setGradients(own: ReadonlyMap<string, Tensor>, step: number): void {
  tidy(() => {
    [...own].forEach(([name, parameter], i) => {
      const skipped = name === 'bias' && withoutBias.includes(step);
      const { shape, dtype } = parameter;
      parameter.grad = skipped ? null : tensor(values(shape, 100 + 10 * step + i), shape, { dtype });
    });
  });
}

function groupsOf(own: ReadonlyMap<string, Tensor>, { groups }: Golden): ParameterGroup[] {
  return [...own].map(([name, parameter]) => ({
    parameters: new Map([[name, parameter]]),
    ...groups[name as 'weight' | 'bias'],
  }));
}

const optimizerOf = (own: ReadonlyMap<string, Tensor>, one: Golden) =>
  new AdamW(groupsOf(own, one), { betas: one.options.betas, epsilon: one.options.eps });

describe('AdamW against torch.optim.AdamW in float64', () => {
  test.each(golden)('$groups $options', (one) => {
    tidy(() => {
      const own = parameters();
      const optimizer = optimizerOf(own, one);
      one.steps.forEach((expected, step) => {
        setGradients(own, step);
        optimizer.step(rates[step]!);
        // Sums in another order: a few units in the last place.
        expect(relativeError(own.get('weight')!.toArray(), expected.weight)).toBeLessThan(1e-14);
        expect(relativeError(own.get('bias')!.toArray(), expected.bias)).toBeLessThan(1e-14);
      });
      const state = optimizer.state();
      for (const [name, moments] of Object.entries(one.moments)) {
        for (const [key, expected] of Object.entries(moments)) {
          expect(relativeError(state.get(`${name}.${key}`)!.toArray(), expected)).toBeLessThan(1e-14);
        }
      }
      // The bias had no gradient in two steps, and has not counted them.
      expect(state.get('weight.step')!.item()).toBe(6);
      expect(state.get('bias.step')!.item()).toBe(4);
      optimizer.dispose();
    });
  });
});

describe('AdamW', () => {
  const one = golden[1]!;

  test('goes on from its state as if it had never stopped', () => {
    for (const stop of [1, 3]) {
      tidy(() => {
        const own = parameters();
        let optimizer = optimizerOf(own, one);
        one.steps.forEach((expected, step) => {
          if (step === stop) {
            const saved = new Map([...optimizer.state()].map(([name, x]) => [name, ops.clone(x, null)]));
            optimizer.dispose();
            optimizer = optimizerOf(own, one);
            optimizer.loadState(saved);
            for (const copy of saved.values()) copy.dispose(); // taken over by copy
          }
          setGradients(own, step);
          optimizer.step(rates[step]!);
          expect(relativeError(own.get('weight')!.toArray(), expected.weight)).toBeLessThan(1e-14);
          expect(relativeError(own.get('bias')!.toArray(), expected.bias)).toBeLessThan(1e-14);
        });
        optimizer.dispose();
      });
    }
  });

  test('keeps only its moments, and frees them', () => {
    const before = undisposedTensors();
    tidy(() => {
      const own = parameters();
      const optimizer = optimizerOf(own, one);
      for (const step of [1, 2, 4]) {
        setGradients(own, step);
        optimizer.step(0.1);
        optimizer.zeroGrad();
        expect(undisposedTensors()).toBe(before + 2 + 4);
      }
      optimizer.dispose();
      expect(undisposedTensors()).toBe(before + 2);
    });
    expect(undisposedTensors()).toBe(before);
  });

  test('refuses what torch.optim.AdamW refuses, and a state that does not fit', () => {
    expect(() => new AdamW([], { betas: [1, 0.9] })).toThrow('beta is 1');
    expect(() => new AdamW([], { epsilon: -1 })).toThrow('epsilon is -1');
    expect(() => new AdamW([{ parameters: new Map(), weightDecay: -1 }])).toThrow('weightDecay is -1');
    tidy(() => {
      const own = parameters();
      expect(() => new AdamW([{ parameters: own }, { parameters: own }])).toThrow('weight is in two groups');
      const optimizer = optimizerOf(own, one);
      expect(() => optimizer.loadState(new Map([['other.step', tensor(1)]]))).toThrow('other.step fits no');
      const misshapen = new Map([
        ['weight.exp_avg', tensor([1, 2])],
        ['weight.exp_avg_sq', tensor([1, 2])],
        ['weight.step', tensor(1, [], { dtype: 'i64' })],
      ]);
      expect(() => optimizer.loadState(misshapen)).toThrow('the state of weight is [2], expected [2,3]');
    });
  });
});
