import { inspect } from 'node:util';
import { type Device, type Dtype, type Handle, type MemoryFormat, native, TensorError } from './native.js';
import * as ops from './ops.js';
import { synchronous } from './synchronous.js';

export type TypedArray = Float32Array | Float64Array | Uint8Array | BigInt64Array;
export type TensorData = number | readonly number[] | readonly boolean[] | TypedArray;

export interface TensorOptions {
  /** Default: what the data is (Float64Array → f64, Uint8Array → u8, BigInt64Array → i64, booleans → bool), else f32. */
  dtype?: Dtype;
  device?: Device;
  requiresGrad?: boolean;
}

/**
 * A LibTorch tensor. Its memory is LibTorch's: free it with {@link tidy} or {@link Tensor.dispose}; the garbage collector
 * is only the net below. Methods are the arithmetic everybody needs; all other operators stand in `ops.ts`.
 */
export class Tensor {
  readonly #handle: Handle;

  /** @internal Tensors come from {@link tensor} and from operators. */
  constructor(handle: Handle) {
    this.#handle = handle;
    scopes.at(-1)?.add(this);
  }

  /** @internal The addon's handle; checked by the addon at every use. */
  get handle(): Handle {
    return this.#handle;
  }

  get shape(): readonly number[] {
    return native().shapeOf(this.#handle);
  }

  /** Length of dimension `i`; negative counts from the end. @throws TensorError when there is no such dimension. */
  size(i: number): number {
    const { shape } = this;
    const length = shape.at(i);
    if (length === undefined) {
      throw new TensorError(`size(${i}): the tensor has ${shape.length} dimensions, [${shape}]`);
    }
    return length;
  }

  get dtype(): Dtype {
    return native().dtypeOf(this.#handle);
  }

  get device(): Device {
    return native().deviceOf(this.#handle);
  }

  get memoryFormat(): MemoryFormat | 'strided' {
    return native().memoryFormatOf(this.#handle);
  }

  get disposed(): boolean {
    return native().isReleased(this.#handle);
  }

  /** Frees the memory now (as soon as no view and no pending gradient needs it). Any later use throws. */
  dispose(): void {
    native().release(this.#handle);
  }

  /**
   * The values, copied, row-major and flat: Float32Array for f32, f16 and bf16 (both widened exactly), Float64Array for
   * f64, BigInt64Array for i64, Uint8Array for u8 and bool (0 or 1).
   */
  toArray(): TypedArray {
    const { dtype } = this;
    const count = this.shape.reduce((product, length) => product * length, 1);
    switch (dtype) {
      case 'f32':
        return this.#copyInto(new Float32Array(count));
      case 'f64':
        return this.#copyInto(new Float64Array(count));
      case 'i64':
        return this.#copyInto(new BigInt64Array(count));
      case 'u8':
      case 'bool':
        return this.#copyInto(new Uint8Array(count));
      case 'f16':
      case 'bf16': {
        const wide = this.to({ dtype: 'f32' });
        const values = wide.toArray();
        wide.dispose();
        return values;
      }
      default:
        throw new TensorError(
          `toArray(): dtype ${dtype satisfies never} has no JavaScript array; cast it with to()`,
        );
    }
  }

  #copyInto<T extends TypedArray>(array: T): T {
    native().copyBytes(this.#handle, array);
    return array;
  }

  /** The value of a tensor with exactly one element. @throws TensorError for an i64 that no number holds exactly */
  item(): number {
    const { shape } = this;
    if (shape.some((length) => length !== 1)) {
      throw new TensorError(`item(): the tensor has shape [${shape}], expected exactly one element`);
    }
    const value = this.toArray()[0]!;
    if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) {
      throw new TensorError(`item(): ${value} is no safe integer; toArray() gives it as a BigInt`);
    }
    return Number(value);
  }

  /** A copy with another dtype, device or memory format; itself where nothing changes. */
  to({
    dtype,
    device,
    memoryFormat,
  }: {
    dtype?: Dtype;
    device?: Device;
    memoryFormat?: MemoryFormat;
  }): Tensor {
    return ops.toCopy(this, dtype ?? null, null, device ?? null, null, false, false, memoryFormat ?? null);
  }

  get requiresGrad(): boolean {
    return native().requiresGrad(this.#handle);
  }

  /** Marks a leaf as one that gradients are wanted for. */
  setRequiresGrad(required = true): this {
    native().setRequiresGrad(this.#handle, required);
    return this;
  }

  /** The accumulated gradient, or null before the first {@link backward}. */
  get grad(): Tensor | null {
    const handle = native().gradOf(this.#handle);
    return handle === null ? null : new Tensor(handle);
  }

  set grad(gradient: Tensor | null) {
    native().setGrad(this.#handle, gradient === null ? null : gradient.handle);
  }

  /**
   * Adds ∂this/∂leaf to `grad` of every leaf that requires it. `gradient` is needed unless this has one element.
   */
  backward(gradient: Tensor | null = null, { retainGraph = false } = {}): void {
    native().backward([this.#handle], gradient === null ? null : [gradient.handle], retainGraph);
  }

  /** The same values, cut off from the graph. */
  detach(): Tensor {
    return ops.detach(this);
  }

  add(other: Tensor | number): Tensor {
    return other instanceof Tensor ? ops.addTensor(this, other) : ops.addScalar(this, other);
  }

  sub(other: Tensor | number): Tensor {
    return other instanceof Tensor ? ops.subTensor(this, other) : ops.subScalar(this, other);
  }

  mul(other: Tensor | number): Tensor {
    return other instanceof Tensor ? ops.mulTensor(this, other) : ops.mulScalar(this, other);
  }

  div(other: Tensor | number): Tensor {
    return other instanceof Tensor ? ops.divTensor(this, other) : ops.divScalar(this, other);
  }

  neg(): Tensor {
    return ops.neg(this);
  }

  pow(exponent: number): Tensor {
    return ops.powScalar(this, exponent);
  }

  sqrt(): Tensor {
    return ops.sqrt(this);
  }

  exp(): Tensor {
    return ops.exp(this);
  }

  log(): Tensor {
    return ops.log(this);
  }

  matmul(other: Tensor): Tensor {
    return ops.matmul(this, other);
  }

  /** Transpose of a matrix. */
  t(): Tensor {
    return ops.t(this);
  }

  /** Sum over `dims`, or over everything. */
  sum(dims?: readonly number[], keepDim = false): Tensor {
    return dims === undefined ? ops.sum(this) : ops.sumDims(this, dims, keepDim);
  }

  /** Mean over `dims`, or over everything. */
  mean(dims?: readonly number[], keepDim = false): Tensor {
    return dims === undefined ? ops.mean(this) : ops.meanDims(this, dims, keepDim);
  }

  reshape(shape: readonly number[]): Tensor {
    return ops.reshape(this, shape);
  }

  /** Rows start … start+length−1 of dimension `dim`, a view. */
  narrow(dim: number, start: number, length: number): Tensor {
    return ops.narrow(this, dim, start, length);
  }

  toString(): string {
    return this.disposed ? 'Tensor(freed)' : `Tensor(${this.dtype}, [${this.shape}], ${this.device})`;
  }
}

/**
 * A tensor with a copy of `data`. Numbers become f32 unless `dtype` says otherwise; i64 takes safe integers or a
 * BigInt64Array, bf16 and f16 round to nearest even, u8 takes integers from 0 to 255, bool takes booleans, 0 and 1.
 * @param shape default: a scalar for a number, else `[data.length]`
 * @throws TensorError naming the value or the shape that does not fit
 */
export function tensor(data: TensorData, shape?: readonly number[], options: TensorOptions = {}): Tensor {
  const { dtype = dtypeOf(data), device = 'cpu', requiresGrad = false } = options;
  const count = typeof data === 'number' ? 1 : data.length;
  const dims = shape ?? (typeof data === 'number' ? [] : [count]);
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
      return data instanceof Float64Array ? data : Float64Array.from(numbersOf(data), Number);
    case 'f32':
    case 'f16':
    case 'bf16':
      return data instanceof Float32Array ? data : Float32Array.from(numbersOf(data), Number);
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

/** The data itself, once an array is known to hold numbers and nothing that Number() would quietly make one of. */
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

// ---------------------------------------------------------------------------------------------------------------------
// Memory: scopes

const scopes: Set<Tensor>[] = [];

/**
 * Runs `body` and frees every tensor made inside, but those in its result (a tensor, or arrays, maps, sets and plain objects of
 * them) and those given to {@link keep}. Scopes nest. A matter of speed, not only of leaks: memory freed at the end of a
 * training step serves the next one. @throws TensorError when `body` returns a promise: its tensors would be freed too soon.
 */
export function tidy<T>(body: () => T): T {
  const scope = new Set<Tensor>();
  scopes.push(scope);
  let kept = new Set<Tensor>(); // stays empty when body throws: then everything goes
  try {
    const result = synchronous('tidy', 'tidy', body());
    kept = tensorsIn(result);
    return result;
  } finally {
    scopes.pop();
    const outer = scopes.at(-1);
    for (const made of scope) {
      if (kept.has(made)) outer?.add(made);
      else made.dispose();
    }
  }
}

/** Takes a tensor (or all in an array, map, set or plain object) out of every {@link tidy} scope: the caller disposes it. */
export function keep<T>(value: T): T {
  for (const kept of tensorsIn(value)) for (const scope of scopes) scope.delete(kept);
  return value;
}

/** Every tensor reachable through arrays, maps, sets and plain objects. */
function tensorsIn(value: unknown, found = new Set<Tensor>(), seen = new Set<object>()): Set<Tensor> {
  if (value instanceof Tensor) found.add(value);
  else if (typeof value === 'object' && value !== null && !seen.has(value)) {
    seen.add(value);
    if (Array.isArray(value)) for (const item of value) tensorsIn(item, found, seen);
    else if (value instanceof Map || value instanceof Set)
      for (const item of value.values()) tensorsIn(item, found, seen);
    else if (isPlain(value)) for (const item of Object.values(value)) tensorsIn(item, found, seen);
  }
  return found;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Tensors of this environment that are neither freed nor collected. */
export function liveTensors(): number {
  return native().liveTensors();
}

// ---------------------------------------------------------------------------------------------------------------------
// Gradient mode

/** Runs `body` without recording a graph. */
export function noGrad<T>(body: () => T): T {
  return withGradMode('noGrad', false, body);
}

/** Runs `body` with recording switched on again inside {@link noGrad}. */
export function enableGrad<T>(body: () => T): T {
  return withGradMode('enableGrad', true, body);
}

function withGradMode<T>(scope: string, enabled: boolean, body: () => T): T {
  const previous = native().setGradMode(enabled);
  try {
    return synchronous(scope, `${scope} covers`, body());
  } finally {
    native().setGradMode(previous);
  }
}

/**
 * ∂(sum of outputs)/∂input for each input, without touching `grad`; null where no path leads to an input.
 * @param retainGraph keep the graph for a further backward pass
 */
export function gradientsOf(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  { retainGraph = false } = {},
): (Tensor | null)[] {
  return native()
    .grad(
      outputs.map((output) => output.handle),
      inputs.map((input) => input.handle),
      null,
      retainGraph,
    )
    .map((handle) => (handle === null ? null : new Tensor(handle)));
}

// ---------------------------------------------------------------------------------------------------------------------
// Operators

/** An operator of LibTorch as a typed function. */
export type Operator<Args extends readonly unknown[], Result> = ((...args: Args) => Result) & {
  readonly operator: string;
  readonly argumentTypes: readonly string[];
};

/**
 * Binds an operator of LibTorch's dispatcher, looked up at the first call.
 * @param operator its name with overload, `aten::add.Tensor`
 * @param argumentTypes the schema types of the arguments the line passes; a test holds them against the loaded LibTorch
 * @throws TensorError (`operator`) when the loaded LibTorch lacks it
 */
export function op<Args extends readonly unknown[], Result>(
  operator: string,
  ...argumentTypes: readonly string[]
): Operator<Args, Result> {
  let id: number | undefined;
  const invoke = (...args: Args): Result => {
    const engine = native();
    id ??= findOperator(operator);
    const raw: unknown[] = new Array(args.length);
    for (let i = 0; i < args.length; i += 1) raw[i] = unwrap(args[i]);
    return wrap(engine.call(id, raw), args) as Result;
  };
  return Object.assign(invoke, { operator, argumentTypes });
}

/** @throws TensorError when the loaded LibTorch has no such operator */
export function findOperator(operator: string): number {
  const [name, overload = ''] = operator.split('.') as [string, string?];
  const id = native().findOperator(name, overload);
  if (id === null) {
    throw new TensorError(`LibTorch ${native().torchVersion} has no operator ${operator}`, 'operator');
  }
  return id;
}

function unwrap(value: unknown): unknown {
  if (value instanceof Tensor) return value.handle;
  // Lists of numbers are the common case and need no walk; a `Tensor?[]` may begin with null.
  if (Array.isArray(value) && typeof value[0] !== 'number') return value.map(unwrap);
  return value;
}

function wrap(value: unknown, args: readonly unknown[]): unknown {
  if (Array.isArray(value)) return value.map((item) => wrap(item, args));
  if (typeof value !== 'object' || value === null) return value;
  // In-place operators (`add_`) give back their argument's handle: the caller keeps the one object it knows.
  const given = args.find((arg) => arg instanceof Tensor && arg.handle === value);
  return given ?? new Tensor(value as Handle);
}
