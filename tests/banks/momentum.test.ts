import { describe, expect, test } from 'vitest';
import { momentumUpdate } from '../../src/banks/index.js';
import { type Tensor, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';

const shapes = { weight: [2, 3], bias: [3] };

function parameters(seed: number): Map<string, Tensor> {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      tensor(values(shape, seed + i), shape, { requiresGrad: true }),
    ]),
  );
}

const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

describe('momentumUpdate', () => {
  test('is m·target + (1 − m)·source, step after step', () =>
    tidy(() => {
      const target = parameters(1);
      const expected = new Map([...target].map(([name, x]) => [name, numbers(x)]));
      for (const [step, m] of [0.999, 0.9, 0.5].entries()) {
        const source = parameters(10 * (step + 1));
        momentumUpdate(target, source, m);
        for (const [name, x] of source) {
          const s = numbers(x);
          const mixed = expected.get(name)!.map((t, i) => m * t + (1 - m) * s[i]!);
          expected.set(name, mixed);
          numbers(target.get(name)!).forEach((value, i) => {
            expect(value).toBeCloseTo(mixed[i]!, 14);
          });
        }
      }
    }));

  test('trap: the momentum is the share that stays, not the share that is new', () =>
    tidy(() => {
      const [target, source] = [parameters(1), parameters(5)];
      const before = numbers(target.get('bias')!);
      momentumUpdate(target, source, 1);
      expect(numbers(target.get('bias')!)).toEqual(before);
      momentumUpdate(target, source, 0);
      expect(numbers(target.get('bias')!)).toEqual(numbers(source.get('bias')!));
    }));

  test('matches by name, not by place', () =>
    tidy(() => {
      const [target, source] = [parameters(1), parameters(5)];
      momentumUpdate(target, new Map([...source].reverse()), 0);
      expect(numbers(target.get('weight')!)).toEqual(numbers(source.get('weight')!));
    }));

  test('records no graph, leaves the source and its gradients alone, and keeps nothing', () =>
    tidy(() => {
      const [target, source] = [parameters(1), parameters(5)];
      const before = undisposedTensors();
      const untouched = numbers(source.get('weight')!);
      momentumUpdate(target, source, 0.5);
      momentumUpdate(new Map(), new Map(), 0.5);
      expect(undisposedTensors()).toBe(before);
      expect(numbers(source.get('weight')!)).toEqual(untouched);
      expect(source.get('weight')!.grad).toBeNull();
      // Still a leaf: it can be differentiated, and nothing leads from it to the source.
      target.get('weight')!.sum().backward();
      expect(source.get('weight')!.grad).toBeNull();
      expect(numbers(target.get('weight')!.grad!)).toEqual([1, 1, 1, 1, 1, 1]);
    }));

  test('names what the two do not share, and changes nothing then', () =>
    tidy(() => {
      const [target, source] = [parameters(1), parameters(5)];
      const before = numbers(target.get('weight')!);
      const without = new Map([['weight', source.get('weight')!]]);
      expect(() => momentumUpdate(target, without, 0.5)).toThrow(/bias is missing from the source/);
      expect(() => momentumUpdate(without, source, 0.5)).toThrow(/bias is missing from the target/);
      const misshapen = new Map([...source, ['bias', tensor([1])]]);
      expect(() => momentumUpdate(target, misshapen, 0.5)).toThrow(
        /bias is \[1\] in the source, expected \[3\]/,
      );
      expect(() => momentumUpdate(target, source, 1.5)).toThrow(TensorError);
      expect(numbers(target.get('weight')!)).toEqual(before);
    }));
});
