/** Reads from a TIFF's first directory what its samples mean, which libtiff's decoders do not tell apart. */

/** The meaning of a sample beyond the colours (tag ExtraSamples). */
export type Extra = 'unspecified' | 'premultiplied' | 'alpha';

export interface TiffLayout {
  /** The meaning of each sample after the colours; empty where the file does not say. */
  readonly extras: readonly Extra[];
  /** The positions of the numbers of ExtraSamples in the file. */
  readonly extrasAt: readonly number[];
  /** Whether each sample has a plane of its own. */
  readonly planar: boolean;
  /** The number of the compression, as in the TIFF specification. */
  readonly compression: number;
}

const TAGS = { compression: 259, planar: 284, extras: 338 };
const MEANINGS: readonly Extra[] = ['unspecified', 'premultiplied', 'alpha'];

/** @returns undefined if the bytes hold no directory that can be read */
export function readTiffLayout(bytes: Uint8Array): TiffLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const numbers = readDirectory(view);
    const extras = numbers(TAGS.extras);
    return {
      extras: extras.map(({ value }) => MEANINGS[value] ?? 'unspecified'),
      extrasAt: extras.map(({ at }) => at),
      planar: numbers(TAGS.planar)[0]?.value === 2,
      compression: numbers(TAGS.compression)[0]?.value ?? 1,
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
  for (const at of extrasAt) copy.fill(0, at, at + 2);
  return copy;
}

type Numbers = readonly { readonly value: number; readonly at: number }[];

/** Gives a function that reads the numbers of a tag; none if the tag is missing or holds no 16- or 32-bit integers. */
function readDirectory(view: DataView): (tag: number) => Numbers {
  const little = view.getUint16(0) === 0x4949;
  const short = (at: number) => view.getUint16(at, little);
  const big = short(2) === 43;
  const offset = (at: number) => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const start = offset(big ? 8 : 4);
  const count = big ? Number(view.getBigUint64(start, little)) : short(start);
  const [head, entry, inside] = big ? [8, 20, 8] : [2, 12, 4];
  return (tag) => {
    for (let i = 0; i < count; i += 1) {
      const at = start + head + i * entry;
      if (short(at) !== tag) continue;
      const size = { 3: 2, 4: 4 }[short(at + 2)];
      if (size === undefined) return [];
      const length = offset(at + 4);
      const values = at + 4 + inside;
      const from = length * size > inside ? offset(values) : values;
      // A pixel has few samples; a larger number is damage.
      return Array.from({ length: Math.min(length, 64) }, (_, index) => {
        const place = from + index * size;
        return { value: size === 2 ? short(place) : view.getUint32(place, little), at: place };
      });
    }
    return [];
  };
}
