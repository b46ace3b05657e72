import { describe, expect, test } from 'vitest';
import {
  autocast,
  inFullPrecision,
  l2Normalize,
  noGrad,
  ops,
  type Tensor,
  tensor,
} from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { thrown } from './thrown.js';

const x = tensor(Float32Array.from(values([4, 8], 1)), [4, 8]);
const makeWeight = () => tensor(Float32Array.from(values([6, 8], 2)), [6, 8], { requiresGrad: true });
const product = (weight: Tensor) => ops.linear(x, weight, null);

describe('autocast', () => {
  test('matrix products and convolutions give bf16 inside and f32 outside', () => {
    const weight = makeWeight();
    const image = x.reshape([1, 2, 4, 4]);
    const kernel = tensor([1, 2, 3, 4], [2, 2, 1, 1]);
    autocast('bf16', () => {
      expect(product(weight).dtype).toBe('bf16');
      expect(ops.conv2d(image, kernel, null, [1, 1], [0, 0]).dtype).toBe('bf16');
    });
    expect(product(weight).dtype).toBe('f32');
  });

  test('null switches it off inside, and only inside', () => {
    const weight = makeWeight();
    const dtypes = autocast('bf16', () => [
      autocast(null, () => product(weight).dtype),
      product(weight).dtype,
      autocast(null, () => autocast('bf16', () => product(weight).dtype)),
    ]);
    expect(dtypes).toEqual(['f32', 'bf16', 'bf16']);
  });

  test('the cached weight of one scope is not used in the next', () => {
    const weight = makeWeight();
    const forward = () => autocast('bf16', () => product(weight)).toArray();
    const before = forward();
    noGrad(() => ops.mulScalar_(weight, 2));
    expect([...forward()]).toEqual([...before].map((value) => Number(value) * 2));
  });

  test('an inner scope leaves the cache of the outer one alone', () => {
    // Seen by what the cache must not survive: a weight changed inside the scope is not noticed before its end.
    const weight = makeWeight();
    autocast('bf16', () => {
      const before = product(weight).toArray();
      autocast(null, () => product(weight));
      ops.mulScalar_(weight.detach(), 2);
      expect(product(weight).toArray()).toEqual(before);
    });
  });

  test('gradients reach a weight that was first used without recording', () => {
    // LibTorch caches the unrecorded cast and would reuse it: the gradient would silently be missing.
    const weight = makeWeight();
    autocast('bf16', () => {
      noGrad(() => product(weight));
      product(weight).sum().backward();
    });
    expect(weight.grad?.shape).toEqual([6, 8]);
  });

  test('gradients of f32 weights are f32', () => {
    const weight = makeWeight();
    autocast('bf16', () => product(weight).sum()).backward();
    expect(weight.grad!.dtype).toBe('f32');
  });

  test('is left after an error', () => {
    const weight = makeWeight();
    expect(() =>
      autocast('bf16', () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(product(weight).dtype).toBe('f32');
    // The nesting count too: the cache is dropped at the end of the next scope.
    const before = autocast('bf16', () => product(weight)).toArray();
    noGrad(() => ops.mulScalar_(weight, 2));
    expect(autocast('bf16', () => product(weight)).toArray()).not.toEqual(before);
  });

  test('refuses a promise', () => {
    expect(() => autocast('bf16', async () => 1)).toThrow(/^autocast\(\): the function returned a promise/);
    expect(product(makeWeight()).dtype).toBe('f32');
  });

  test('refuses devices and dtypes it does not know', () => {
    expect(thrown(() => autocast('bf16', () => 1, 'meta' as 'cpu'))).toMatchObject({ code: 'argument' });
    for (const dtype of ['i64', 'f32', 'f64'] as const) {
      expect(thrown(() => autocast(dtype, () => 1))).toMatchObject({
        code: 'argument',
        message: `autocast: dtype is ${dtype}, expected bf16 or f16`,
      });
    }
    expect(product(makeWeight()).dtype).toBe('f32');
  });
});

describe('losses inside autocast', () => {
  const loss = (a: Tensor, b: Tensor) =>
    inFullPrecision([a, b], (p, q) =>
      ops.logSoftmax(l2Normalize(p!, 1).matmul(l2Normalize(q!, 1).t()).div(0.07), 1).mean(),
    );

  test('have the dtype and the value that they have in f32', () => {
    const a = tensor(Float32Array.from(values([5, 8], 3)), [5, 8]);
    const b = tensor(Float32Array.from(values([5, 8], 4)), [5, 8]);
    const outside = loss(a, b);
    const inside = autocast('bf16', () => loss(a, b));
    expect([inside.dtype, inside.item()]).toEqual(['f32', outside.item()]);
    const low = autocast('bf16', () => loss(a.to({ dtype: 'bf16' }), b.to({ dtype: 'bf16' })));
    expect(low.dtype).toBe('f32');
    expect(loss(a.to({ dtype: 'f64' }), b.to({ dtype: 'f64' })).dtype).toBe('f64');
  });

  test('l2Normalize: unit rows, and a zero row with a finite gradient', () => {
    const rows = tensor([3, 4, 0, 0], [2, 2], { requiresGrad: true });
    const unit = l2Normalize(rows, 1);
    [0.6, 0.8, 0, 0].forEach((value, i) => {
      expect(unit.toArray()[i]).toBeCloseTo(value, 6);
    });
    unit.sum().backward();
    expect([...rows.grad!.toArray()].every((value) => Number.isFinite(value as number))).toBe(true);
  });
});
