import { describe, expect, test } from 'vitest';
import {
  cudaDevices,
  type Dtype,
  ops,
  type Tensor,
  type TypedArray,
  tensor,
} from '../../src/tensor/index.js';
import { op } from '../../src/tensor/operator.js';
import { thrown } from './thrown.js';

describe('from arrays and back', () => {
  test.each<[Dtype, number[], TypedArray]>([
    ['f32', [1, -0.1, 3e38], Float32Array.of(1, -0.1, 3e38)],
    ['f64', [1, -0.1, 1e300], Float64Array.of(1, -0.1, 1e300)],
    ['f16', [1, 0.1, 65504], Float32Array.of(1, 0.0999755859375, 65504)],
    ['bf16', [1, 0.1, -3], Float32Array.of(1, 0.10009765625, -3)],
    ['u8', [0, 7, 255], Uint8Array.of(0, 7, 255)],
    ['i64', [0, -7, 2 ** 53 - 1], BigInt64Array.of(0n, -7n, 2n ** 53n - 1n)],
    ['bool', [0, 1, 1], Uint8Array.of(0, 1, 1)],
  ])('%s', (dtype, data, expected) => {
    const made = tensor(data, [3, 1], { dtype });
    expect(made).toMatchObject({ dtype, shape: [3, 1], device: 'cpu', requiresGrad: false });
    expect(made.toArray()).toEqual(expected);
    expect(made.toArray().constructor).toBe(expected.constructor);
  });

  test.each<[TypedArray, Dtype]>([
    [Float32Array.of(1.5), 'f32'],
    [Float64Array.of(1.5), 'f64'],
    [Uint8Array.of(5), 'u8'],
    [Buffer.of(5), 'u8'],
    [BigInt64Array.of(-(2n ** 63n)), 'i64'],
  ])('the dtype of a typed array is its own %#', (data, dtype) => {
    expect(tensor(data).dtype).toBe(dtype);
    expect([...tensor(data).toArray()]).toEqual([...data]);
  });

  test('booleans, lists and numbers have dtypes and shapes of their own', () => {
    expect(tensor([true, false])).toMatchObject({ dtype: 'bool', shape: [2] });
    expect(tensor([1, 2])).toMatchObject({ dtype: 'f32', shape: [2] });
    expect(tensor(5)).toMatchObject({ dtype: 'f32', shape: [] });
  });

  test.each<[TypedArray | boolean[], Dtype, number[]]>([
    [Float64Array.of(1.1), 'f32', [Math.fround(1.1)]],
    [BigInt64Array.of(3n), 'f64', [3]],
    [Uint8Array.of(3), 'i64', [3]],
    [Float32Array.of(200), 'u8', [200]],
    [Uint8Array.of(0, 1), 'bool', [0, 1]],
    [[true, false], 'f32', [1, 0]],
    [[true, false], 'i64', [1, 0]],
    [[true, false], 'u8', [1, 0]],
  ])('data of one kind as another %#', (data, dtype, expected) => {
    expect([...tensor(data, undefined, { dtype }).toArray()].map(Number)).toEqual(expected);
  });

  test('both ways are copies', () => {
    const source = Float32Array.of(1, 2);
    const made = tensor(source);
    source[0] = 100;
    expect([...made.toArray()]).toEqual([1, 2]);
    made.toArray()[1] = 100;
    expect([...made.toArray()]).toEqual([1, 2]);
  });

  test('a view into a larger buffer is copied, also of a shared one', () => {
    for (const buffer of [new ArrayBuffer(16), new SharedArrayBuffer(16)]) {
      new Float32Array(buffer).set([1, 2, 3, 4]);
      expect([...tensor(new Float32Array(buffer, 4, 2)).toArray()]).toEqual([2, 3]);
    }
  });

  test('values come row-major whatever the strides', () => {
    const matrix = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    expect([...matrix.t().toArray()]).toEqual([1, 4, 2, 5, 3, 6]);
    expect([...matrix.narrow(1, 1, 2).toArray()]).toEqual([2, 3, 5, 6]);
  });

  test('empty tensors and scalars come back', () => {
    expect(tensor([], [0, 3])).toMatchObject({ shape: [0, 3] });
    expect(tensor([]).toArray()).toEqual(new Float32Array(0));
    expect(tensor([], [2, 0], { dtype: 'bf16' }).toArray()).toEqual(new Float32Array(0));
    expect(tensor(2.5).item()).toBe(2.5);
    expect(tensor([7], [], { dtype: 'i64' }).item()).toBe(7);
    expect(tensor([7], [1, 1]).item()).toBe(7);
  });

  test('bf16 and f16 round to the nearest, ties to even', () => {
    // bf16 has 7 bits after the point: between 1 and 1 + 2⁻⁷ lies the tie 1 + 2⁻⁸.
    const ulp = 2 ** -7;
    const ties = [1 + ulp / 2, 1 + (3 * ulp) / 2, 1 + ulp / 2 + 2 ** -20, -(1 + ulp / 2)];
    expect([...tensor(ties, undefined, { dtype: 'bf16' }).toArray()]).toEqual([1, 1 + 2 * ulp, 1 + ulp, -1]);
    expect([...tensor([2049, 2051, 70000], undefined, { dtype: 'f16' }).toArray()]).toEqual([
      2048,
      2052,
      Infinity,
    ]);
  });

  test('NaN, infinities and −0 pass', () => {
    const values = [...tensor([Number.NaN, Infinity, -Infinity, -0]).toArray()];
    expect(values).toEqual([Number.NaN, Infinity, -Infinity, -0]);
  });
});

