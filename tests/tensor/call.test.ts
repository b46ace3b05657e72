import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { ops, type Tensor, tensor } from '../../src/tensor/index.js';
import { op } from '../../src/tensor/operator.js';
import { thrown } from './thrown.js';

// Deliberately loose: these tests hand over what TypeScript would refuse.
type Loose = (...args: unknown[]) => Tensor;
const loose = (operator: string): Loose => op<unknown[], Tensor>(operator);
const add = loose('aten::add.Scalar');
const x = tensor([1, 2, 3]);
const numbers = (result: Tensor) => [...result.toArray()].map(Number);

describe('the number of arguments', () => {
  test('too few arguments are refused', () => {
    expect(thrown(() => loose('aten::add.Tensor')(x))).toMatchObject({
      name: 'TensorError',
      code: 'libtorch',
      message: expect.stringContaining("missing value for argument 'other'"),
    });
  });

  test('too many arguments are refused', () => {
    expect(thrown(() => loose('aten::relu')(x, 1, 2))).toMatchObject({
      code: 'libtorch',
      message: expect.stringContaining('Expected at most 1 argument(s)'),
    });
  });

  test('undefined takes the default, also in the middle; null is None', () => {
    // diagonal(self, offset=0, dim1=0, dim2=1)
    const cube = tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
    expect(numbers(ops.diagonal(cube, undefined, undefined, 2))).toEqual(
      [1, 6, 3, 8].sort((a, b) => a - b && 0),
    );
    expect(numbers(ops.clamp_(tensor([1, 2, 3]), null, 2))).toEqual([1, 2, 2]);
  });
});

