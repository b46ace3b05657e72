import { describe, expect, test } from 'vitest';
import { enableGrad, gradientsOf, noGrad, ops, type Tensor, tensor } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { thrown } from './thrown.js';

const leaf = (data: number[], shape?: number[]) => tensor(data, shape, { requiresGrad: true });
const numbers = (x: Tensor | null) => (x === null ? null : [...x.toArray()]);

describe('backward', () => {
  test('fills grad of the leaves, and adds to it', () => {
    const x = leaf([1, 2]);
    expect(x.grad).toBeNull();
    x.mul(x).sum().backward();
    expect(numbers(x.grad)).toEqual([2, 4]);
    x.sum().backward();
    expect(numbers(x.grad)).toEqual([3, 5]);
    x.grad = null;
    expect(x.grad).toBeNull();
    x.grad = tensor([10, 20]);
    x.sum().backward();
    expect(numbers(x.grad)).toEqual([11, 21]);
  });

  test('takes a gradient where the output is no scalar', () => {
    const x = leaf([1, 2]);
    expect(thrown(() => x.mul(2).backward())).toMatchObject({
      code: 'libtorch',
      message: 'grad can be implicitly created only for scalar outputs',
    });
    x.mul(2).backward(tensor([1, 10]));
    expect(numbers(x.grad)).toEqual([2, 20]);
    expect(() => x.mul(2).backward(tensor([1, 2, 3]))).toThrow(/shape/);
  });

  test('runs twice only with retainGraph', () => {
    const x = leaf([3]);
    const y = x.mul(x);
    y.backward(null, { retainGraph: true });
    y.backward();
    expect(numbers(x.grad)).toEqual([12]);
    expect(thrown(() => y.backward())).toMatchObject({
      code: 'libtorch',
      message: expect.stringContaining('backward through the graph a second time'),
    });
  });

  test('an error inside the backward pass arrives in its own words', () => {
    const x = leaf([1, 2]);
    const y = x.mul(1);
    const z = y.mul(y).sum();
    noGrad(() => ops.mulScalar_(y, 2));
    expect(thrown(() => z.backward())).toMatchObject({
      code: 'libtorch',
      message: expect.stringMatching(/^one of the variables needed.*modified by an inplace operation/),
    });
  });

  test('only what floats can require a gradient, only a leaf can be told', () => {
    expect(() => tensor([1], [1], { dtype: 'i64', requiresGrad: true })).toThrow(
      /only Tensors of floating point/i,
    );
    expect(() => leaf([1]).mul(2).setRequiresGrad(false)).toThrow(/leaf/);
    expect(leaf([1]).setRequiresGrad(false).requiresGrad).toBe(false);
    expect(leaf([1]).mul(2).detach().requiresGrad).toBe(false);
  });

  test('grad takes only what fits the tensor', () => {
    const x = leaf([1, 2]);
    for (const wrong of [tensor([1]), tensor(Float64Array.of(1, 2)), tensor([1, 2], [1, 2])]) {
      expect(
        thrown(() => {
          x.grad = wrong;
        }),
      ).toMatchObject({ code: 'argument', message: /^grad is .*, the tensor / });
    }
    expect(x.grad).toBeNull();
  });
});

describe('gradientsOf', () => {
  test('leaves grad alone and gives null where no path leads', () => {
    const [x, y, z] = [leaf([2]), leaf([3]), leaf([4])];
    const product = x.mul(y);
    const gradients = gradientsOf([product], [x, z, y]);
    expect(gradients.map(numbers)).toEqual([[3], null, [2]]);
    expect([x.grad, y.grad, z.grad]).toEqual([null, null, null]);
  });

  test('of inner tensors, several outputs, and again with retainGraph', () => {
    const x = leaf([2]);
    const inner = x.mul(5);
    const outputs = [inner.mul(inner).sum(), inner.sum()];
    expect(gradientsOf(outputs, [inner], { retainGraph: true }).map(numbers)).toEqual([[21]]);
    expect(gradientsOf(outputs, [x]).map(numbers)).toEqual([[105]]);
    expect(() => gradientsOf(outputs, [x])).toThrow(/second time/);
  });

  test('agrees with central differences in f64', () => {
    const shapes = [[3, 4], [4, 5], [5]];
    const data = shapes.map((shape, i) => values(shape, i + 1));
    // softplus, normalised rows, a log-softmax: smooth everywhere near the data
    const f = (parts: readonly Tensor[]) => {
      const [x, w, b] = parts as [Tensor, Tensor, Tensor];
      const hidden = x.matmul(w).add(b).exp().add(1).log();
      const rows = hidden.div(hidden.mul(hidden).sum([1], true).sqrt());
      return ops.logSoftmax(rows.matmul(rows.t()).div(0.1), 1).mul(hidden.matmul(hidden.t())).mean();
    };
    const make = (arrays: readonly Float64Array[]) =>
      arrays.map((array, i) => tensor(array, shapes[i], { requiresGrad: true }));
    const leaves = make(data);
    const step = 1e-5;
    gradientsOf([f(leaves)], leaves).forEach((gradient, i) => {
      const numeric = data[i]!.map((_, j) => {
        const at = (offset: number) => {
          const moved = data.map((array) => Float64Array.from(array));
          moved[i]![j]! += offset;
          return noGrad(() => f(make(moved)).item());
        };
        return (at(step) - at(-step)) / (2 * step);
      });
      expect(relativeError(gradient!.toArray(), numeric)).toBeLessThan(1e-7);
    });
  });
});

describe('noGrad and enableGrad', () => {
  const x = leaf([1]);
  const records = () => x.mul(2).requiresGrad;

  test('nest, and are restored', () => {
    expect(records()).toBe(true);
    noGrad(() => {
      expect(records()).toBe(false);
      expect(enableGrad(() => [records(), noGrad(records), records()])).toEqual([true, false, true]);
      expect(records()).toBe(false);
    });
    expect(records()).toBe(true);
  });

  test('are restored after an error', () => {
    const fail = () => {
      throw new Error('inside');
    };
    expect(() => noGrad(fail)).toThrow('inside');
    expect(records()).toBe(true);
    noGrad(() => {
      expect(() => enableGrad(fail)).toThrow('inside');
      expect(records()).toBe(false);
    });
  });

  test('refuse a promise, by their own name, and leave no unhandled rejection', () => {
    const late = async () => {
      throw new Error('later');
    };
    expect(() => noGrad(late)).toThrow(
      'noGrad(): the function returned a promise; noGrad covers only synchronous work',
    );
    expect(() => enableGrad(late)).toThrow('enableGrad(): the function returned a promise');
    expect(records()).toBe(true);
  });
});
