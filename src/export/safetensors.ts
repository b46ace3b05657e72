/**
 * The room `export` reads and writes weights: the safetensors format, states of networks, encoders. This file is the
 * format.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DataError } from '../errors.js';
import { isSystemError, writeFileAtomic } from '../files.js';
import { findRepeatedKey } from '../text/repeatedKey.js';

/**
 * The safetensors file format (github.com/huggingface/safetensors):
 *
 *   u64 length of the header · header, JSON, padded with spaces to 8 bytes · the tensors' bytes, without gaps
 *
 * The header maps each name to `{ dtype, shape, data_offsets: [begin, end] }`, counted from the header's end, and
 * `__metadata__` to strings by name. Everything is little-endian, as are all machines that Node runs on but one.
 */
export type SafetensorsDtype = 'F32' | 'F64' | 'F16' | 'BF16' | 'U8' | 'I64' | 'BOOL';

export interface SafetensorsEntry {
  dtype: SafetensorsDtype;
  shape: number[];
  /**
   * The bytes, row-major and little-endian. As read, they are a memory block of their own, so that typed arrays can be
   * laid over it.
   */
  data: Uint8Array;
}

export interface SafetensorsFile {
  tensors: Map<string, SafetensorsEntry>;
  metadata: Record<string, string>;
  /** Whether the file has a digest, which only ours have, and its tensors match it. */
  vouched: boolean;
}

export interface SafetensorsHeader {
  /** The tensors in the order of their bytes in the file; `begin` and `end` count from the start of the file. */
  tensors: Map<string, { dtype: SafetensorsDtype; shape: number[]; begin: number; end: number }>;
  metadata: Record<string, string>;
}

/**
 * The dtypes in the order in which the reference implementation lays tensors out: each begins at a multiple of its own
 * size.
 */
const bytesPerElement: Readonly<Record<SafetensorsDtype, number>> = {
  I64: 8,
  F64: 8,
  F32: 4,
  BF16: 2,
  F16: 2,
  U8: 1,
  BOOL: 1,
};
const dtypes = Object.keys(bytesPerElement) as SafetensorsDtype[];

/** The reference implementation's limit on the header. A larger length means a file of another kind. */
const largestHeader = 100_000_000;
const metadataKey = '__metadata__';

/** The key of the digest that vouches for the content, in the metadata. Files of other programs have none. */
const digestKey = 'anatomy-sha256';

export interface WriteOptions {
  /** Writes a digest of the tensors too, which readers check. Not needed where another file vouches for this one. */
  readonly vouch?: boolean;
}

/** Writes tensors so that the file is complete or absent; equal contents give equal bytes, whatever the map's order. */
export function writeSafetensors(
  path: string,
  entries: ReadonlyMap<string, Readonly<SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>> = {},
  { vouch = false }: WriteOptions = {},
): void {
  for (const [name, { dtype, shape, data }] of entries) {
    const expected = byteCount(dtype, shape);
    if (data.byteLength === expected) continue;
    throw new DataError(
      `cannot write ${path}, tensor ${JSON.stringify(name)}: ${dtype} [${shape}] takes ${expected ?? 'an impossible number of'} bytes, got ${data.byteLength}`,
    );
  }
  const texts = vouch ? { ...metadata, [digestKey]: contentDigest(entries) } : metadata;
  const { head, names } = safetensorsHead(path, entries, texts);
  writeFileAtomic(path, [head, ...names.map((name) => entries.get(name)!.data)]);
}

/** SHA-256 of names, dtypes, shapes and bytes of all tensors, in the order of their names. */
function contentDigest(entries: ReadonlyMap<string, Readonly<SafetensorsEntry>>): string {
  const hash = createHash('sha256');
  for (const name of [...entries.keys()].sort()) {
    const { dtype, shape, data } = entries.get(name)!;
    hash.update(JSON.stringify([name, dtype, shape])).update(data);
  }
  return hash.digest('hex');
}

/**
 * Makes the bytes before the tensors' bytes and the order in which those follow, for callers that do not hold all
 * tensors at once.
 * @throws DataError if the header would be larger than readers take
 */
export function safetensorsHead(
  path: string,
  entries: ReadonlyMap<string, Readonly<Pick<SafetensorsEntry, 'dtype' | 'shape'>>>,
  metadata: Readonly<Record<string, string>> = {},
): { head: Buffer; names: string[] } {
  const sorted = [...entries].sort(
    ([nameA, a], [nameB, b]) =>
      dtypes.indexOf(a.dtype) - dtypes.indexOf(b.dtype) ||
      Buffer.compare(Buffer.from(nameA), Buffer.from(nameB)),
  );
  // The JSON is joined by hand, as an object would move names that are whole numbers to the front.
  const fields: string[] = [];
  const metadataFields = Object.entries(metadata).sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  if (metadataFields.length > 0) {
    const texts = metadataFields.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    fields.push(`"${metadataKey}":{${texts.join(',')}}`);
  }
  let offset = 0;
  for (const [name, { dtype, shape }] of sorted) {
    if (name === metadataKey)
      throw new DataError(`cannot write ${path}: no tensor may be called ${metadataKey}`);
    const bytes = byteCount(dtype, shape);
    if (bytes === undefined) {
      throw new DataError(
        `cannot write ${path}, tensor ${JSON.stringify(name)}: ${dtype} [${shape}] is impossible`,
      );
    }
    const end = offset + bytes;
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const json = Buffer.from(`{${fields.join(',')}}`, 'utf8');
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  if (head.length - 8 > largestHeader) {
    throw new DataError(
      `cannot write ${path}: names and metadata take ${head.length - 8} bytes, a safetensors header at most ${largestHeader}`,
    );
  }
  head.writeBigUInt64LE(BigInt(head.length - 8), 0);
  json.copy(head, 8);
  return { head, names: sorted.map(([name]) => name) };
}

/**
 * Reads a whole file. Anything wrong with it is a `DataError` that names the file, the tensor, and what was expected
 * and found.
 * @param content the content of the file, where it has been read already; `path` then only names it
 */
export function readSafetensors(path: string, content?: Uint8Array): SafetensorsFile {
  const read = (source: Source): SafetensorsFile => {
    const header = readHeader(path, source);
    const tensors = new Map<string, SafetensorsEntry>();
    for (const [name, { dtype, shape, begin, end }] of header.tensors) {
      tensors.set(name, { dtype, shape, data: source.read(begin, end) });
    }
    const { [digestKey]: digest, ...metadata } = header.metadata;
    if (digest !== undefined && digest !== contentDigest(tensors)) {
      throw new DataError(
        `${path}: is damaged: its tensors do not match the digest in it; copy or make it again`,
      );
    }
    return { tensors, metadata, vouched: digest !== undefined };
  };
  if (content === undefined) return withFile(path, read);
  return read({
    size: content.length,
    read: (begin, end) => new Uint8Array(content.subarray(begin, end)),
  });
}

/** Whether we wrote the file: only ours have a digest. */
export function isOurs({ metadata }: SafetensorsHeader): boolean {
  return metadata[digestKey] !== undefined;
}

/** Reads names, shapes and metadata without the tensors' bytes. It checks as much as `readSafetensors` does. */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  return withFile(path, (source) => readHeader(path, source));
}

