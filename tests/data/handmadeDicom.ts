/** Writes DICOM files byte by byte, right and wrong ones. */
import { deflateRawSync } from 'node:zlib';

type Value = string | number | readonly number[] | Buffer | readonly Elements[];
/** The elements of a data set by tag and value representation, as in `{ '0028,0010 US': 4 }`. */
export type Elements = Readonly<Record<string, Value>>;

export interface FileOptions {
  /** The transfer syntax that the file names; null: none. */
  readonly syntax?: string | null;
  /** How the data set is written, whatever the file names. */
  readonly explicit?: boolean;
  readonly bigEndian?: boolean;
  readonly deflated?: boolean;
  /** What stands before the data set. */
  readonly begins?: 'preamble' | 'meta' | 'data set';
}

export const EXPLICIT = '1.2.840.10008.1.2.1';
export const IMPLICIT = '1.2.840.10008.1.2';

/** An image of 8-bit samples; `more` adds to its elements and replaces some. Undefined ones are left out. */
export function image(
  columns: number,
  rows: number,
  pixels: Buffer,
  more: Readonly<Record<string, Value | undefined>> = {},
): Elements {
  const elements = {
    '0028,0002 US': 1,
    '0028,0004 CS': 'MONOCHROME2',
    '0028,0010 US': rows,
    '0028,0011 US': columns,
    '0028,0100 US': 8,
    '0028,0101 US': 8,
    '0028,0102 US': 7,
    '0028,0103 US': 0,
    ...more,
    '7FE0,0010 OB': pixels,
  };
  const there = Object.entries(elements).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there.sort(([a], [b]) => (a < b ? -1 : 1))) as Elements;
}

/** A whole file. */
export function dicomFile(elements: Elements, options: FileOptions = {}): Buffer {
  const { syntax = EXPLICIT, explicit = true, bigEndian = false, deflated = false } = options;
  const { begins = 'preamble' } = options;
  const plain = dataSet({ '0008,0060 CS': 'US', ...elements }, explicit, bigEndian);
  const body = deflated ? deflateRawSync(plain) : plain;
  if (begins === 'data set') return body;
  const meta: Elements = { '0002,0001 OB': Buffer.from([0, 1]), ...(syntax && { '0002,0010 UI': syntax }) };
  const file = Buffer.concat([dataSet(meta, true, false), body]);
  return begins === 'meta' ? file : Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), file]);
}

const LONG = new Set(['OB', 'OW', 'OV', 'SQ', 'UN']);

function dataSet(elements: Elements, explicit: boolean, bigEndian: boolean): Buffer {
  const number = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntLE(value, 0, bytes);
    return bigEndian ? buffer.reverse() : buffer;
  };
  const content = (value: Value, vr: string): Buffer => {
    if (Buffer.isBuffer(value)) return value;
    if (typeof value === 'string') {
      return Buffer.from(value.length % 2 ? value + (vr === 'UI' ? '\0' : ' ') : value, 'latin1');
    }
    if (typeof value === 'number') return number(value & 0xffff, 2);
    if (vr !== 'SQ') return Buffer.concat((value as number[]).map((one) => number(one & 0xffff, 2)));
    const items = (value as readonly Elements[]).map((item) => dataSet(item, explicit, bigEndian));
    return Buffer.concat(
      items.flatMap((item) => [number(0xfffe, 2), number(0xe000, 2), number(item.length, 4), item]),
    );
  };
  const parts = Object.entries(elements).flatMap(([key, value]) => {
    const [tag, vr] = key.split(' ') as [string, string];
    const [group, element] = tag.split(',').map((half) => number(Number.parseInt(half, 16), 2));
    const bytes = content(value, vr);
    // Encapsulated pixel data have no length of their own.
    const length = bytes.subarray(0, 4).equals(ITEM) && tag === '7FE0,0010' ? 0xffffffff : bytes.length;
    const long = LONG.has(vr);
    const named = long ? [Buffer.from(vr), Buffer.alloc(2)] : [Buffer.from(vr)];
    return [group!, element!, ...(explicit ? named : []), number(length, explicit && !long ? 2 : 4), bytes];
  });
  return Buffer.concat(parts);
}

const ITEM = Buffer.from([0xfe, 0xff, 0x00, 0xe0]);
const LAST = Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);

/**
 * The items of encapsulated pixel data.
 *
 * @param table the first item, which should hold the offset of each frame
 * @param ends whether the sequence ends as it should
 */
export function encapsulated(
  fragments: readonly Buffer[],
  table: Buffer = Buffer.alloc(0),
  ends = true,
): Buffer {
  const items = [table, ...fragments].map((content) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(content.length, 0);
    return Buffer.concat([ITEM, length, content]);
  });
  return Buffer.concat([...items, ...(ends ? [LAST] : [])]);
}

/** The numbers of four bytes of an offset table. */
export function offsets(...numbers: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(numbers).buffer);
}