describe('errors name what does not fit', () => {
  test.each<[unknown, number[] | undefined, Dtype | undefined, string]>([
    [[1.5], undefined, 'i64', 'the data holds 1.5, expected a safe integer for dtype i64'],
    [[2 ** 53], undefined, 'i64', 'the data holds 9007199254740992, expected a safe integer'],
    [[Number.NaN], undefined, 'i64', 'the data holds NaN, expected a safe integer'],
    [[256], undefined, 'u8', 'the data holds 256, expected an integer from 0 to 255 for dtype u8'],
    [[-1], undefined, 'u8', 'the data holds -1, expected an integer from 0 to 255'],
    [[0.5], undefined, 'u8', 'the data holds 0.5, expected'],
    [[2], undefined, 'bool', 'the data holds 2, expected a boolean, 0 or 1'],
    [Uint8Array.of(2), undefined, 'bool', 'the data holds 2, expected a boolean, 0 or 1'],
    [['5'], undefined, 'i64', "the data holds '5', expected flat numbers"],
    [[null], undefined, 'bool', 'the data holds null, expected flat numbers'],
    [[1, undefined], undefined, 'f32', 'the data holds undefined, expected flat numbers'],
    [[[1, 2]], undefined, 'f32', 'the data holds [ 1, 2 ], expected flat numbers'],
    [[1, 2], [3], undefined, '2 values do not fill shape [3], which holds 3'],
    [[1, 2], [], undefined, '2 values do not fill shape [], which holds 1'],
    [[1, 2], [-2], undefined, 'shape [-2] holds -2, expected integers ≥ 0'],
    [[1, 2], [4, 0.5], undefined, 'shape [4,0.5] holds 0.5, expected integers ≥ 0'],
    [[1], undefined, 'float32' as Dtype, "unknown dtype 'float32'; expected f32, "],
  ])('%j as %j', (data, shape, dtype, message) => {
    expect(thrown(() => tensor(data as number[], shape, { dtype }))).toMatchObject({
      name: 'TensorError',
      code: 'argument',
      message: expect.stringContaining(message),
    });
  });

  test('size(), item() and toArray()', () => {
    const matrix = tensor([1, 2], [1, 2]);
    expect([matrix.size(1), matrix.size(-2)]).toEqual([2, 1]);
    expect(() => matrix.size(2)).toThrow('size(2): the tensor has 2 dimensions, [1,2]');
    expect(() => matrix.item()).toThrow('item(): the tensor has shape [1,2], expected exactly one element');
    expect(() => tensor([]).item()).toThrow('expected exactly one element');
    expect(() => tensor(BigInt64Array.of(2n ** 53n)).item()).toThrow('9007199254740992 is no safe integer');
    const int = op<[Tensor, string], Tensor>('aten::view.dtype');
    expect(() => int(tensor([1]), 'i32')).toThrow("unknown dtype 'i32'");
    const bits = op<[Tensor], Tensor>('aten::signbit');
    expect([...bits(tensor([-1, 1])).toArray()]).toEqual([1, 0]);
  });
});

