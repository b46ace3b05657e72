/** Records which operators a network calls, so that the network needs no second description for the export. */
import {
  type Call,
  type Dtype,
  listenToCalls,
  noGrad,
  Random,
  schemaOf,
  Tensor,
  type TypedArray,
  tensor,
  tidy,
} from '../../tensor/index.js';
import { OnnxError } from './onnxError.js';

/** A length that is the same for every batch, or a multiple of the number of images in the batch. */
export type Extent = number | PerImage;

/** `count` for each image of the batch. */
export interface PerImage {
  readonly perImage: number;
}

/** A tensor of a trace. */
export class Value {
  constructor(
    readonly shape: readonly Extent[],
    readonly dtype: Dtype,
    /** Whether it depends on the images or on their number. */
    readonly varies: boolean,
    /** The values of a tensor that does not vary. */
    readonly constant?: Constant,
  ) {}
}

/** The values of a tensor, row-major. */
export interface Constant {
  readonly data: TypedArray;
  readonly shape: readonly number[];
  /** The name of a weight. */
  readonly name?: string;
}

/** An argument of an operator. */
export type Argument = Value | Extent | boolean | string | null | undefined | readonly Argument[];

/** One call of an operator whose result depends on the images or on their number. */
export interface Step {
  /** Its name with overload, `aten::add.Tensor`. */
  readonly operator: string;
  readonly args: readonly Argument[];
  readonly results: readonly Value[];
}

export interface Trace {
  readonly input: Value;
  /** The steps that the outputs need, in the order of their calls. */
  readonly steps: readonly Step[];
  readonly outputs: Readonly<Record<string, Value>>;
}

export interface TraceOptions {
  /** The shape of one image, [C, H, W]. */
  readonly imageShape: readonly number[];
  /** The names of the weights. */
  readonly weights?: ReadonlyMap<string, Tensor>;
}

/** The two numbers of images that a network is run with. What differs between the runs depends on the batch. */
const BATCHES = [2, 3] as const;

/**
 * Runs `forward` on two batches of other numbers of images, without gradient and on the CPU, and records its operators.
 * What follows from weights alone is recorded as its result.
 *
 * @param forward takes f32 [B, C, H, W] and gives the outputs by name
 * @throws OnnxError when the recorded steps cannot stand for any number of images
 */
export function trace(
  forward: (images: Tensor) => Readonly<Record<string, Tensor>>,
  { imageShape, weights = new Map() }: TraceOptions,
): Trace {
  const names = new Map([...weights].map(([name, weight]) => [weight, name]));
  const snapshots = new Map<Tensor, Constant>();
  const [two, three] = BATCHES.map((batch) =>
    noGrad(() =>
      tidy(() => {
        const shape = [batch, ...imageShape];
        const random = new Random('onnx', batch);
        const count = shape.reduce((product, length) => product * length, 1);
        const images = tensor(
          Float32Array.from({ length: count }, () => random.uniform()),
          shape,
        );
        const recorder = new Recorder(images, names, snapshots);
        const outputs = listenToCalls(
          (call) => recorder.hear(call),
          () => forward(images),
        );
        return recorder.tape(outputs);
      }),
    ),
  );
  return merge(two!, three!);
}

/** A tensor in one of the two runs. */
interface Seen {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** Whether it depends on the values of the images. */
  readonly fromImages: boolean;
  /** The memory that it lies in, and how often that was written to before. */
  readonly memory: { writes: number };
  readonly writes: number;
  /** The values of a tensor that does not depend on them, once an operator has taken it. */
  constant?: Constant;
}

type SeenArgument = Seen | number | boolean | string | null | undefined | readonly SeenArgument[];

interface SeenStep {
  readonly operator: string;
  readonly args: readonly SeenArgument[];
  readonly results: readonly Seen[];
}

interface Tape {
  readonly input: Seen;
  readonly steps: readonly SeenStep[];
  readonly outputs: Readonly<Record<string, Seen>>;
}

