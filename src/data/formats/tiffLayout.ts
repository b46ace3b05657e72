/** Reads from a TIFF's first directory what its samples mean, which libtiff's decoders do not tell apart. */

/** The meaning of a sample beyond the colours (tag ExtraSamples). */
export type Extra = 'unspecified' | 'premultiplied' | 'alpha';

export interface TiffLayout {
  /** The meaning of each sample after the colours; empty where the file does not say. */
  readonly extras: readonly Extra[];
  /** The first byte of each number of ExtraSamples in the file, and the byte after its last. */
  readonly extrasAt: readonly (readonly [from: number, to: number])[];
  /** Whether each sample has a plane of its own. */
  readonly planar: boolean;
  /** The number of the compression, as in the TIFF specification. */
  readonly compression: number;
  /** Whether the pixels are stored in tiles and not in strips of rows. */
  readonly tiled: boolean;
  /** What is wrong with the number or the length of uncompressed strips or tiles, as in `lists 9 strips, expected 1`. */
  readonly blockFault?: string;
}

const TAGS = {
  ...{ width: 256, height: 257, bits: 258, compression: 259, photometric: 262, samples: 277 },
  ...{ strips: { offsets: 273, rows: 278, bytes: 279 }, planar: 284 },
  ...{ tiles: { width: 322, rows: 323, offsets: 324, bytes: 325 }, extras: 338 },
};
const [UNCOMPRESSED, YCBCR] = [1, 6];
const MEANINGS: readonly Extra[] = ['unspecified', 'premultiplied', 'alpha'];

/** @returns undefined if the bytes hold no directory that can be read */
export function readTiffLayout(bytes: Uint8Array): TiffLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const numbers = readDirectory(view);
    const extras = numbers(TAGS.extras);
    return {
      extras: extras.map(({ value }) => MEANINGS[value] ?? 'unspecified'),
      extrasAt: extras.map(({ at, size }) => [at, at + size]),
      planar: numbers(TAGS.planar)[0]?.value === 2,
      compression: numbers(TAGS.compression)[0]?.value ?? UNCOMPRESSED,
      tiled: numbers(TAGS.tiles.offsets, 1).length > 0,
      blockFault: blockFaultOf(numbers),
    };
  } catch (error) {
    // A place outside the file: the decoder says what is damaged.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Makes a copy of the file whose extra samples are all of unspecified meaning. libvips divides the colours by a
 * premultiplied alpha, which loses digits; it leaves samples of unspecified meaning alone.
 */
export function withPlainExtras(bytes: Uint8Array, { extrasAt }: TiffLayout): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const [from, to] of extrasAt) copy.fill(0, from, to);
  return copy;
}

/**
 * Compares the strips or tiles of an uncompressed image with what its size asks for. Of a file with fewer or shorter
 * ones, libtiff reads whatever stands there. The colours of YCbCr may be shared by pixels, so it is not judged.
 */
function blockFaultOf(numbers: ReadNumbers): string | undefined {
  const one = (tag: number) => numbers(tag, 1)[0]?.value;
  const [width, height] = [one(TAGS.width), one(TAGS.height)];
  if ((one(TAGS.compression) ?? UNCOMPRESSED) !== UNCOMPRESSED || one(TAGS.photometric) === YCBCR)
    return undefined;
  if (!width || !height) return undefined;
  const tiled = one(TAGS.tiles.offsets) !== undefined;
  const tags = tiled ? TAGS.tiles : TAGS.strips;
  const blockWidth = tiled ? one(TAGS.tiles.width) : width;
  const blockRows = Math.min(one(tags.rows) || height, tiled ? Number.POSITIVE_INFINITY : height);
  if (!blockWidth) return undefined;
  const samples = one(TAGS.samples) ?? 1;
  const [inBlock, planes] = one(TAGS.planar) === 2 ? [1, samples] : [samples, 1];
  const rowBytes = Math.ceil((blockWidth * inBlock * (one(TAGS.bits) ?? 1)) / 8);
  const down = Math.ceil(height / blockRows);
  const needed = Math.ceil(width / blockWidth) * down * planes;
  const [what, listed] = [tiled ? 'tile' : 'strip', numbers(tags.offsets, Number.POSITIVE_INFINITY).length];
  if (listed !== needed) return `lists ${listed} ${what}s, but its size asks for ${needed}`;
  const held = numbers(tags.bytes, Number.POSITIVE_INFINITY);
  // Without the tag, libtiff computes the lengths.
  if (held.length === 0) return undefined;
  for (let i = 0; i < needed; i += 1) {
    const rows = tiled ? blockRows : Math.min(blockRows, height - (i % down) * blockRows);
    const bytes = held[i]?.value ?? 0;
    if (bytes < rows * rowBytes)
      return `holds ${bytes} bytes in ${what} ${i}, but its ${rows} rows need ${rows * rowBytes}`;
  }
  return undefined;
}

interface TagNumber {
  readonly value: number;
  readonly at: number;
  /** The number of bytes. */
  readonly size: number;
}

/** Reads the first numbers of a tag, at most `most`; none if the tag is missing or holds no unsigned integers. */
type ReadNumbers = (tag: number, most?: number) => readonly TagNumber[];

/** The bytes of each type of unsigned integers. */
const SIZES: Readonly<Record<number, 1 | 2 | 4 | 8>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

function readDirectory(view: DataView): ReadNumbers {
  const little = view.getUint16(0) === 0x4949;
  const short = (at: number) => view.getUint16(at, little);
  const big = short(2) === 43;
  const offset = (at: number) => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const start = offset(big ? 8 : 4);
  const count = big ? Number(view.getBigUint64(start, little)) : short(start);
  const [head, entry, inside] = big ? [8, 20, 8] : [2, 12, 4];
  const values = {
    1: (at: number) => view.getUint8(at),
    2: short,
    4: (at: number) => view.getUint32(at, little),
    8: (at: number) => Number(view.getBigUint64(at, little)),
  };
  // A pixel has few samples; a larger number is damage.
  return (tag, most = 64) => {
    for (let i = 0; i < count; i += 1) {
      const at = start + head + i * entry;
      if (short(at) !== tag) continue;
      const size = SIZES[short(at + 2)];
      if (size === undefined) return [];
      const length = offset(at + 4);
      const inline = at + 4 + inside;
      const from = length * size > inside ? offset(inline) : inline;
      return Array.from({ length: Math.min(length, most) }, (_, index) => {
        const place = from + index * size;
        return { value: values[size](place), at: place, size };
      });
    }
    return [];
  };
}