/** The bytes of a file, on disk or in memory. */
interface Source {
  /** The length in bytes. */
  readonly size: number;
  /** Reads the bytes from `begin` up to `end` into a memory block of their own. */
  read(begin: number, end: number): Uint8Array;
}

function readHeader(path: string, { size, read }: Source): SafetensorsHeader {
  if (size < 8) throw new DataError(`${path}: expected a safetensors file, got only ${size} bytes`);
  const length = read(0, 8);
  const headerLength = Buffer.from(length.buffer).readBigUInt64LE(0);
  if (headerLength > BigInt(Math.min(largestHeader, size - 8))) {
    throw new DataError(
      `${path}: the header claims ${headerLength} bytes, the file has ${size} and a header at most ${largestHeader}; it is truncated or no safetensors file`,
    );
  }
  const dataStart = 8 + Number(headerLength);
  const header = parseHeader(path, read(8, dataStart));
  const { [metadataKey]: metadata = {}, ...described } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw new DataError(`${path}: ${metadataKey} must map names to strings, got ${excerpt(metadata)}`);
  }
  const tensors = Object.entries(described)
    .map(([name, value]) => [name, parseTensor(path, name, value, dataStart)] as const)
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = dataStart;
  for (const [name, { begin, end }] of tensors) {
    if (begin !== covered) {
      throw new DataError(
        `${path}, tensor ${JSON.stringify(name)}: ${begin < covered ? 'overlaps the tensor before it' : 'leaves a gap'}: expected to begin at byte ${covered}, got ${begin}`,
      );
    }
    covered = end;
  }
  if (covered !== size) {
    throw new DataError(
      `${path}: the tensors end at byte ${covered}, the file at ${size}${size < covered ? ': it is truncated' : ''}`,
    );
  }
  return { tensors: new Map(tensors), metadata: metadata as Record<string, string> };
}

function parseHeader(path: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`${path}: the header is not JSON in UTF-8: ${reason}`, { cause });
  }
  if (!isRecord(header))
    throw new DataError(`${path}: the header must be a JSON object, got ${excerpt(header)}`);
  const repeated = findRepeatedKey(text);
  if (repeated !== undefined) {
    throw new DataError(`${path}: the header names ${JSON.stringify(repeated)} twice`);
  }
  return header;
}

function parseTensor(path: string, name: string, value: unknown, dataStart: number) {
  const fail = (expected: string, got: unknown): never => {
    throw new DataError(`${path}, tensor ${JSON.stringify(name)}: expected ${expected}, got ${excerpt(got)}`);
  };
  if (!isRecord(value)) return fail('{ dtype, shape, data_offsets }', value);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) return fail(`dtype to be one of ${dtypes.join(', ')}`, dtype);
  if (!isCounts(shape)) return fail('shape to be whole numbers from 0', shape);
  if (!isCounts(offsets) || offsets.length !== 2)
    return fail('data_offsets to be two whole numbers', offsets);
  const [begin, end] = offsets as [number, number];
  const expected = byteCount(dtype, shape);
  if (end - begin !== expected) {
    return fail(`${expected ?? 'an impossible number of'} bytes for ${dtype} [${shape}]`, end - begin);
  }
  return { dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/**
 * The number of bytes of a tensor; undefined where no file can hold as many, or where a size is not a whole number from
 * 0.
 */
function byteCount(dtype: SafetensorsDtype, shape: readonly number[]): number | undefined {
  let count = bytesPerElement[dtype];
  for (const size of shape) count *= size;
  return isCounts(shape) && Number.isSafeInteger(count) ? count : undefined;
}

function withFile<T>(path: string, use: (source: Source) => T): T {
  let file: number | undefined;
  try {
    const opened = openSync(path, 'r');
    file = opened;
    return use({
      size: fstatSync(opened).size,
      read: (begin, end) => readRange(path, opened, begin, end),
    });
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new DataError(`cannot read ${path}: ${cause.message}`, { cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function readRange(path: string, file: number, begin: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - begin);
  let done = 0;
  while (done < bytes.length) {
    const got = readSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 29), begin + done);
    if (got === 0)
      throw new DataError(`${path}: expected ${end} bytes, got ${begin + done}: it shrank while being read`);
    done += got;
  }
  return bytes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(bytesPerElement, value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
