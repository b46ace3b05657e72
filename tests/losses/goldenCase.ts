import { expect } from 'vitest';
import { type Dtype, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError } from '../golden/formula.js';

export interface Case {
  loss: number;
  gradients: number[][];
}

// f64: a few hundred sums of rounding 1e-16. f32: the same of 6e-8, and τ = 0.07 multiplies errors of the cosines by
// 14.
const tolerances = { f64: 1e-11, f32: 1e-5 } as const;

/**
 * Holds a loss and its gradients against a golden case, in f64 and in f32.
 * @param zero rows of the first input that are all zero: their gradients are 10¹² times the others', so they are
 * compared apart
 */
export function check(
  reference: Case,
  inputs: readonly Float64Array[],
  shapes: readonly (readonly number[])[],
  loss: (xs: Tensor[]) => Tensor,
  zero: readonly number[] = [],
): void {
  for (const dtype of ['f64', 'f32'] as const satisfies Dtype[]) {
    tidy(() => {
      const xs = inputs.map((x, i) => tensor(x, shapes[i], { dtype, requiresGrad: true }));
      const value = loss(xs);
      expect(value.dtype).toBe(dtype);
      expect(value.shape).toEqual([]);
      value.backward();
      expect(relativeError([value.item()], [reference.loss])).toBeLessThan(tolerances[dtype]);
      const gradients = xs.map((x, i) => {
        const expected = reference.gradients[i]!;
        const gradient = Array.from(x.grad?.toArray() ?? new Float64Array(expected.length), Number);
        // Where the reference is zero, terms of the size 1/|x| cancel (the losses do not see the scale of x), and how
        // well depends on LibTorch's version: 2.6 leaves 1.5e-5 at x = 1e-3 in f32, 1.13 nothing. So x·∂L/∂x is held
        // against 0.
        const vanishes = expected.every((value) => value === 0);
        const actual = vanishes ? gradient.map((value, at) => value * inputs[i]![at]!) : gradient;
        const length = expected.length / x.size(0);
        const ofZeros = (at: number): boolean => i === 0 && zero.includes(Math.floor(at / length));
        const part = (zeros: boolean) =>
          [actual, expected].map((all) => all.filter((_, at) => ofZeros(at) === zeros)) as [
            number[],
            number[],
          ];
        return { zeros: part(true), rest: part(false) };
      });
      const largest = (numbers: readonly number[]): number => Math.max(0, ...numbers.map(Math.abs));
      const scale = Math.max(1, ...gradients.map(({ rest: [, expected] }) => largest(expected)));
      for (const { zeros, rest } of gradients) {
        expect(relativeError(...zeros)).toBeLessThan(tolerances[dtype]);
        // A gradient that is rounding noise beside the case's others (batch of one) is held against those.
        const own = largest(rest[1]);
        const error = relativeError(...rest);
        expect(own > 0 && own < 1e-9 * scale ? (error * own) / scale : error).toBeLessThan(tolerances[dtype]);
      }
    });
  }
}
