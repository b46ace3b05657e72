import { inspect } from 'node:util';
import { type Device, type Dtype, type Handle, type MemoryFormat, native, TensorError } from './native.js';
import * as ops from './ops.js';
import { enlist } from './scope.js';

export type TypedArray = Float32Array | Float64Array | Uint8Array | BigInt64Array;

/**
 * A LibTorch tensor. Its memory is LibTorch's: free it with {@link tidy} or {@link Tensor.dispose}. The garbage
 * collector frees a forgotten one later. The methods are the common arithmetic; all other operators stand in `ops.ts`.
 */
export class Tensor {
  readonly #handle: Handle;

  /** @internal Tensors come from {@link tensor} and from operators. */
  constructor(handle: Handle) {
    this.#handle = handle;
    enlist(this);
  }

  /**
   * @internal The addon's handle, which the addon checks at every use.
   * @throws TensorError (`foreign`) on an object that merely inherits from this class
   */
  get handle(): Handle {
    if (!(#handle in this))
      throw new TensorError('expected a tensor, got an object that was not made as one', 'foreign');
    return this.#handle;
  }

  get shape(): readonly number[] {
    return native().shapeOf(this.handle);
  }

  /**
   * The length of dimension `i`; a negative one counts from the end.
   *
   * @throws TensorError when there is no such dimension.
   */
  size(i: number): number {
    const { shape } = this;
    const length = shape.at(i);
    if (length === undefined) {
      throw new TensorError(`size(${i}): the tensor has ${shape.length} dimensions, [${shape}]`);
    }
    return length;
  }

  get dtype(): Dtype {
    return native().dtypeOf(this.handle);
  }

  get device(): Device {
    return native().deviceOf(this.handle);
  }

  get memoryFormat(): MemoryFormat | 'strided' {
    return native().memoryFormatOf(this.handle);
  }

  get disposed(): boolean {
    return native().isReleased(this.handle);
  }

  /** Frees the memory now (as soon as no view and no pending gradient needs it). Any later use throws. */
  dispose(): void {
    native().release(this.handle);
  }

  /**
   * Copies the values, row-major and flat: Float32Array for f32, f16 and bf16 (both widened exactly), Float64Array for
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
    native().copyBytes(this.handle, array);
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

  /** Copies to another dtype, device or memory format. It returns the tensor itself where nothing changes. */
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
    return native().requiresGrad(this.handle);
  }

  /** Marks a leaf, so that a backward pass computes its gradient. */
  setRequiresGrad(required = true): this {
    native().setRequiresGrad(this.handle, required);
    return this;
  }

  /** The accumulated gradient, or null before the first {@link backward}. */
  get grad(): Tensor | null {
    const handle = native().gradOf(this.handle);
    return handle === null ? null : new Tensor(handle);
  }

  set grad(gradient: Tensor | null) {
    native().setGrad(this.handle, gradient === null ? null : handleOf(gradient));
  }

  /**
   * Adds ∂this/∂leaf to `grad` of every leaf that requires it. `gradient` is needed unless this tensor has one element.
   */
  backward(gradient: Tensor | null = null, { retainGraph = false } = {}): void {
    native().backward([this.handle], gradient === null ? null : [handleOf(gradient)], retainGraph);
  }

  /** Gives the same values, cut off from the graph. */
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

  /** Transposes a matrix. */
  t(): Tensor {
    return ops.t(this);
  }

  /** Sums over `dims`, or over everything. */
  sum(dims?: readonly number[], keepDim = false): Tensor {
    return dims === undefined ? ops.sum(this) : ops.sumDims(this, dims, keepDim);
  }

  /** Averages over `dims`, or over everything. */
  mean(dims?: readonly number[], keepDim = false): Tensor {
    return dims === undefined ? ops.mean(this) : ops.meanDims(this, dims, keepDim);
  }

  reshape(shape: readonly number[]): Tensor {
    return ops.reshape(this, shape);
  }

  /** Takes rows start … start+length−1 of dimension `dim`, as a view. */
  narrow(dim: number, start: number, length: number): Tensor {
    return ops.narrow(this, dim, start, length);
  }

  toString(): string {
    return this.disposed ? 'Tensor(freed)' : `Tensor(${this.dtype}, [${this.shape}], ${this.device})`;
  }
}

/** Gives the addon's handle of a tensor. @throws TensorError (`foreign`) for anything else, whatever its type claims */
export function handleOf(value: Tensor): Handle {
  if (value instanceof Tensor) return value.handle;
  throw new TensorError(`expected a tensor, got ${inspect(value, { depth: 0 })}`, 'foreign');
}
