import type { DataSet } from 'dicom-parser';
import type { FileWindow } from '../pixels.js';
import { expandSegments } from './segmentedTable.js';

export type Table = Extract<FileWindow, { kind: 'table' }>;

/** The attributes of a lookup table. */
interface TableTags {
  readonly descriptor: string;
  readonly data: string;
  /** The attribute of data in segments, which palettes may have in the place of `data`. */
  readonly segments?: string;
}

/**
 * Reads a lookup table (PS3.3 C.11.1.1 and C.7.9). Its descriptor holds the number of entries (0 stands for 65536),
 * the first value looked up and the bits of an entry.
 *
 * @param signed whether the first value is signed
 * @returns undefined where there are no data, as in the attributes that programs copy from a template and leave empty
 * @throws Error if descriptor and data do not go together
 */
export function readTable(
  dataSet: DataSet,
  { descriptor, data, segments }: TableTags,
  signed: boolean,
): Table | undefined {
  const tag = [data, segments].find(
    (name) => name !== undefined && (dataSet.elements[name]?.length ?? 0) > 0,
  );
  if (tag === undefined) return undefined;
  const [count, first, bits] = [0, 1, 2].map((i) =>
    i === 1 && signed ? dataSet.int16(descriptor, i) : dataSet.uint16(descriptor, i),
  );
  // The package reads on into the next element.
  const isShort = (dataSet.elements[descriptor]?.length ?? 0) < 6;
  if (isShort || count === undefined || first === undefined || bits === undefined) {
    throw new Error('a lookup table has no descriptor');
  }
  const entries = count || 65536;
  const { length } = dataSet.elements[tag]!;
  // Tables of 8 bits come packed, or one entry in each word.
  const packed = tag === data ? length < 2 * entries : bits <= 8;
  const tooShort = tag === data && length < (packed ? entries : 2 * entries);
  if (bits < 1 || bits > 16 || tooShort) {
    throw new Error(`a lookup table of ${entries} entries with ${bits} bits is ${length} bytes long`);
  }
  const stored = numbersOf(dataSet, tag, packed);
  const output = tag === data ? stored.slice(0, entries) : expandSegments(stored, packed ? 8 : 16, entries);
  // Some descriptors say 16 bits of packed bytes.
  const white = 2 ** (packed ? Math.min(bits, 8) : bits) - 1;
  return { kind: 'table', first, output: Uint16Array.from(output), white };
}

/** Reads all numbers of an element of words; packed ones are the lower and then the upper byte of each. */
function numbersOf(dataSet: DataSet, tag: string, packed: boolean): number[] {
  const { length, dataOffset } = dataSet.elements[tag]!;
  const words = Array.from({ length: length >> 1 }, (_, i) => dataSet.uint16(tag, i)!);
  if (!packed) return words;
  const bytes = words.flatMap((word) => [word & 255, word >> 8]);
  return length % 2 === 0 ? bytes : [...bytes, dataSet.byteArray[dataOffset + length - 1]!];
}
