/** What callers can do while their values are converted: run code in getters, resize and detach buffers, lie about kinds. */
import { describe, expect, test } from 'vitest';
import { autocast, gradientsOf, ops, Tensor, tensor } from '../../src/tensor/index.js';
import { type Handle, native } from '../../src/tensor/native.js';
import { op } from '../../src/tensor/operator.js';
import { thrown } from './thrown.js';

// ES2024, which the types of this project's target do not know yet.
type Resizable = ArrayBuffer & { resize(length: number): void; transfer(): ArrayBuffer };
type Growable = SharedArrayBuffer & { grow(length: number): void };
function resizable(length: number, maxByteLength: number): Resizable {
  return new (ArrayBuffer as unknown as new (length: number, options: object) => Resizable)(length, {
    maxByteLength,
  });
}

/** An array whose item `at` runs `act` when it is read. */
function trap(values: readonly number[], at: number, act: () => void): number[] {
  const array = [...values];
  const value = array[at];
  Object.defineProperty(array, at, {
    get: () => {
      act();
      return value;
    },
  });
  return array;
}

const MEBIBYTE = 1 << 20;

describe('a buffer that a getter takes away while the shape is read', () => {
  const detach = (buffer: ArrayBuffer) => void structuredClone(buffer, { transfer: [buffer] });

  test.each<[string, () => { data: Uint8Array; act: () => void }]>([
    [
      'detached',
      () => {
        const buffer = new ArrayBuffer(4 * MEBIBYTE);
        return { data: new Uint8Array(buffer), act: () => buffer.byteLength > 0 && detach(buffer) };
      },
    ],
    [
      'shrunk under a view of fixed length',
      () => {
        const buffer = resizable(4 * MEBIBYTE, 4 * MEBIBYTE);
        return { data: new Uint8Array(buffer, 0, 4 * MEBIBYTE), act: () => buffer.resize(0) };
      },
    ],
    [
      'shrunk under a view that follows it',
      () => {
        const buffer = resizable(4 * MEBIBYTE, 4 * MEBIBYTE);
        return { data: new Uint8Array(buffer), act: () => buffer.resize(16) };
      },
    ],
  ])('%s', (_, make) => {
    for (const convert of [
      (data: Uint8Array, shape: number[]) => native().fromBytes(data, shape, 'u8', 'cpu'),
      (data: Uint8Array, shape: number[]) => tensor(data, shape),
    ]) {
      const { data, act } = make();
      const shape = trap([4 * MEBIBYTE], 0, act);
      expect(thrown(() => convert(data, shape))).toMatchObject({ name: 'TensorError', code: 'argument' });
    }
  });

  test('a shared buffer that grows gives the values of the view', () => {
    const buffer = new (SharedArrayBuffer as unknown as new (length: number, options: object) => Growable)(
      4,
      { maxByteLength: MEBIBYTE },
    );
    const fixed = new Uint8Array(buffer, 0, 4).fill(7);
    const made = native().fromBytes(
      fixed,
      trap([4], 0, () => buffer.grow(MEBIBYTE)),
      'u8',
      'cpu',
    );
    expect(new Tensor(made).toArray()).toEqual(Uint8Array.of(7, 7, 7, 7));
    const follows = new Uint8Array(buffer);
    expect(tensor(follows).shape).toEqual([MEBIBYTE]);
  });

  test('a view that lies outside its buffer has no values, to read or to write', () => {
    const buffer = resizable(64, 64);
    const view = new Uint8Array(buffer, 32, 16);
    buffer.resize(8);
    expect(() => native().copyBytes(tensor(new Uint8Array(16)).handle, view)).toThrow(
      'the tensor has 16 bytes, the array 0',
    );
    expect(tensor(view).shape).toEqual([0]);
  });
});

