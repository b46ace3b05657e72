/** Binds operators of LibTorch's dispatcher as typed functions. */
import { type Handle, native, TensorError } from './native.js';
import { synchronous } from './synchronous.js';
import { Tensor } from './tensor.js';

// Tensor uses operators for its methods, and operators make tensors, so the imports form a circle. It holds because
// loading needs only `op` from this file, which is a function declaration.

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
    const result = wrap(engine.call(id, raw), args) as Result;
    if (listener !== undefined) tell({ operator, args, result });
    return result;
  };
  return Object.assign(invoke, { operator, argumentTypes });
}

/** One call of an operator: what it was given, and what it gave back. */
export interface Call {
  readonly operator: string;
  readonly args: readonly unknown[];
  /** A tensor, or several in an array. An in-place operator gives back the tensor that it changed. */
  readonly result: unknown;
}

let listener: ((call: Call) => void) | undefined;

/**
 * Runs `body` and tells `onCall` of every operator that it calls, right after the call. What `onCall` itself calls is
 * not told.
 * @throws TensorError inside another `listenToCalls`
 */
export function listenToCalls<T>(onCall: (call: Call) => void, body: () => T): T {
  if (listener !== undefined) throw new TensorError('listenToCalls: somebody listens already');
  listener = onCall;
  try {
    return synchronous('listenToCalls', 'calls', body());
  } finally {
    listener = undefined;
  }
}

function tell(call: Call): void {
  const heard = listener!;
  listener = undefined;
  try {
    heard(call);
  } finally {
    listener = heard;
  }
}

/** Gives the declaration of an operator as LibTorch prints it, as in `aten::relu_(Tensor(a!) self) -> Tensor(a!)`. */
export function schemaOf(operator: string): string {
  return native().schemaOf(findOperator(operator));
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
  // Lists of numbers are the common case and need no walk. A `Tensor?[]` may begin with null.
  if (Array.isArray(value) && typeof value[0] !== 'number') return value.map(unwrap);
  return value;
}

function wrap(value: unknown, args: readonly unknown[]): unknown {
  if (Array.isArray(value)) return value.map((item) => wrap(item, args));
  if (typeof value !== 'object' || value === null) return value;
  // In-place operators (`add_`) return the handle of their argument, so the caller keeps the object that it has.
  const given = args.find((arg) => arg instanceof Tensor && arg.handle === value);
  return given ?? new Tensor(value as Handle);
}
