import { Readable } from 'node:stream';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { DataError } from '../../errors.js';
import type { Values } from './distribution.js';
import { MAX_BYTES, refuseAbove } from './limits.js';
import { type Affine, type Orientation, orientationOf } from './niftiAffine.js';
import type { ValuesConstructor } from './pixels.js';

/** The number of first bytes of a file that surely hold its header, gzipped or not. */
export const NIFTI_HEAD = 4096;
/**
 * The greatest factor by which gzip can shrink data. A header that declares more than the file can hold is refused
 * early.
 */
const MOST_GZIP_GAIN = 1032;

export interface NiftiHeader {
  readonly dims: readonly [number, number, number];
  /** The distances between voxel centres along the stored axes: millimetres, as far as the header says so. */
  readonly spacing: readonly [number, number, number];
  readonly orientation: Orientation;
  readonly type: VoxelType;
  readonly littleEndian: boolean;
  readonly dataAt: number;
  readonly slope: number;
  readonly intercept: number;
}

interface VoxelType {
  readonly name: string;
  readonly bytes: number;
  readonly get: (view: DataView, at: number, littleEndian: boolean) => number;
  /** The array type of values that are not scaled. */
  readonly values: ValuesConstructor;
}

type Get = VoxelType['get'];
const int64: Get = (view, at, little) => Number(view.getBigInt64(at, little));
const uint64: Get = (view, at, little) => Number(view.getBigUint64(at, little));

/** The types of voxels that are read, by NIfTI's datatype code. */
const VOXEL_TYPES: Readonly<Record<number, VoxelType>> = {
  2: { name: 'uint8', bytes: 1, get: (view, at) => view.getUint8(at), values: Uint8Array },
  4: { name: 'int16', bytes: 2, get: (view, at, little) => view.getInt16(at, little), values: Int16Array },
  8: { name: 'int32', bytes: 4, get: (view, at, little) => view.getInt32(at, little), values: Int32Array },
  16: {
    name: 'float32',
    bytes: 4,
    get: (view, at, little) => view.getFloat32(at, little),
    values: Float32Array,
  },
  64: {
    name: 'float64',
    bytes: 8,
    get: (view, at, little) => view.getFloat64(at, little),
    values: Float32Array,
  },
  256: { name: 'int8', bytes: 1, get: (view, at) => view.getInt8(at), values: Int16Array },
  512: {
    name: 'uint16',
    bytes: 2,
    get: (view, at, little) => view.getUint16(at, little),
    values: Uint16Array,
  },
  768: {
    name: 'uint32',
    bytes: 4,
    get: (view, at, little) => view.getUint32(at, little),
    values: Float32Array,
  },
  1024: { name: 'int64', bytes: 8, get: int64, values: Float32Array },
  1280: { name: 'uint64', bytes: 8, get: uint64, values: Float32Array },
};

/** Tells whether a file's first `NIFTI_HEAD` bytes are those of a NIfTI file. */
export function isNiftiHead(head: Buffer): boolean {
  return layoutOf(inflateHead(head)) !== undefined;
}

/**
 * Reads the header of NIfTI-1 or NIfTI-2 in either byte order.
 *
 * @param head the file's first `NIFTI_HEAD` bytes
 * @param maxBytes the most bytes that the volume may take, stored or in memory
 * @throws DataError if there is no such header, or if the file is not a single volume of plain numbers
 */