class Recorder {
  readonly #input: Seen;
  readonly #seen = new Map<Tensor, Seen>();
  readonly #steps: SeenStep[] = [];
  readonly #names: ReadonlyMap<Tensor, string>;
  /** The values of the weights, which both runs share. */
  readonly #weights: Map<Tensor, Constant>;

  constructor(images: Tensor, names: ReadonlyMap<Tensor, string>, weights: Map<Tensor, Constant>) {
    this.#names = names;
    this.#weights = weights;
    this.#input = this.#look(images, true);
  }

  hear({ operator, args, result }: Call): void {
    const schema = schemaOf(operator);
    // The declaration tells what an operator writes to, `Tensor(a!)`, and what is a view of what, `Tensor(a)`.
    const writes = /^[^(]*\(Tensor\(\w+!/.test(schema);
    const views = /^[^(]*\(Tensor\(\w+( -> \*)?\) .*-> Tensor\(/.test(schema);
    const taken = args.map((arg, i) => this.#argument(operator, arg, writes && i === 0));
    const sources = taken.flatMap(tensorsOf);
    const fromImages = sources.some((source) => source.fromImages);
    const target = sources[0];
    if (writes && target !== undefined) target.memory.writes += 1;
    const memory = (writes || views) && target !== undefined ? target.memory : undefined;
    const results = (Array.isArray(result) ? result : [result]).filter((one) => one instanceof Tensor);
    this.#steps.push({
      operator,
      args: taken,
      results: results.map((one) => this.#look(one, fromImages, memory)),
    });
  }

  tape(outputs: Readonly<Record<string, Tensor>>): Tape {
    const seen = Object.entries(outputs).map(([name, output]) => [name, this.#current('the output', output)]);
    return { input: this.#input, steps: this.#steps, outputs: Object.fromEntries(seen) };
  }

  #look(tensor: Tensor, fromImages: boolean, memory = { writes: 0 }): Seen {
    const { shape, dtype } = tensor;
    const seen: Seen = { shape, dtype, fromImages, memory, writes: memory.writes };
    this.#seen.set(tensor, seen);
    return seen;
  }

  #current(by: string, tensor: Tensor): Seen {
    const seen = this.#seen.get(tensor) ?? this.#look(tensor, false);
    if (seen.writes === seen.memory.writes) return seen;
    throw new OnnxError(
      `${by} reads a tensor of shape [${seen.shape}] that an in-place operator changed through another view; use the operator that makes a new tensor there`,
    );
  }

  #argument(operator: string, arg: unknown, written: boolean): SeenArgument {
    if (Array.isArray(arg)) return arg.map((one) => this.#argument(operator, one, written));
    if (!(arg instanceof Tensor)) return arg as SeenArgument;
    const seen = this.#current(operator, arg);
    // Values that are to be overwritten are gone by now.
    if (!seen.fromImages && !written) seen.constant ??= this.#constant(arg, seen);
    return seen;
  }

  #constant(tensor: Tensor, { shape, writes }: Seen): Constant {
    const name = this.#names.get(tensor);
    const known = writes === 0 ? this.#weights.get(tensor) : undefined;
    const constant = known ?? { data: tensor.toArray(), shape, name };
    if (name !== undefined && writes === 0) this.#weights.set(tensor, constant);
    return constant;
  }
}

function tensorsOf(arg: SeenArgument): Seen[] {
  if (Array.isArray(arg)) return arg.flatMap(tensorsOf);
  return isSeen(arg) ? [arg] : [];
}

function isSeen(arg: SeenArgument): arg is Seen {
  return typeof arg === 'object' && arg !== null && 'fromImages' in arg;
}

/** Makes one trace of the two runs. */
function merge(two: Tape, three: Tape): Trace {
  const most = Math.max(two.steps.length, three.steps.length);
  for (let i = 0; i < most; i += 1) {
    const [a, b] = [two, three].map(({ steps }) => steps[i]?.operator ?? 'nothing more');
    if (a === b) continue;
    throw new OnnxError(
      `the network calls ${a} for a batch of ${BATCHES[0]} and ${b} for one of ${BATCHES[1]}; it must call the same operators for every batch`,
    );
  }
  const merged = new Map<Seen, Value>();
  const valueFor = (a: Seen, b: Seen, by: string): Value => {
    const found = merged.get(a);
    if (found !== undefined) return found;
    // What no operator made must be the same for every batch.
    if (!same(a, b)) {
      throw new OnnxError(
        `${by} takes a tensor that differs from batch to batch and that no operator made; make it from the images by operators`,
      );
    }
    const value = new Value(extents(a.shape, b.shape, by), a.dtype, false, a.constant);
    merged.set(a, value);
    return value;
  };
  const input = new Value(extents(two.input.shape, three.input.shape, 'the input'), two.input.dtype, true);
  merged.set(two.input, input);

  const steps = two.steps.flatMap(({ operator, args, results }, i): Step[] => {
    const counterpart = three.steps[i]!;
    const taken = args.map((arg, at) => argument(arg, counterpart.args[at], operator, valueFor));
    const shapes = results.map((result, at) =>
      extents(result.shape, counterpart.results[at]!.shape, operator),
    );
    const varies = [...taken, ...shapes].some(variable);
    const made = results.map(
      ({ dtype, constant }, at) => new Value(shapes[at]!, dtype, varies, varies ? undefined : constant),
    );
    for (const [at, result] of results.entries()) merged.set(result, made[at]!);
    return varies ? [{ operator, args: taken, results: made }] : [];
  });
  const outputs = Object.fromEntries(
    Object.entries(two.outputs).map(([name, output]) => {
      if (!output.fromImages) throw new OnnxError(`the output "${name}" does not depend on the images`);
      return [name, merged.get(output)!];
    }),
  );
  return { input, steps: needed(steps, Object.values(outputs)), outputs };
}

function same({ constant: a }: Seen, { constant: b }: Seen): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return a.shape.join() === b.shape.join() && a.data.every((value, i) => Object.is(value, b.data[i]));
}

function extents(a: readonly number[], b: readonly number[], by: string): Extent[] {
  return a.map((length, i) => extent(length, b[i]!, by));
}

function extent(a: number, b: number, by: string): Extent {
  if (Object.is(a, b)) return a;
  const perImage = a / BATCHES[0];
  if (Number.isInteger(perImage) && perImage * BATCHES[1] === b) return { perImage };
  throw new OnnxError(
    `${by} has the number ${a} for a batch of ${BATCHES[0]} and ${b} for one of ${BATCHES[1]}; only what is constant or a multiple of the batch can be exported`,
  );
}

function argument(
  a: SeenArgument,
  b: SeenArgument,
  by: string,
  valueFor: (a: Seen, b: Seen, by: string) => Value,
): Argument {
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    return a.map((one, i) => argument(one, b[i], by, valueFor));
  }
  if (isSeen(a) && isSeen(b)) return valueFor(a, b, by);
  if (typeof a === 'number' && typeof b === 'number') return extent(a, b, by);
  if (a === b) return a as Argument;
  throw new OnnxError(`${by} has other arguments for another batch: ${String(a)} and ${String(b)}`);
}

/** Tells whether an argument depends on the images or on their number. */
function variable(arg: Argument): boolean {
  if (Array.isArray(arg)) return arg.some(variable);
  if (arg instanceof Value) return arg.varies;
  return isPerImage(arg);
}

export function isPerImage(arg: Argument): arg is PerImage {
  return typeof arg === 'object' && arg !== null && 'perImage' in arg;
}

function needed(steps: readonly Step[], outputs: readonly Value[]): Step[] {
  const wanted = new Set<Argument>(outputs);
  const want = (arg: Argument): void => {
    if (Array.isArray(arg)) arg.forEach(want);
    else if (arg instanceof Value) wanted.add(arg);
  };
  return steps
    .toReversed()
    .filter(({ args, results }) => {
      const used = results.some((result) => wanted.has(result));
      if (used) args.forEach(want);
      return used;
    })
    .reverse();
}
