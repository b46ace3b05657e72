import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Sgd } from '../../src/optim/index.js';
import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';

interface Golden {
  options: { momentum?: number; weight_decay?: number; nesterov?: boolean };
  steps: { weight: number[]; bias: number[] }[];
}
const { sgd: golden }: { sgd: Golden[] } = JSON.parse(
  readFileSync(new URL('../golden/optim.json', import.meta.url), 'utf8'),
);
const shapes = { weight: [2, 3], bias: [3] };
const rates = [0.1, 0.1, 0.05, 0.3, 0.02, 0.1];
const withoutBias = [0, 3];

function parameters(dtype: 'f64' | 'f32' = 'f64'): Map<string, Tensor> {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      tensor(values(shape, 1 + i), shape, { dtype, requiresGrad: true }),
    ]),
  );
}

/** Gradients of a step, as optim.py gives them; the bias has none in some. */
function setGradients(own: ReadonlyMap<string, Tensor>, step: number): void {
  tidy(() => {
    [...own].forEach(([name, parameter], i) => {
      const skipped = name === 'bias' && withoutBias.includes(step);
      const { shape, dtype } = parameter;
      parameter.grad = skipped ? null : tensor(values(shape, 100 + 10 * step + i), shape, { dtype });
    });
  });
}

const numbers = (x: Tensor) => [...x.toArray()].map(Number);
const settings = ({ momentum, weight_decay: weightDecay, nesterov }: Golden['options']) => ({
  momentum,
  weightDecay,
  nesterov,
});

describe('Sgd against torch.optim.SGD in float64', () => {
  test.each(golden)('$options', ({ options, steps }) => {
    tidy(() => {
      const own = parameters();
      const optimizer = new Sgd(own, settings(options));
      steps.forEach((expected, step) => {
        setGradients(own, step);
        optimizer.step(rates[step]!);
        expect(relativeError(own.get('weight')!.toArray(), expected.weight)).toBeLessThan(1e-14);
        expect(relativeError(own.get('bias')!.toArray(), expected.bias)).toBeLessThan(1e-14);
      });
      optimizer.dispose();
    });
  });
});

describe('Sgd', () => {
  const nesterov = golden.at(-1)!;

  test('goes on from its state as if it had never stopped, also where a velocity is yet to come', () => {
    for (const stop of [1, 3]) {
      tidy(() => {
        const own = parameters();
        let optimizer = new Sgd(own, settings(nesterov.options));
        nesterov.steps.forEach((expected, step) => {
          if (step === stop) {
            const saved = new Map([...optimizer.state()].map(([name, v]) => [name, ops.clone(v, null)]));
            expect([...saved.keys()]).toEqual(stop === 1 ? ['weight'] : ['weight', 'bias']);
            optimizer.dispose();
            optimizer = new Sgd(own, settings(nesterov.options));
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

  test('a parameter without gradient stays as it is, weight decay included', () => {
    tidy(() => {
      const own = parameters();
      const before = numbers(own.get('bias')!);
      const optimizer = new Sgd(own, { momentum: 0.9, weightDecay: 0.5 });
      setGradients(own, 0);
      optimizer.step(0.1);
      expect(numbers(own.get('bias')!)).toEqual(before);
      expect(numbers(own.get('weight')!)).not.toEqual([...values([2, 3], 1)]);
      optimizer.zeroGrad();
      optimizer.step(0.1); // no gradient anywhere: nothing happens
      expect(own.get('weight')!.grad).toBeNull();
      optimizer.dispose();
    });
  });

  test('keeps only the velocities, and frees them', () => {
    const before = undisposedTensors();
    tidy(() => {
      const own = parameters();
      const optimizer = new Sgd(own, { momentum: 0.9, nesterov: true, weightDecay: 0.1 });
      const after = [1, 2, 4].map((step) => {
        setGradients(own, step);
        optimizer.step(0.1);
        optimizer.zeroGrad();
        return undisposedTensors();
      });
      expect(after).toEqual([before + 4, before + 4, before + 4]);
      optimizer.dispose();
      expect(undisposedTensors()).toBe(before + 2);
    });
    expect(undisposedTensors()).toBe(before);
  });

  test('refuses what torch.optim.SGD refuses, and a state that does not fit', () => {
    expect(() => new Sgd(new Map(), { momentum: 1 })).toThrow(/momentum is 1/);
    expect(() => new Sgd(new Map(), { momentum: -0.1 })).toThrow(RangeError);
    expect(() => new Sgd(new Map(), { weightDecay: -1 })).toThrow(/weightDecay is -1/);
    expect(() => new Sgd(new Map(), { nesterov: true })).toThrow(/nesterov needs a momentum/);
    tidy(() => {
      const optimizer = new Sgd(parameters(), { momentum: 0.9 });
      expect(() => optimizer.loadState(new Map([['weight', tensor([1, 2])]]))).toThrow(
        /velocity of weight \[2\]/,
      );
      expect(() => optimizer.loadState(new Map([['other', tensor([1])]]))).toThrow(/velocity of other/);
    });
  });
});
