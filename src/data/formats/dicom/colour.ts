import type { DataSet } from 'dicom-parser';
import type { Values } from '../distribution.js';
import { readTable } from './table.js';
import { TAGS } from './tags.js';

/**
 * Turns YCbCr of the full range into RGB (ITU-R BT.601, PS3.3 C.7.6.3.1.2), 8 bits:
 * R = Y + 1.402 (Cr − 128), G = Y − 0.344136 (Cb − 128) − 0.714136 (Cr − 128), B = Y + 1.772 (Cb − 128).
 */
export function fromYbr(ybr: Uint8Array): Uint8Array {
  const rgb = new Uint8ClampedArray(ybr.length);
  for (let i = 0; i < ybr.length; i += 3) {
    const [y, blue, red] = [ybr[i]!, ybr[i + 1]! - 128, ybr[i + 2]! - 128];
    rgb[i] = Math.round(y + 1.402 * red);
    rgb[i + 1] = Math.round(y - (0.114 * 1.772 * blue + 0.299 * 1.402 * red) / 0.587);
    rgb[i + 2] = Math.round(y + 1.772 * blue);
  }
  return new Uint8Array(rgb.buffer);
}

/**
 * Looks the colours of indices up in the three tables of a palette.
 *
 * @param signed whether indices are signed
 * @throws Error if a table is missing or damaged
 */
export function fromPalette(
  dataSet: DataSet,
  indices: Values,
  signed: boolean,
): { data: Uint8Array | Uint16Array; white: number } {
  const tables = TAGS.paletteDescriptors.map((descriptor, i) => {
    const [data, segments] = [TAGS.palettes[i]!, TAGS.segmentedPalettes[i]!];
    const table = readTable(dataSet, { descriptor, data, segments }, signed);
    if (table === undefined) throw new Error('its colours are those of a palette that it does not hold');
    return table;
  });
  const white = tables[0]!.white;
  const data = white > 255 ? new Uint16Array(indices.length * 3) : new Uint8Array(indices.length * 3);
  for (let i = 0; i < indices.length; i += 1) {
    for (const [c, { first, output }] of tables.entries()) {
      data[3 * i + c] = output[Math.max(0, Math.min(output.length - 1, indices[i]! - first))]!;
    }
  }
  return { data, white };
}
