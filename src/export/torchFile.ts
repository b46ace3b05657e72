/** Reads the weights in files of Python's torch.save: zip archives since PyTorch 1.6, and the older form. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { DataError } from '../errors.js';
import { isSystemError } from '../files.js';
import { Global, type PickleReader, readPickle } from './pickle.js';
import type { SafetensorsDtype, SafetensorsEntry } from './safetensors.js';

/** The storages by the class that names them: the bytes of an element, and the dtype where a network may have it. */
const STORAGES: Readonly<Record<string, { readonly bytes: number; readonly dtype?: SafetensorsDtype }>> = {
  DoubleStorage: { bytes: 8, dtype: 'F64' },
  FloatStorage: { bytes: 4, dtype: 'F32' },
  HalfStorage: { bytes: 2, dtype: 'F16' },
  BFloat16Storage: { bytes: 2, dtype: 'BF16' },
  LongStorage: { bytes: 8, dtype: 'I64' },
  BoolStorage: { bytes: 1 },
  ByteStorage: { bytes: 1 },
  IntStorage: { bytes: 4 },
  ShortStorage: { bytes: 2 },
  CharStorage: { bytes: 1 },
};

/** The bytes that tensors lie in. */
interface Storage {
  readonly key: string;
  readonly bytes: number;
  readonly dtype?: SafetensorsDtype;
  /** The number of elements. */
  readonly count: number;
}