export function readNiftiHeader(head: Buffer, name: string, maxBytes = MAX_BYTES): NiftiHeader {
  const bytes = inflateHead(head);
  const layout = layoutOf(bytes);
  if (layout === undefined || bytes.length < layout.length) {
    throw new DataError(
      `${name}: has no complete NIfTI header. Expected a .nii or .nii.gz file: copy it again.`,
    );
  }
  if (layout.pair) {
    throw new DataError(
      `${name}: is the header of a pair .hdr and .img, expected one file. Convert it to .nii.gz (nibabel, fslchfiletype).`,
    );
  }
  const fields = readFields(bytes, layout);
  const dims = readDims(fields.dim, name);
  const type = VOXEL_TYPES[fields.datatype];
  if (type === undefined) {
    const known = Object.values(VOXEL_TYPES).map((voxels) => voxels.name);
    throw new DataError(
      `${name}: the voxels are of NIfTI datatype ${fields.datatype}, expected ${known.join(', ')}. Convert the volume.`,
    );
  }
  const dataAt = Math.max(layout.length + 4, fields.voxOffset);
  const scaled = Number.isFinite(fields.slope) && fields.slope !== 0;
  const [slope, intercept] = scaled ? [fields.slope, finiteOr0(fields.intercept)] : [1, 0];
  const valueBytes = valuesOf(type, slope, intercept).BYTES_PER_ELEMENT;
  const voxels = dims[0] * dims[1] * dims[2];
  const needed = dataAt + voxels * Math.max(type.bytes, valueBytes);
  if (!Number.isSafeInteger(needed)) {
    throw new DataError(
      `${name}: the NIfTI header says ${dims.join('×')} voxels of ${type.name} from byte ${fields.voxOffset}. ` +
        'The file is damaged: copy it again.',
    );
  }
  refuseAbove(maxBytes, needed, `${dims.join('×')} voxels of ${type.name}`, name);
  return {
    dims,
    spacing: [Math.abs(fields.pixdim[1]!), Math.abs(fields.pixdim[2]!), Math.abs(fields.pixdim[3]!)],
    orientation: orientationOf(fields),
    type,
    littleEndian: layout.littleEndian,
    dataAt,
    slope,
    intercept,
  };
}

function finiteOr0(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Gives the array type of the values of a volume: that of its voxels, or floats where they are scaled. */
function valuesOf({ values }: VoxelType, slope: number, intercept: number): ValuesConstructor {
  return slope !== 1 || intercept !== 0 ? Float32Array : values;
}

interface Layout {
  readonly version: 1 | 2;
  /** The length of the header in bytes. */
  readonly length: number;
  readonly littleEndian: boolean;
  /** Whether the header stands in a file of its own. */
  readonly pair: boolean;
}

function layoutOf(bytes: Buffer): Layout | undefined {
  if (bytes.length < 348) return undefined;
  for (const [version, length, magicAt] of [
    [1, 348, 344],
    [2, 540, 4],
  ] as const) {
    const littleEndian = bytes.readInt32LE(0) === length;
    if (!littleEndian && bytes.readInt32BE(0) !== length) continue;
    const magic = bytes.toString('latin1', magicAt, magicAt + 3);
    if (magic === `n+${version}` || magic === `ni${version}`) {
      return { version, length, littleEndian, pair: magic.startsWith('ni') };
    }
  }
  return undefined;
}

/** Reads the fields that are used, named as in nifti1.h. */
function readFields(bytes: Buffer, { version, littleEndian }: Layout) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const int16 = (at: number) => view.getInt16(at, littleEndian);
  const float = (at: number, index = 0) =>
    version === 1
      ? view.getFloat32(at + 4 * index, littleEndian)
      : view.getFloat64(at + 8 * index, littleEndian);
  const floats = (at: number, count: number) => Array.from({ length: count }, (_, i) => float(at, i));
  const int64 = (at: number) => Number(view.getBigInt64(at, littleEndian));
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  const rows = (at: number): Affine => [0, 4, 8].map((from) => floats(at, 12).slice(from, from + 4));
  if (version === 1) {
    return {
      dim: eight.map((i) => int16(40 + 2 * i)),
      datatype: int16(70),
      pixdim: floats(76, 8),
      voxOffset: float(108),
      slope: float(112),
      intercept: float(116),
      qformCode: int16(252),
      sformCode: int16(254),
      quatern: floats(256, 3),
      qoffset: floats(268, 3),
      srow: rows(280),
    };
  }
  return {
    dim: eight.map((i) => int64(16 + 8 * i)),
    datatype: int16(12),
    pixdim: floats(104, 8),
    voxOffset: int64(168),
    slope: float(176),
    intercept: float(184),
    qformCode: view.getInt32(344, littleEndian),
    sformCode: view.getInt32(348, littleEndian),
    quatern: floats(352, 3),
    qoffset: floats(376, 3),
    srow: rows(400),
  };
}

