import { inspect, types } from 'node:util';
import { type Device, type Dtype, native, TensorError } from './native.js';
import { Tensor, type TypedArray } from './tensor.js';

export type TensorData = number | readonly number[] | readonly boolean[] | TypedArray;

export interface TensorOptions {
  /**
   * The dtype. The default follows the data (Float64Array → f64, Uint8Array → u8, BigInt64Array → i64, booleans → bool)
   * and is otherwise f32.
   */
  dtype?: Dtype;
  device?: Device;
  requiresGrad?: boolean;
}

/**
 * Makes a tensor with a copy of `data`. Numbers become f32 unless `dtype` says otherwise. i64 takes safe integers or a
 * BigInt64Array, bf16 and f16 round to nearest even, u8 takes integers from 0 to 255, and bool takes booleans, 0 and 1.
 * @param shape by default a scalar for a number, else `[data.length]`
 * @throws TensorError naming the value or the shape that does not fit
 */
export function tensor(data: TensorData, shape?: readonly number[], options: TensorOptions = {}): Tensor {
  if (typeof data !== 'number' && !Array.isArray(data) && !types.isTypedArray(data)) {
    throw new TensorError(`tensor(): the data is ${inspect(data, { depth: 0 })}, expected numbers`);
  }
  const { dtype = dtypeOf(data), device = 'cpu', requiresGrad = false } = options;
  const count = typeof data === 'number' ? 1 : data.length;
  // A copy: what is checked here must be what the addon reads.
  const dims = shape === undefined ? (typeof data === 'number' ? [] : [count]) : Array.from(shape);
  for (const length of dims) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new TensorError(`tensor(): shape [${dims}] holds ${length}, expected integers ≥ 0`);
    }
  }
  const expected = dims.reduce((product, length) => product * length, 1);
  if (count !== expected) {
    throw new TensorError(`tensor(): ${count} values do not fill shape [${dims}], which holds ${expected}`);
  }
  const narrow = dtype === 'f16' || dtype === 'bf16';
  const bytes = convert(typeof data === 'number' ? [data] : data, dtype);
  let made = new Tensor(native().fromBytes(bytes, dims, narrow ? 'f32' : dtype, device));
  if (narrow) {
    const wide = made;
    made = wide.to({ dtype });
    wide.dispose();
  }
  return requiresGrad ? made.setRequiresGrad() : made;
}

function dtypeOf(data: TensorData): Dtype {
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Uint8Array) return 'u8';
  if (data instanceof BigInt64Array) return 'i64';
  if (Array.isArray(data) && typeof data[0] === 'boolean') return 'bool';
  return 'f32';
}

function convert(data: Exclude<TensorData, number>, dtype: Dtype): TypedArray {
  switch (dtype) {
    case 'f64':
      if (data instanceof Float64Array) return data;
      return isRealArray(data) ? new Float64Array(data) : Float64Array.from(numbersOf(data), Number);
    case 'f32':
    case 'f16':
    case 'bf16':
      if (data instanceof Float32Array) return data;
      return isRealArray(data) ? new Float32Array(data) : Float32Array.from(numbersOf(data), Number);
    case 'i64':
      if (data instanceof BigInt64Array) return data;
      return BigInt64Array.from(numbersOf(data), (value) => {
        if (!Number.isSafeInteger(Number(value))) throw unfit(value, 'a safe integer for dtype i64');
        return BigInt(value);
      });
    case 'u8':
      if (data instanceof Uint8Array) return data;
      return Uint8Array.from(numbersOf(data), (value) => {
        const number = Number(value);
        if (!Number.isInteger(number) || number < 0 || number > 255) {
          throw unfit(value, 'an integer from 0 to 255 for dtype u8');
        }
        return number;
      });
    case 'bool':
      return Uint8Array.from(numbersOf(data), (value) => {
        const number = Number(value);
        if (number !== 0 && number !== 1) throw unfit(value, 'a boolean, 0 or 1 for dtype bool');
        return number;
      });
    default:
      throw new TensorError(
        `tensor(): unknown dtype '${dtype satisfies never}'; expected f32, f64, f16, bf16, u8, i64 or bool`,
      );
  }
}

/** Whether a typed array may convert the data by itself, many times faster than value by value. */
function isRealArray(data: Exclude<TensorData, number>): data is Exclude<TypedArray, BigInt64Array> {
  return types.isTypedArray(data) && !types.isBigInt64Array(data) && !types.isBigUint64Array(data);
}

/**
 * Gives the data itself, after checking that an array holds numbers and nothing that Number() would quietly turn into
 * one.
 */
function numbersOf(data: Exclude<TensorData, number>): ArrayLike<number | bigint | boolean> {
  if (Array.isArray(data)) {
    for (const value of data) {
      if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint') {
        throw unfit(value, 'flat numbers (give the shape beside them)');
      }
    }
  }
  return data;
}

function unfit(value: unknown, expected: string): TensorError {
  return new TensorError(`tensor(): the data holds ${inspect(value)}, expected ${expected}`);
}