describe('conversion by the schema', () => {
  test('an integer serves as float', () => {
    expect(numbers(ops.pairwiseDistance(tensor([3, 4], [1, 2]), tensor([0, 0], [1, 2]), 2, 0))).toEqual([5]);
  });

  test('one integer serves as int[n]', () => {
    const pool = loose('aten::avg_pool2d');
    expect(numbers(pool(tensor([1, 2, 3, 4], [1, 1, 2, 2]), 2, 2))).toEqual([2.5]);
    expect(numbers(loose('aten::sum.dim_IntList')(tensor([1, 2, 3, 4], [2, 2]), 1))).toEqual([3, 7]);
  });

  test.each([
    ['i64', 2, 'i64', 3],
    ['i64', 2.5, 'f32', 3.5],
    ['i64', 2n, 'i64', 3],
    ['i64', -0, 'i64', 1],
    ['f64', 2, 'f64', 3],
    ['f32', 1e20, 'f32', Math.fround(1e20)],
    ['f64', 2 ** 53, 'f64', 2 ** 53],
    ['f64', -1e300, 'f64', -1e300],
    ['f32', Number.NaN, 'f32', Number.NaN],
    ['i64', Number.NEGATIVE_INFINITY, 'f32', Number.NEGATIVE_INFINITY],
  ] as const)('1 in %s plus the Scalar %s is %s', (dtype, value, resulting, sum) => {
    const result = add(tensor([1], [1], { dtype }), value);
    expect(result.dtype).toBe(resulting);
    expect(result.item()).toBe(sum);
  });

  test('an int keeps all 64 bits of a BigInt', () => {
    const big = 2n ** 62n + 1n;
    const filled = loose('aten::fill_.Scalar')(tensor([0], [1], { dtype: 'i64' }), big);
    expect(filled.toArray()).toEqual(BigInt64Array.of(big));
    expect(loose('aten::item')(filled)).toBe(big);
    expect(loose('aten::item')(tensor([7], [1], { dtype: 'i64' }))).toBe(7);
  });

  test('Tensor?[] is taken with and without tensors', () => {
    const index = loose('aten::index.Tensor');
    const matrix = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    const columns = tensor([2, 0], [2], { dtype: 'i64' });
    expect(numbers(index(matrix, [null, columns]))).toEqual([3, 1, 6, 4]);
    expect(numbers(index(matrix, [undefined, columns]))).toEqual([3, 1, 6, 4]);
    expect(numbers(index(matrix, [columns.narrow(0, 1, 1)]))).toEqual([1, 2, 3]);
  });

  test('lists of scalars keep each integer or float', () => {
    const targets = [tensor([1], [1], { dtype: 'i64' }), tensor([1])];
    const sums = loose('aten::_foreach_add.ScalarList')(targets, [2, 2.5]) as unknown as Tensor[];
    expect(sums.map((sum) => [sum.dtype, sum.item()])).toEqual([
      ['i64', 3],
      ['f32', 3.5],
    ]);
  });

  test('bool[3] is taken, and results that were not asked for are null', () => {
    const backward = loose('aten::native_layer_norm_backward');
    const row = tensor([1, 2, 3], [1, 3]);
    const one = tensor([1], [1, 1]);
    const masks = [true, false, false];
    const results = backward(row, row, [3], one, one, null, null, masks) as unknown as (Tensor | null)[];
    expect(results.map((result) => result?.shape ?? null)).toEqual([[1, 3], null, null]);
    expect(() => backward(row, row, [3], one, one, null, null, [true])).toThrow(/fixed-size array/);
  });

  test('devices, dtypes and memory formats are given by name, and a Generator as null', () => {
    expect(loose('aten::empty.memory_format')([2, 2], 'f64', null, 'cpu')).toMatchObject({
      dtype: 'f64',
      device: 'cpu',
      shape: [2, 2],
    });
    const drawn = loose('aten::bernoulli.p')(tensor([5, 5]), 1, null);
    expect(numbers(drawn)).toEqual([1, 1]);
  });

  test('empty lists are passed', () => {
    expect(ops.reshape(tensor([4], [1]), []).shape).toEqual([]);
    expect(thrown(() => ops.cat([], 0))).toMatchObject({
      code: 'libtorch',
      message: 'torch.cat(): expected a non-empty list of Tensors',
    });
    // LibTorch 1.13 needs a tensor to find the kernel, 2.x has a kernel for this case.
    const none = thrown(() => ops.foreachMulScalar_([], 2)) as Error;
    expect(none.message).toMatch(/non-empty list of Tensors|must have at least one tensor/);
  });

  test('an operator that the device lacks is told without the source lines of all its kernels', () => {
    const missing = thrown(() => loose('aten::_fused_dropout')(x, 0.5, null)) as Error;
    expect(missing.message).toContain(
      "Could not run 'aten::_fused_dropout' with arguments from the 'CPU' backend",
    );
    expect(missing.message).not.toContain('registered at');
    expect(missing.message).not.toContain('Exception raised from');
  });

  test('several results, lists of results and results that are no tensors are returned', () => {
    const [values, indices] = loose('aten::max.dim')(tensor([1, 5, 2], [1, 3]), 1) as unknown as [
      Tensor,
      Tensor,
    ];
    expect([values.item(), indices.item(), indices.dtype]).toEqual([5, 1, 'i64']);
    const parts = loose('aten::split.Tensor')(tensor([1, 2, 3]), 2) as unknown as Tensor[];
    expect(parts.map((part) => part.shape)).toEqual([[2], [1]]);
    expect(loose('aten::equal')(x, tensor([1, 2, 3]))).toBe(true);
    expect(loose('aten::size.int')(x, 0)).toBe(3);
    expect(ops.setData(tensor([1]), tensor([2]))).toBeUndefined();
  });
});