function readDims([rank = 0, ...sides]: number[], name: string): [number, number, number] {
  const used = sides.slice(0, Math.max(0, rank));
  if (rank < 1 || rank > 7 || used.some((side) => !Number.isSafeInteger(side) || side < 1)) {
    throw new DataError(
      `${name}: the NIfTI header says ${rank} dimensions of ${used.join('×')} voxels. The file is damaged: copy it again.`,
    );
  }
  const [x = 1, y = 1, z = 1, ...others] = used;
  const volumes = others.reduce((product, side) => product * side, 1);
  if (volumes > 1) {
    throw new DataError(
      `${name}: holds ${volumes} volumes (${used.join('×')}), expected one. ` +
        'Save the one that is meant as a file of its own (nibabel.four_to_three, fslsplit).',
    );
  }
  return [x, y, z];
}

/**
 * Reads all voxels, the first axis fastest, scaled by the header's slope and intercept (a slope of 0 means none).
 * NaN, which some programs write outside the field of view, becomes the least finite value; infinities become the
 * nearest finite one.
 *
 * @param bytes the whole file
 * @throws DataError if the file is truncated or damaged, or no voxel is finite
 */
export async function readVoxels(bytes: Buffer, header: NiftiHeader, name: string): Promise<Values> {
  const { dims, type, littleEndian, dataAt, slope, intercept } = header;
  const count = dims[0] * dims[1] * dims[2];
  const content = await inflate(bytes, dataAt + count * type.bytes, name);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const values = new (valuesOf(type, slope, intercept))(count);
  for (let i = 0; i < count; i += 1) {
    values[i] = slope * type.get(view, dataAt + i * type.bytes, littleEndian) + intercept;
  }
  if (values instanceof Float32Array) makeFinite(values, name);
  return values;
}

function makeFinite(values: Float32Array, name: string): void {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) throw new DataError(`${name}: no voxel is a finite number. Leave the volume out.`);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (!Number.isFinite(value)) values[i] = value === Number.POSITIVE_INFINITY ? high : low;
  }
}

/** The number of bytes after the voxels that are padding; more are another file's, or a bomb. */
const MOST_PADDING = 2 ** 20;

/** Gives the first `needed` bytes of the content. Unzipping stops where there are many more. */
async function inflate(bytes: Buffer, needed: number, name: string): Promise<Buffer> {
  const truncated = (length: number) =>
    new DataError(
      `${name}: holds ${length} bytes, but its NIfTI header needs ${needed}. The file is truncated or damaged: copy it again.`,
    );
  if (!isGzip(bytes)) {
    if (bytes.length < needed) throw truncated(bytes.length);
    return bytes;
  }
  if (bytes.length * MOST_GZIP_GAIN < needed) throw truncated(bytes.length * MOST_GZIP_GAIN);
  const content = Buffer.allocUnsafe(needed);
  let length = 0;
  try {
    for await (const chunk of Readable.from([bytes]).pipe(createGunzip({ chunkSize: 2 ** 18 }))) {
      if (length < needed) (chunk as Buffer).copy(content, length);
      length += (chunk as Buffer).length;
      if (length > needed + MOST_PADDING) break;
    }
  } catch (error) {
    throw new DataError(
      `${name}: cannot be unzipped (${(error as Error).message}). The file is truncated or damaged: copy it again.`,
    );
  }
  if (length < needed) throw truncated(length);
  if (length <= needed + MOST_PADDING) return content;
  throw new DataError(
    `${name}: holds more than ${length} bytes, but its NIfTI header says ${needed}. The file is damaged: copy it again.`,
  );
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Gives the beginning of the file's content, gzipped or not. */
function inflateHead(head: Buffer): Buffer {
  if (!isGzip(head)) return head;
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}
