/**
 * LibTorch's operators as nodes of ONNX, an entry each. An entry is told of one call and gives the names of its results.
 */
import { elementType, type Graph } from './graph.js';
import { OnnxError } from './onnxError.js';
import { type Argument, type Extent, isPerImage, type Step, Value } from './trace.js';

/** One call that is to be translated. */
export class Site {
  readonly #step: Step;
  readonly #nameOf: (value: Value) => string;
  readonly graph: Graph;
  /** Gives the name of a vector that holds the number of images alone. */
  readonly batch: () => string;

  constructor(step: Step, graph: Graph, nameOf: (value: Value) => string, batch: () => string) {
    this.#step = step;
    this.graph = graph;
    this.#nameOf = nameOf;
    this.batch = batch;
  }

  get results(): readonly Value[] {
    return this.#step.results;
  }

  get result(): Value {
    return this.results[0]!;
  }

  /** The argument as a tensor. */
  value(at: number): Value {
    const arg = this.#step.args[at];
    return arg instanceof Value ? arg : this.refuse(`argument ${at} is no tensor`);
  }

  name(at: number): string {
    return this.#nameOf(this.value(at));
  }

  names(at: number): string[] {
    const arg = this.#step.args[at];
    return (arg as readonly Value[]).map(this.#nameOf);
  }

  has(at: number): boolean {
    return this.#step.args[at] != null;
  }

  /** A number that is the same for every batch. */
  number(at: number, byDefault?: number): number {
    return this.#fixed(this.#step.args[at] ?? byDefault);
  }

  /** Numbers that are the same for every batch. */
  numbers(at: number, byDefault?: readonly number[]): number[] {
    const arg = this.#step.args[at];
    const given = Array.isArray(arg) && arg.length > 0 ? arg : byDefault;
    return given === undefined
      ? this.refuse(`argument ${at} is missing`)
      : given.map((one) => this.#fixed(one));
  }

  flag(at: number, byDefault = false): boolean {
    return (this.#step.args[at] ?? byDefault) as boolean;
  }

  text(at: number, byDefault: string): string {
    return (this.#step.args[at] ?? byDefault) as string;
  }

  /** A dimension, counted from 0, of the tensor that is the first argument. */
  dimension(at: number): number {
    const dimension = this.number(at);
    return dimension < 0 ? dimension + this.value(0).shape.length : dimension;
  }

  /** Adds a node and names its result. */
  node(...node: Parameters<Graph['node']>): string[] {
    return [this.graph.node(...node)];
  }

  /** The shape of the result as a vector. */
  resultShape(): string {
    return this.graph.shape(this.result.shape, this.batch);
  }

  /** The tensor's name, cast to the type of the result. */
  cast(at: number): string {
    const name = this.name(at);
    if (this.value(at).dtype === this.result.dtype) return name;
    return this.graph.node('Cast', [name], { to: elementType(this.result.dtype) });
  }

  refuse(why: string): never {
    throw new OnnxError(`${this.#step.operator} cannot be written as ONNX here: ${why}`);
  }

  #fixed(arg: Argument): number {
    if (typeof arg === 'number') return arg;
    if (isPerImage(arg)) return this.refuse('a number depends on the size of the batch');
    return this.refuse(`expected a number, got ${String(arg)}`);
  }
}

type Entry = (site: Site) => string[];

const unary =
  (type: string): Entry =>
  (site) =>
    site.node(type, [site.name(0)]);

const binary =
  (type: string): Entry =>
  (site) => {
    // `add` and `sub` have a factor on the second operand.
    if (site.number(2, 1) !== 1) site.refuse('alpha is not 1');
    return site.node(type, [site.cast(0), site.cast(1)]);
  };

const withScalar =
  (type: string): Entry =>
  (site) => {
    if (site.number(2, 1) !== 1) site.refuse('alpha is not 1');
    return site.node(type, [site.cast(0), site.graph.scalar(site.number(1), site.result.dtype)]);
  };

/** The tensor itself: ONNX has no layouts, and nothing is written in place. */
const itself: Entry = (site) => [site.cast(0)];

const reshaped: Entry = (site) => {
  const { shape } = site.result;
  // One length may be left to the reader.
  const open = shape.filter(isPerImage).length === 1;
  const to = open
    ? site.graph.integers(shape.map((extent) => (isPerImage(extent) ? -1 : extent)))
    : site.resultShape();
  return site.node('Reshape', [site.name(0), to]);
};

/** A reduction whose dimensions are an attribute, as they are up to opset 17. */
const reduced =
  (type: string): Entry =>
  (site) =>
    site.node(type, [site.name(0)], { axes: site.numbers(1), keepdims: Number(site.flag(2)) });

/** Rows `start` to `end`, every `step`-th, of a dimension. */
function sliced(site: Site, dimension: number, start: number, end: number, step = 1): string {
  const { graph } = site;
  const [starts, ends, axes, steps] = [start, end, dimension, step].map((one) => graph.integers([one]));
  return graph.node('Slice', [site.name(0), starts!, ends!, axes!, steps!]);
}

/** Parts of a dimension one after another, each as long as the result. */
const parts: Entry = (site) => {
  const dimension = site.dimension(2);
  let start = 0;
  return site.results.map(({ shape }) => {
    const length = fixedLength(site, shape[dimension]!);
    start += length;
    return sliced(site, dimension, start - length, start);
  });
};

function fixedLength(site: Site, extent: Extent): number {
  return isPerImage(extent) ? site.refuse('it cuts along the batch') : extent;
}

function selected(site: Site, dimension: number, index: number): string {
  return site.graph.node('Gather', [site.name(0), site.graph.scalar(index, 'i64')], { axis: dimension });
}

function permuted(site: Site, order: readonly number[]): string[] {
  return site.node('Transpose', [site.name(0)], { perm: order });
}

const swapped = (site: Site, a: number, b: number): string[] => {
  const order = site.value(0).shape.map((_, i) => (i === a ? b : i === b ? a : i));
  return permuted(site, order);
};

/** The attributes of a pooling: kernel, stride, padding, as arguments 1 to 3. */
function pooling(site: Site): { kernel_shape: number[]; strides: number[]; pads: number[] } {
  const kernel = pair(site.numbers(1));
  const padding = pair(site.numbers(3, [0]));
  return {
    kernel_shape: kernel,
    strides: pair(site.numbers(2, kernel)),
    pads: [...padding, ...padding],
  };
}

const pair = (numbers: readonly number[]): number[] =>
  numbers.length === 1 ? [numbers[0]!, numbers[0]!] : [...numbers];

const ENTRIES: Readonly<Record<string, Entry>> = {
  // Arithmetic
  'aten::add.Tensor': binary('Add'),
  'aten::add_.Tensor': binary('Add'),
  'aten::sub.Tensor': binary('Sub'),
  'aten::mul.Tensor': binary('Mul'),
  'aten::mul_.Tensor': binary('Mul'),
  'aten::div.Tensor': binary('Div'),
  'aten::add.Scalar': withScalar('Add'),
  'aten::add_.Scalar': withScalar('Add'),
  'aten::sub.Scalar': withScalar('Sub'),
  'aten::mul.Scalar': withScalar('Mul'),
  'aten::mul_.Scalar': withScalar('Mul'),
  'aten::div.Scalar': withScalar('Div'),
  'aten::pow.Tensor_Scalar': withScalar('Pow'),
  'aten::neg': unary('Neg'),
  'aten::sqrt': unary('Sqrt'),
  'aten::exp': unary('Exp'),
  'aten::log': unary('Log'),
  'aten::erf': unary('Erf'),

  // Activations
  'aten::relu': unary('Relu'),
  'aten::relu_': unary('Relu'),
  'aten::sigmoid': unary('Sigmoid'),
  'aten::tanh': unary('Tanh'),
  'aten::gelu': (site) => {
    if (site.text(1, 'none') !== 'none') site.refuse('only the exact one (by erf) is known');
    const { graph } = site;
    const x = site.name(0);
    const scalar = (value: number) => graph.scalar(value, site.result.dtype);
    const erf = graph.node('Erf', [graph.node('Mul', [x, scalar(Math.SQRT1_2)])]);
    const gate = graph.node('Mul', [graph.node('Add', [erf, scalar(1)]), scalar(0.5)]);
    return site.node('Mul', [x, gate]);
  },
  'aten::softmax.int': (site) => site.node('Softmax', [site.name(0)], { axis: site.dimension(1) }),
  'aten::dropout': (site) => (site.flag(2) ? site.refuse('it is in training mode') : itself(site)),

  // Layers
  'aten::conv2d': (site) => {
    const kernel = site.value(1).shape.slice(2) as number[];
    const padding = pair(site.numbers(4, [0]));
    return site.node('Conv', [site.name(0), site.name(1), ...(site.has(2) ? [site.name(2)] : [])], {
      kernel_shape: kernel,
      strides: pair(site.numbers(3, [1])),
      pads: [...padding, ...padding],
      dilations: pair(site.numbers(5, [1])),
      group: site.number(6, 1),
    });
  },
  'aten::batch_norm': (site) => {
    if (site.flag(5)) site.refuse('it is in training mode');
    return site.node(
      'BatchNormalization',
      [0, 1, 2, 3, 4].map((at) => site.name(at)),
      {
        epsilon: { float: site.number(7) },
      },
    );
  },
  'aten::layer_norm': (site) => {
    const { graph, result } = site;
    const shape = site.numbers(1);
    const count = shape.reduce((product, length) => product * length, 1);
    const scale = site.has(2)
      ? site.name(2)
      : graph.constant(new Float32Array(count).fill(1), shape, result.dtype);
    return site.node('LayerNormalization', [site.name(0), scale, ...(site.has(3) ? [site.name(3)] : [])], {
      axis: -shape.length,
      epsilon: { float: site.number(4, 1e-5) },
    });
  },
  'aten::linear': (site) => {
    const { graph } = site;
    const bias = site.has(2) ? [site.name(2)] : [];
    if (site.value(0).shape.length === 2) {
      return site.node('Gemm', [site.name(0), site.name(1), ...bias], { transB: 1 });
    }
    const product = graph.node('MatMul', [
      site.name(0),
      graph.node('Transpose', [site.name(1)], { perm: [1, 0] }),
    ]);
    return bias.length === 0 ? [product] : site.node('Add', [product, ...bias]);
  },
  'aten::matmul': (site) => site.node('MatMul', [site.name(0), site.name(1)]),
  'aten::bmm': (site) => site.node('MatMul', [site.name(0), site.name(1)]),
  'aten::max_pool2d': (site) =>
    site.node('MaxPool', [site.name(0)], {
      ...pooling(site),
      dilations: pair(site.numbers(4, [1])),
      ceil_mode: Number(site.flag(5)),
    }),
  'aten::avg_pool2d': (site) => {
    if (site.has(6)) site.refuse('it has a divisor of its own');
    return site.node('AveragePool', [site.name(0)], {
      ...pooling(site),
      ceil_mode: Number(site.flag(4)),
      count_include_pad: Number(site.flag(5, true)),
    });
  },
  'aten::adaptive_avg_pool2d': (site) => {
    const sides = site
      .value(0)
      .shape.slice(2)
      .map((side) => fixedLength(site, side));
    const to = pair(site.numbers(1));
    const kernel = sides.map((side, i) => side / to[i]!);
    if (!kernel.every(Number.isInteger)) site.refuse(`[${sides}] is no multiple of [${to}]`);
    return site.node('AveragePool', [site.name(0)], { kernel_shape: kernel, strides: kernel });
  },

  // Reductions
  'aten::mean.dim': reduced('ReduceMean'),
  'aten::amax': reduced('ReduceMax'),
  'aten::amin': reduced('ReduceMin'),
  'aten::sum.dim_IntList': (site) =>
    site.node('ReduceSum', [site.name(0), site.graph.integers(site.numbers(1))], {
      keepdims: Number(site.flag(2)),
    }),

  // Shape
  'aten::reshape': reshaped,
  'aten::view': reshaped,
  'aten::flatten.using_ints': reshaped,
  'aten::unsqueeze': reshaped,
  'aten::squeeze.dim': reshaped,
  'aten::permute': (site) =>
    permuted(
      site,
      site.numbers(1).map((at) => (at < 0 ? at + site.value(0).shape.length : at)),
    ),
  'aten::transpose.int': (site) => swapped(site, site.dimension(1), site.dimension(2)),
  'aten::t': (site) => swapped(site, 0, 1),
  'aten::expand': (site) => site.node('Expand', [site.name(0), site.resultShape()]),
  'aten::cat': (site) => {
    const dimension = site.number(1, 0);
    return site.node('Concat', site.names(0), {
      axis: dimension < 0 ? dimension + site.result.shape.length : dimension,
    });
  },
  'aten::narrow': (site) => [
    sliced(site, site.dimension(1), site.number(2), site.number(2) + site.number(3)),
  ],
  'aten::slice.Tensor': (site) => [
    sliced(site, site.dimension(1), site.number(2, 0), site.number(3, END), site.number(4, 1)),
  ],
  'aten::select.int': (site) => [selected(site, site.dimension(1), site.number(2))],
  'aten::unbind.int': (site) => site.results.map((_, i) => selected(site, site.dimension(1), i)),
  'aten::split.Tensor': parts,
  'aten::chunk': parts,

  // Copies
  'aten::to.dtype_layout': itself,
  'aten::contiguous': itself,
  'aten::clone': itself,
  'aten::detach': itself,
};

/** An end behind every length. */
const END = 2 ** 31 - 1;

/** The operators that have an entry. */
export const translated: readonly string[] = Object.keys(ENTRIES);

/**
 * Adds the nodes of one call.
 * @returns the names of its results
 * @throws OnnxError when the operator has no entry, or none for these arguments
 */
export function translate(step: Step, site: Site): string[] {
  const entry = Object.hasOwn(ENTRIES, step.operator) ? ENTRIES[step.operator] : undefined;
  if (entry !== undefined) return entry(site);
  throw new OnnxError(
    `the network calls ${step.operator}, which the ONNX export does not know; add an entry in src/export/onnx/operators.ts`,
  );
}