describe('arguments of the wrong kind name operator, argument, value and expectation', () => {
  test.each([
    ['aten::unsqueeze', [x, 1.5], "aten::unsqueeze: argument 'dim' is 1.5, expected an integer"],
    ['aten::unsqueeze', [x, Number.NaN], "aten::unsqueeze: argument 'dim' is NaN, expected an integer"],
    [
      'aten::unsqueeze',
      [x, 1e20],
      "aten::unsqueeze: argument 'dim' is 100000000000000000000, expected an integer",
    ],
    [
      'aten::unsqueeze',
      [x, 2n ** 64n],
      "aten::unsqueeze: argument 'dim' is 18446744073709551616, expected an integer",
    ],
    ['aten::unsqueeze', [x, true], "aten::unsqueeze: argument 'dim' is true, expected an integer"],
    ['aten::unsqueeze', [x, null], "aten::unsqueeze: argument 'dim' is null, expected an integer"],
    ['aten::unsqueeze', [x, undefined], "aten::unsqueeze: argument 'dim' is undefined, expected an integer"],
    ['aten::add.Scalar', [x, '1'], "aten::add: argument 'other' is '1', expected a number"],
    ['aten::add.Scalar', [x, Symbol('s')], "aten::add: argument 'other' is a symbol, expected a number"],
    ['aten::add.Scalar', [x, true], "aten::add: argument 'other' is true, expected a number"],
    ['aten::add.Scalar', [x, x], "aten::add: argument 'other' is a tensor, expected a number"],
    ['aten::dropout', [x, '.5', true], "aten::dropout: argument 'p' is '.5', expected a number"],
    ['aten::dropout', [x, 0.5, 1], "aten::dropout: argument 'train' is 1, expected a boolean"],
    ['aten::reshape', [x, 3], "aten::reshape: argument 'shape' is 3, expected an array"],
    ['aten::reshape', [x, ['3']], "aten::reshape: argument 'shape' is '3', expected an integer"],
    ['aten::cat', [[x, 1], 0], "aten::cat: argument 'tensors' is 1, expected a tensor"],
    [
      'aten::bernoulli.p',
      [x, 0.5, 'g'],
      "aten::bernoulli: argument 'generator' is 'g', expected a Generator",
    ],
    [
      'aten::contiguous',
      [x, 'nchw'],
      "aten::contiguous: argument 'memory_format' is 'nchw', expected contiguous, ",
    ],
    ['aten::full', [[1], 1, null, 'sparse'], "aten::full: argument 'layout' is 'sparse', expected strided"],
    [
      'aten::full',
      [[1], 1, 'float32'],
      "unknown dtype 'float32'; expected f32, f64, f16, bf16, u8, i64 or bool",
    ],
  ])('%s %#', (operator, args, message) => {
    expect(thrown(() => loose(operator)(...args))).toMatchObject({
      name: 'TensorError',
      message: expect.stringContaining(message),
    });
  });

  // Other addons wrap C++ objects too: reading one of them as a tensor would crash.
  test.each([
    ['a plain object', {}],
    ['a Buffer', Buffer.from('abc')],
    ['an array buffer', new ArrayBuffer(4)],
    ['a pipeline of sharp', sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } })],
    ['a function', () => x],
    ['null', null],
    ['a number', 5],
  ])('%s is no tensor', (_, value) => {
    expect(thrown(() => loose('aten::relu')(value))).toMatchObject({ name: 'TensorError', code: 'foreign' });
  });
});

describe('in-place operators', () => {
  test('give back the object they were given', () => {
    const y = tensor([1, 2]);
    expect(ops.add_(y, tensor([10, 20]))).toBe(y);
    expect(numbers(y)).toEqual([11, 22]);
    const out = tensor([0, 0]);
    expect(loose('aten::add.out')(y, y, 1, out)).toBe(out);
    expect(numbers(out)).toEqual([22, 44]);
  });

  test('the shape is what the operator left', () => {
    const y = tensor([1, 2]);
    expect(y.shape).toEqual([2]);
    loose('aten::unsqueeze_')(y, 0);
    expect(y.shape).toEqual([1, 2]);
  });

  test('an operator whose name merely looks in-place gives a new tensor', () => {
    const bits = tensor([3], [1], { dtype: 'i64' });
    const masked = loose('aten::__and__.Scalar')(bits, 1);
    expect(masked).not.toBe(bits);
    expect([bits.item(), masked.item()]).toEqual([3, 1]);
  });
});

describe("LibTorch's own words", () => {
  test.each([
    () => x.add(tensor([1, 2])),
    () => x.reshape([4]),
    () => loose('aten::add.Tensor')(x),
    () => x.backward(),
    () => ops.cat([], 0),
  ])('come without the C++ trace %#', (body) => {
    const error = thrown(body) as Error;
    expect(error).toMatchObject({ name: 'TensorError', code: 'libtorch' });
    expect(error.message).not.toMatch(/Exception raised from|frame #/);
    expect(error.message.length).toBeGreaterThan(10);
  });

  test('name the shapes that do not fit', () => {
    expect(() => x.add(tensor([1, 2]))).toThrow(
      'The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 0',
    );
  });
});