describe('getters in lists', () => {
  test('may free the operands, shorten the list or call other operators', () => {
    const x = tensor([1, 2, 3, 4]);
    const y = ops.reshape(
      x,
      trap([2, 2], 1, () => {
        x.dispose();
        for (let i = 0; i < 50; i += 1) op<[Tensor], Tensor>('aten::relu')(tensor([i])).dispose();
      }),
    );
    expect([...y.toArray()]).toEqual([1, 2, 3, 4]);
    const shape: number[] = trap([2, 2, 1, 1], 1, () => {
      shape.length = 2;
    });
    expect(thrown(() => ops.reshape(y, shape))).toMatchObject({
      name: 'TensorError',
      message: expect.stringContaining("argument 'shape' is undefined, expected an integer"),
    });
  });

  test('an error of their own passes through as it is', () => {
    const mine = new Error('mine');
    const shape = trap([4], 0, () => {
      throw mine;
    });
    expect(thrown(() => ops.reshape(tensor([1, 2, 3, 4]), shape))).toBe(mine);
  });

  test('a list that merely claims to be long takes no memory', () => {
    const shape: number[] = Object.assign(new Array(2 ** 32 - 1), { 0: 1 });
    expect(() => ops.reshape(tensor([1]), shape)).toThrow('expected an integer');
    expect(() => native().fromBytes(new Uint8Array(1), shape, 'u8', 'cpu')).toThrow(
      'the shape holds something else than integers',
    );
  });
});

describe('sizes beyond what can be counted', () => {
  test.each([[[2 ** 32, 2 ** 32]], [[2 ** 53 - 1, 2 ** 53 - 1, 2 ** 53 - 1]], [[2 ** 62]], [[2 ** 40]]])(
    '%j is refused before memory is taken',
    (shape) => {
      const refused = thrown(() => native().fromBytes(new Float64Array(0), shape, 'f64', 'cpu'));
      expect(refused).toMatchObject({ name: 'TensorError', code: 'argument' });
    },
  );

  test('a dimension of 0 makes it empty', () => {
    const made = native().fromBytes(new Float64Array(0), [2 ** 40, 0], 'f64', 'cpu');
    expect(new Tensor(made).shape).toEqual([2 ** 40, 0]);
  });
});

describe('values of the wrong kind are TensorErrors', () => {
  const x = tensor([1, 2]);
  const fake = Object.create(Tensor.prototype) as Tensor;
  const nothing = null as unknown as Tensor;

  test.each<[string, () => unknown]>([
    ['an object that inherits from Tensor', () => ops.addTensor(x, fake)],
    ['its shape', () => fake.shape],
    ['its values', () => fake.toArray()],
    ['its backward pass', () => fake.backward()],
    ['its text', () => String(fake)],
    ['a method of the class', () => Tensor.prototype.size(0)],
    ['a gradient', () => x.backward({} as Tensor)],
    [
      'a gradient to set',
      () => {
        x.grad = 5 as unknown as Tensor;
      },
    ],
    [
      'no gradient to set',
      () => {
        x.grad = undefined as unknown as Tensor;
      },
    ],
    ['outputs', () => gradientsOf([nothing], [x])],
    ['inputs', () => gradientsOf([x], [fake])],
    ['a list with one', () => ops.cat([x, fake], 0)],
    ['a list of nothing', () => ops.cat([nothing, nothing], 0)],
  ])('%s', (_, use) => {
    expect(thrown(use)).toMatchObject({ name: 'TensorError', code: 'foreign' });
  });

  test.each<[string, () => unknown]>([
    ['null as data', () => tensor(null as unknown as number)],
    ['a string as data', () => tensor('12' as unknown as number)],
    ['a view without numbers', () => tensor(new DataView(new ArrayBuffer(8)) as unknown as number[])],
    ['an object that inherits from an array', () => tensor(Object.create(Float32Array.prototype))],
    ['a device', () => tensor([1], [1], { device: 5 as unknown as 'cpu' })],
    ['a device number', () => tensor([1], [1], { device: 'cuda:99999999999999999999' })],
    ['the device of autocast', () => autocast('bf16', () => x, {} as 'cpu')],
    ['the dtype of autocast', () => autocast(5 as unknown as 'bf16', () => x)],
    [
      'a shape for the addon',
      () => native().fromBytes(new Uint8Array(1), 'no' as unknown as [], 'u8', 'cpu'),
    ],
    [
      'a length for the addon',
      () => native().fromBytes(new Uint8Array(1), ['1' as unknown as 1], 'u8', 'cpu'),
    ],
    ['bytes for the addon', () => native().fromBytes({} as Uint8Array, [1], 'u8', 'cpu')],
    ['a view for the addon', () => native().fromBytes(new DataView(new ArrayBuffer(1)), [1], 'u8', 'cpu')],
    ['a place for values', () => native().copyBytes(x.handle, new DataView(new ArrayBuffer(8)))],
    ['a list of handles', () => native().grad(5 as unknown as Handle[], [], null, false)],
  ])('%s', (_, use) => {
    expect(thrown(use)).toMatchObject({ name: 'TensorError', code: 'argument' });
  });
});