/** A view of a storage. */
class StoredTensor {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** The first four bytes of a zip archive, and of the older form: a pickle of protocol 2 that begins with its number. */
const [ZIP, OLD] = [0x04034b50, 0x0a8a0280];

/** Tells whether a file was written by torch.save, by its first bytes. */
export function isTorchFile(content: Uint8Array): boolean {
  return content.length >= 4 && [ZIP, OLD].includes(signature(content));
}

function signature(content: Uint8Array): number {
  return new DataView(content.buffer, content.byteOffset).getUint32(0, true);
}

/** Reads the first bytes of a file, or all of it. @throws DataError where the system cannot */
export function readBytes(path: string, count?: number): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    if (count === undefined && fstatSync(file).size >= 2 ** 31) {
      throw new DataError(
        `${path}: is larger than 2 GiB, which is not read; save the weights alone, in Python: torch.save(model.state_dict(), "weights.pth")`,
      );
    }
    if (count === undefined) return readFileSync(file);
    const bytes = new Uint8Array(count);
    return bytes.subarray(0, readSync(file, bytes));
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new DataError(`cannot read ${path}: ${cause.message}`, { cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Reads the tensors of a state dict, which is the file's object itself or stands in it under a usual name. No code of
 * the file is run.
 * @returns the tensors by name, row-major; those of dtypes that no network has are left out
 * @throws DataError on anything else than a state dict, naming what was found
 */
export function readTorchFile(path: string, content: Uint8Array): Map<string, SafetensorsEntry> {
  const { object, bytesOf } = signature(content) === ZIP ? readZipped(path, content) : readOld(path, content);
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of stateDictIn(path, object)) {
    if (typeof name !== 'string' || !(value instanceof StoredTensor)) continue;
    const { dtype } = value.storage;
    if (dtype === undefined) continue;
    entries.set(name, { dtype, shape: [...value.shape], data: rowMajor(value, bytesOf(value.storage)) });
  }
  return entries;
}

/** Where training programs put the weights, in the order in which they are looked for: a teacher before its student. */
const PLACES = ['state_dict', 'model_state_dict', 'model', 'teacher', 'student', 'encoder', 'net'];

function stateDictIn(path: string, object: unknown): Map<unknown, unknown> {
  const holdsTensors = (value: unknown): value is Map<unknown, unknown> =>
    value instanceof Map && [...value.values()].some((item) => item instanceof StoredTensor);
  if (holdsTensors(object)) return object;
  const inside =
    object instanceof Map ? PLACES.map((name) => object.get(name)).find(holdsTensors) : undefined;
  if (inside !== undefined) return inside;
  const found =
    object instanceof Map ? `a dictionary of ${[...object.keys()].slice(0, 5).join(', ')}` : 'something else';
  throw new DataError(
    `${path}: holds ${found}, and no tensors by name; expected a state dict, or one under ${PLACES.join(', ')}`,
  );
}

/** The reader of the file's pickles. @param storages gets every storage that is named, by its key */
function readerOf(path: string, storages = new Map<string, Storage>()): PickleReader {
  const fail = (): never => {
    throw new DataError(`${path}: describes a tensor in a way that torch.save does not; save it anew`);
  };
  const globals = new Map<string, (args: readonly unknown[]) => unknown>([
    ['collections.OrderedDict', ([items = []]) => new Map(items as [unknown, unknown][])],
    // The options of a training program, beside its weights.
    ['argparse.Namespace', () => new Map()],
    ['torch._utils._rebuild_parameter', ([data]) => data],
    [
      'torch._utils._rebuild_tensor_v2',
      ([storage, offset, shape, strides]) =>
        isStorage(storage) && isPlace(offset) && isPlaces(shape) && isPlaces(strides)
          ? checked(path, new StoredTensor(storage, offset, shape, strides))
          : fail(),
    ],
    ...Object.keys(STORAGES).map((name) => [`torch.${name}`, fail] as const),
  ]);
  const persistent = (id: unknown): Storage => {
    if (!Array.isArray(id) || id[0] !== 'storage' || !(id[1] instanceof Global)) return fail();
    const kind = STORAGES[id[1].name.replace(/^torch\./, '')];
    const [, , key, , count, view] = id;
    if (kind === undefined || typeof key !== 'string' || !isPlace(count) || (view ?? null) !== null)
      return fail();
    const storage = { key, count, ...kind };
    storages.set(key, storage);
    return storage;
  };
  return { where: path, globals, persistent };
}

const isPlace = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isPlaces = (value: unknown): value is number[] => Array.isArray(value) && value.every(isPlace);
const isStorage = (value: unknown): value is Storage =>
  typeof value === 'object' && value !== null && 'key' in value && 'count' in value;

/** @throws DataError unless the tensor lies within its storage, and has no more elements than it */
function checked(path: string, tensor: StoredTensor): StoredTensor {
  const { storage, offset, shape, strides } = tensor;
  const count = shape.reduce((product, length) => product * length, 1);
  const last = shape.reduce((sum, length, i) => sum + Math.max(0, length - 1) * strides[i]!, offset);
  if (shape.length === strides.length && count <= storage.count && (count === 0 || last < storage.count)) {
    return tensor;
  }
  throw new DataError(
    `${path}: a tensor of shape [${shape}] does not lie within its ${storage.count} stored elements; the file is damaged`,
  );
}

/** Copies a tensor's elements out of its storage. */
function rowMajor({ storage, offset, shape, strides }: StoredTensor, bytes: Uint8Array): Uint8Array {
  const size = storage.bytes;
  const count = shape.reduce((product, length) => product * length, 1);
  const copied = new Uint8Array(count * size);
  // The innermost dimensions that lie one after another are copied at once.
  let run = 1;
  let outer = shape.length;
  while (outer > 0 && (strides[outer - 1] === run || shape[outer - 1] === 1)) run *= shape[--outer]!;
  const at = new Array<number>(outer).fill(0);
  for (let done = 0; done < count; done += run) {
    const from = at.reduce((sum, index, i) => sum + index * strides[i]!, offset) * size;
    copied.set(bytes.subarray(from, from + run * size), done * size);
    for (let i = outer - 1; i >= 0; i -= 1) {
      at[i]! += 1;
      if (at[i]! < shape[i]!) break;
      at[i] = 0;
    }
  }
  return copied;
}

interface Opened {
  readonly object: unknown;
  readonly bytesOf: (storage: Storage) => Uint8Array;
}

function readZipped(path: string, content: Uint8Array): Opened {
  const files = zipEntries(path, content);
  const [pickle] = [...files.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) {
    throw new DataError(`${path}: is a zip archive without data.pkl; expected a file of torch.save`);
  }
  const root = pickle.slice(0, -'data.pkl'.length);
  const order = files.get(`${root}byteorder`);
  if (order !== undefined && Buffer.from(order).toString() !== 'little') {
    throw new DataError(`${path}: was saved on a big-endian machine; save it anew on another`);
  }
  const { value } = readPickle(files.get(pickle)!, readerOf(path));
  const bytesOf = ({ key, count, bytes }: Storage) => {
    const found = files.get(`${root}data/${key}`);
    if (found?.length === count * bytes) return found;
    throw new DataError(
      `${path}: storage ${key} has ${found?.length ?? 'no'} bytes, expected ${count * bytes}; the file is damaged`,
    );
  };
  return { object: value, bytesOf };
}

/** The files of a zip archive, which torch.save stores uncompressed (APPNOTE.TXT of PKWARE, 4.3). */
function zipEntries(path: string, content: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const fail = (why: string): never => {
    throw new DataError(`${path}: ${why}; expected a zip archive as torch.save writes it`);
  };
  // The end record has 22 bytes and a comment of at most 65,535.
  let end = content.length - 22;
  const lowest = Math.max(0, end - 0xffff);
  while (end >= lowest && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < lowest) fail('is truncated');
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff) fail('is larger than 4 GiB, which is not read');
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i += 1) {
    if (at + 46 > content.length || view.getUint32(at, true) !== 0x02014b50)
      fail('has a broken list of files');
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const further = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const local = view.getUint32(at + 42, true);
    const name = Buffer.from(content.subarray(at + 46, at + 46 + nameLength)).toString('utf8');
    if (method !== 0 || packed !== size) fail(`has ${name} compressed`);
    if (local + 30 > content.length || view.getUint32(local, true) !== ZIP)
      fail(`has no ${name} where it says`);
    const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (begin + size > content.length) fail(`is truncated within ${name}`);
    files.set(name, content.subarray(begin, begin + size));
    at += 46 + nameLength + further;
  }
  return files;
}

