/** Writes the tensors of a state to a safetensors file, and reads them back. */
import { DataError } from '../errors.js';
import { type Dtype, noGrad, ops, type Tensor, tensor, tidy } from '../tensor/index.js';
import {
  readSafetensors,
  type SafetensorsDtype,
  type SafetensorsEntry,
  type WriteOptions,
  writeSafetensors,
} from './safetensors.js';

/** The dtypes of a state and their names in the file, which holds tensors row-major. */
const FORMATS = { f32: 'F32', f64: 'F64', i64: 'I64' } as const satisfies Partial<
  Record<Dtype, SafetensorsDtype>
>;

/** Writes the file whole or not at all. */
export function saveState(
  path: string,
  state: ReadonlyMap<string, Tensor>,
  metadata?: Readonly<Record<string, string>>,
  options?: WriteOptions,
): void {
  writeSafetensors(path, stateEntries(state), metadata, options);
}

/** The tensors of a state as they stand in a file. */
export function stateEntries(state: ReadonlyMap<string, Tensor>): Map<string, SafetensorsEntry> {
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, { dtype }] of state) {
    if (!Object.hasOwn(FORMATS, dtype))
      throw new TypeError(`saveState: ${name} is ${dtype}, expected f32, f64 or i64`);
  }
  for (const [dtype, format] of Object.entries(FORMATS)) {
    const alike = [...state].filter(([, value]) => value.dtype === dtype);
    if (alike.length === 0) continue;
    // The values are copied out all at once: hundreds of arrays that wait for the garbage collector would tear holes
    // into the heap.
    const values = noGrad(() =>
      tidy(() =>
        ops
          .cat(
            alike.map(([, value]) => ops.reshape(value, [-1])),
            0,
          )
          .toArray(),
      ),
    );
    let start = values.byteOffset;
    for (const [name, { shape }] of alike) {
      const bytes = shape.reduce((product, length) => product * length, values.BYTES_PER_ELEMENT);
      entries.set(name, {
        dtype: format,
        shape: [...shape],
        data: new Uint8Array(values.buffer, start, bytes),
      });
      start += bytes;
    }
  }
  return entries;
}

/**
 * Reads tensors onto the CPU. Half precisions are widened to f32.
 * @param content the content of the file, where it has been read already
 * @throws DataError on a broken file or a dtype that no state has
 */
export function readState(
  path: string,
  content?: Uint8Array,
): {
  state: Map<string, Tensor>;
  metadata: Readonly<Record<string, string>>;
} {
  const { tensors, metadata } = readSafetensors(path, content);
  return { state: toTensors(path, tensors), metadata: metadata ?? {} };
}

/** Makes tensors on the CPU of what a file holds. @throws DataError on a dtype that no state has */
export function toTensors(
  path: string,
  entries: ReadonlyMap<string, Readonly<SafetensorsEntry>>,
): Map<string, Tensor> {
  return new Map(
    [...entries].map(([name, { dtype, shape, data }]) => [name, toTensor(path, name, dtype, shape, data)]),
  );
}

function toTensor(
  path: string,
  name: string,
  dtype: SafetensorsDtype,
  shape: readonly number[],
  { buffer, byteOffset, byteLength }: Uint8Array,
): Tensor {
  switch (dtype) {
    case 'F32':
      return tensor(new Float32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4), shape);
    case 'F64':
      return tensor(new Float64Array(buffer as ArrayBuffer, byteOffset, byteLength / 8), shape);
    case 'I64':
      return tensor(new BigInt64Array(buffer as ArrayBuffer, byteOffset, byteLength / 8), shape);
    case 'F16':
    case 'BF16': {
      // Our dtypes have no 16-bit integers to hold the bits of half precisions, so the bytes are viewed as
      // half-precision numbers.
      const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
      return tidy(() => {
        const raw = ops.viewDtype(tensor(bytes, [byteLength]), dtype === 'F16' ? 'f16' : 'bf16');
        return ops.reshape(raw, shape).to({ dtype: 'f32' });
      });
    }
    default:
      throw new DataError(
        `${path}: ${name} is ${dtype}, expected F32, F64, F16, BF16 or I64 for network weights`,
      );
  }
}