describe('freed tensors', () => {
  test('every use says so, freeing twice is allowed', () => {
    const x = tensor([1, 2]);
    const alive = tensor([1, 2]);
    x.dispose();
    x.dispose();
    expect(x.disposed).toBe(true);
    expect(String(x)).toBe('Tensor(freed)');
    for (const use of [
      () => x.shape,
      () => x.dtype,
      () => x.device,
      () => x.memoryFormat,
      () => x.toArray(),
      () => x.requiresGrad,
      () => x.grad,
      () => x.backward(),
      () => x.add(1),
      () => alive.add(x),
      () => ops.cat([alive, x], 0),
      () => ops.add_(alive, x),
      () => {
        alive.grad = x;
      },
    ]) {
      expect(thrown(use)).toMatchObject({ name: 'TensorError', code: 'freed' });
    }
  });

  test('a view keeps the memory it looks into', () => {
    const whole = tensor([1, 2, 3]);
    const part = whole.narrow(0, 1, 2);
    whole.dispose();
    expect([...part.toArray()]).toEqual([2, 3]);
  });
});

describe('devices', () => {
  test.skipIf(cudaDevices() > 0)("without CUDA, LibTorch's own words", () => {
    const error = thrown(() => tensor([1], [1], { device: 'cuda' }));
    expect(error).toMatchObject({ code: 'libtorch', message: expect.stringMatching(/cuda/i) });
    expect(thrown(() => tensor([1]).to({ device: 'cuda:1' }))).toMatchObject({ code: 'libtorch' });
  });

  test('an unknown device is refused', () => {
    expect(thrown(() => tensor([1], [1], { device: 'nonsense' as 'cpu' }))).toMatchObject({
      code: 'argument',
      message: "unknown device 'nonsense'; expected cpu, cuda or cuda:N",
    });
  });
});

describe('dtypes and memory formats', () => {
  test('channels last keeps the values and is kept by convolutions', () => {
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
    const last = x.to({ memoryFormat: 'channelsLast' });
    expect([x.memoryFormat, last.memoryFormat]).toEqual(['contiguous', 'channelsLast']);
    expect([...last.toArray()]).toEqual([...x.toArray()]);
    const weight = tensor([1, 0, 0, 1], [2, 2, 1, 1]).to({ memoryFormat: 'channelsLast' });
    const y = ops.conv2d(last, weight, null, [1, 1], [0, 0]);
    expect(y.memoryFormat).toBe('channelsLast');
    expect([...y.toArray()]).toEqual([...x.toArray()]);
    expect(ops.contiguous(y, 'contiguous').memoryFormat).toBe('contiguous');
    expect(x.reshape([4, 2]).t().memoryFormat).toBe('strided');
  });

  test('to() casts as C does', () => {
    const x = tensor([1.9, -1.9]);
    expect([...x.to({ dtype: 'i64' }).toArray()]).toEqual([1n, -1n]);
    expect(String(x.to({ dtype: 'f64' }))).toBe('Tensor(f64, [2], cpu)');
  });
});