const MAGIC = 0x1950a86a20f9469cfc6cn;

/** Reads the form before PyTorch 1.6: five pickles one after another, then the storages. */
function readOld(path: string, content: Uint8Array): Opened {
  const storages = new Map<string, Storage>();
  const reader = readerOf(path, storages);
  let at = 0;
  const next = () => {
    const { value, end } = readPickle(content, reader, at);
    at = end;
    return value;
  };
  const [magic, , system] = [next(), next(), next()];
  if (magic !== MAGIC) {
    throw new DataError(`${path}: is a pickle, but not of torch.save; expected weights of torch.save`);
  }
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    throw new DataError(`${path}: was saved on a big-endian machine; save it anew on another`);
  }
  const [object, keys] = [next(), next()];
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const places = new Map<string, Uint8Array>();
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = storages.get(key as string);
    const bytes = storage === undefined ? Number.NaN : storage.count * storage.bytes;
    // A count goes before the elements.
    if (!(at + 8 + bytes <= content.length) || Number(view.getBigInt64(at, true)) !== storage?.count) {
      throw new DataError(`${path}: its storages do not have the sizes that it says; the file is damaged`);
    }
    places.set(storage.key, content.subarray(at + 8, at + 8 + bytes));
    at += 8 + bytes;
  }
  return {
    object,
    bytesOf: ({ key, count, bytes }) => {
      const found = places.get(key);
      if (found?.length === count * bytes) return found;
      throw new DataError(`${path}: storage ${key} is not in the file as it says; the file is damaged`);
    },
  };
}
