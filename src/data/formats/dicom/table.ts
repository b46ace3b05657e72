import type { DataSet } from 'dicom-parser';
import type { FileWindow } from '../pixels.js';

export type Table = Extract<FileWindow, { kind: 'table' }>;

/**
 * Reads a lookup table (PS3.3 C.11.1.1 and C.7.9). Its descriptor holds the number of entries (0 stands for 65536),
 * the first value looked up and the bits of an entry.
 *
 * @param signed whether the first value is signed
 * @throws Error if descriptor or data are missing or do not go together
 */
export function readTable(dataSet: DataSet, descriptor: string, data: string, signed: boolean): Table {
  const [count, first, bits] = [0, 1, 2].map((i) =>
    i === 1 && signed ? dataSet.int16(descriptor, i) : dataSet.uint16(descriptor, i),
  );
  const element = dataSet.elements[data];
  if (count === undefined || first === undefined || bits === undefined || element === undefined) {
    throw new Error('a lookup table has no descriptor or no data');
  }
  const entries = count || 65536;
  // Tables of 8 bits come packed, or one entry in each word.
  const packed = element.length < 2 * entries;
  if (bits < 1 || bits > 16 || element.length < (packed ? entries : 2 * entries)) {
    throw new Error(`a lookup table of ${entries} entries with ${bits} bits is ${element.length} bytes long`);
  }
  const output = Uint16Array.from({ length: entries }, (_, i) =>
    packed ? dataSet.byteArray[element.dataOffset + i]! : dataSet.uint16(data, i)!,
  );
  return { kind: 'table', first, output, white: 2 ** bits - 1 };
}
