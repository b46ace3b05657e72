/** An ONNX model under construction: its nodes, its weights, and its bytes by the schema of onnx.proto. */
import { Message } from '../../protobuf.js';
import type { Dtype, TypedArray } from '../../tensor/index.js';
import { OnnxError } from './onnxError.js';
import { type Extent, isPerImage } from './trace.js';

/** ONNX's numbers of the types of elements (TensorProto.DataType). */
const ELEMENT_TYPES = { f32: 1, u8: 2, i64: 7, bool: 9, f64: 11 } as const;

/** @throws OnnxError for half precision, as the export is in f32 */
export function elementType(dtype: Dtype): number {
  if (dtype in ELEMENT_TYPES) return ELEMENT_TYPES[dtype as keyof typeof ELEMENT_TYPES];
  throw new OnnxError(`a tensor of type ${dtype} cannot be written as ONNX; run the network in f32`);
}

/** The value of an attribute: a whole number, several, or a number of type FLOAT. */
export type Attribute = number | readonly number[] | { readonly float: number };

/** A length of an input or output: a number, or the name of one that the user chooses. */
export type Dimension = number | string;

/**
 * The version of the operators (opset 17 is the first with LayerNormalization) and of the file. Newer file versions are
 * refused by readers in use.
 */
const OPSET = 17;
const IR_VERSION = 8;

/** The most bytes of a protobuf message that all readers take. */
const MOST_BYTES = 2 ** 31 - 1;

/** A graph of ONNX operators. A tensor in it is known by its name. */
export class Graph {
  readonly #name: string;
  readonly #nodes: Message[] = [];
  readonly #initializers: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  readonly #constants = new Map<string, string>();
  readonly #taken = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Declares what the user gives. */
  input(name: string, dtype: Dtype, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(this.#unique(name), dtype, shape));
    return name;
  }

  /** Gives a tensor out under a name of its own. */
  output(name: string, from: string, dtype: Dtype, shape: readonly Dimension[]): void {
    this.#addNode('Identity', [from], [this.#unique(name)], {});
    this.#outputs.push(valueInfo(name, dtype, shape));
  }

  /** Adds a node with one output. An empty name among the inputs leaves an optional one out. */
  node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const output = this.#unique(type);
    this.#addNode(type, inputs, [output], attributes);
    return output;
  }

  /** Adds values that are known. Small ones that are equal and have no name are stored once. */
  constant(data: TypedArray, shape: readonly number[], dtype: Dtype, name?: string): string {
    const key = name === undefined && data.length <= 16 ? `${dtype} [${shape}] ${data.join()}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const own = this.#unique(name ?? 'constant');
    if (key !== undefined) this.#constants.set(key, own);
    const proto = new Message();
    for (const length of shape) proto.int(1, length);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.push(proto.int(2, elementType(dtype)).string(8, own).bytes(9, bytes));
    return own;
  }

  /** Adds whole numbers as a vector. */
  integers(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length], 'i64');
  }

  /** Adds a number as a tensor without dimensions. */
  scalar(value: number, dtype: Dtype): string {
    if (dtype === 'f64') return this.constant(Float64Array.of(value), [], 'f64');
    if (dtype === 'i64') return this.constant(BigInt64Array.of(BigInt(value)), [], 'i64');
    if (dtype === 'f32') return this.constant(Float32Array.of(value), [], 'f32');
    throw new OnnxError(`a number of type ${dtype} cannot be written as ONNX here; expected f32, f64 or i64`);
  }

  /**
   * Adds a shape as a vector.
   * @param batch the name of a vector that holds the number of images alone
   */
  shape(extents: readonly Extent[], batch: () => string): string {
    if (!extents.some(isPerImage)) return this.integers(extents as number[]);
    const parts = extents.map((extent) => {
      if (!isPerImage(extent)) return this.integers([extent]);
      return extent.perImage === 1 ? batch() : this.node('Mul', [batch(), this.integers([extent.perImage])]);
    });
    return this.node('Concat', parts, { axis: 0 });
  }

  /**
   * Writes the model.
   * @param metadata what a user must know, by key
   * @throws OnnxError above 2 GiB, which protobuf cannot hold
   */
  encode(producer: { readonly name: string; readonly version: string }, metadata: Metadata): Uint8Array {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.string(2, this.#name);
    for (const initializer of this.#initializers) graph.message(5, initializer);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    const model = new Message()
      .int(1, IR_VERSION)
      .string(2, producer.name)
      .string(3, producer.version)
      .message(7, graph)
      .message(8, new Message().string(1, '').int(2, OPSET));
    for (const [key, value] of Object.entries(metadata)) {
      model.message(14, new Message().string(1, key).string(2, value));
    }
    refuseLarger(model.length);
    return model.encode();
  }

  #addNode(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    const node = new Message();
    for (const input of inputs) node.string(1, input);
    for (const output of outputs) node.string(2, output);
    node.string(3, `${type} → ${outputs[0]}`).string(4, type);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.#nodes.push(node);
  }

  #unique(name: string): string {
    const count = this.#taken.get(name) ?? 0;
    this.#taken.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  }
}

export type Metadata = Readonly<Record<string, string>>;

/** @throws OnnxError above 2 GiB */
export function refuseLarger(bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  throw new OnnxError(
    `the ONNX file would have ${bytes} bytes, more than the ${MOST_BYTES} that protobuf holds; export a smaller model.width or backbone`,
  );
}

function valueInfo(name: string, dtype: Dtype, shape: readonly Dimension[]): Message {
  const dimensions = new Message();
  for (const length of shape) {
    const dimension = new Message();
    dimensions.message(
      1,
      typeof length === 'number' ? dimension.int(1, length) : dimension.string(2, length),
    );
  }
  const type = new Message().message(1, new Message().int(1, elementType(dtype)).message(2, dimensions));
  return new Message().string(1, name).message(2, type);
}

/** ONNX's numbers of the kinds of attributes (AttributeProto.AttributeType). */
const attributeKinds = { float: 1, int: 2, ints: 7 } as const;

function attribute(name: string, value: Attribute): Message {
  const proto = new Message().string(1, name);
  if (typeof value === 'number') return proto.int(3, value).int(20, attributeKinds.int);
  if ('float' in value) return proto.float(2, value.float).int(20, attributeKinds.float);
  for (const one of value) proto.int(8, one);
  return proto.int(20, attributeKinds.ints);
}
