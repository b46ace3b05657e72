import { crc32, deflateSync } from 'node:zlib';

/** PNG colour types. */
export const GRAY = 0;
export const RGB = 2;
export const PALETTE = 3;
export const GRAY_ALPHA = 4;
export const RGB_ALPHA = 6;

/**
 * A PNG made byte by byte, so that a test knows what is in the file and not what an encoder made of it. Stored
 * uncompressed, so images of one shape have files of one length.
 * `rows`: packed samples as bytes, 16-bit ones big-endian.
 */
export function png(
  width: number,
  bitDepth: number,
  colourType: number,
  rows: readonly (readonly number[])[],
  chunks: readonly (readonly [string, readonly number[]])[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(rows.length, 4);
  header.set([bitDepth, colourType], 8);
  const lines = rows.map((row) => Buffer.from([0, ...row]));
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    ...chunks.map(([type, data]) => chunk(type, Buffer.from(data))),
    chunk('IDAT', deflateSync(Buffer.concat(lines), { level: 0 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

interface TiffShape {
  bits: number;
  /** The number of samples of a pixel, extras included. */
  channels: number;
  photometric: number;
  /** 1 unsigned, 2 signed, 3 float. */
  format?: number;
  /** The tag ExtraSamples: 0 unspecified, 1 premultiplied alpha, 2 alpha. */
  extras?: readonly number[];
  /** Whether `data` holds one plane for each sample. */
  planar?: boolean;
  /** Whether the directory begins with its last tag. */
  unsorted?: boolean;
  /** Tags to write besides the usual ones, or in their place; one without values is left out. */
  tags?: readonly TiffTag[];
}

type TiffTag = readonly [tag: number, type: number, values: readonly number[]];

/** An uncompressed little-endian TIFF, by itself of one row. The data begin at byte 8. */
export function tiff(data: Buffer, shape: TiffShape): Buffer {
  const { bits, channels, photometric, format = 1, extras = [], planar = false, unsorted = false } = shape;
  const { tags: others = [] } = shape;
  const width = data.length / ((bits / 8) * channels);
  const planes = planar ? channels : 1;
  const each = data.length / planes;
  const [SHORT, LONG] = [3, 4];
  const usual: TiffTag[] = [
    [256, LONG, [width]],
    [257, LONG, [1]],
    [258, SHORT, Array(channels).fill(bits)],
    [259, SHORT, [1]],
    [262, SHORT, [photometric]],
    [273, LONG, Array.from({ length: planes }, (_, i) => 8 + i * each)],
    [277, SHORT, [channels]],
    [278, LONG, [1]],
    [279, LONG, Array(planes).fill(each)],
    [284, SHORT, [planar ? 2 : 1]],
    [338, SHORT, extras],
    [339, SHORT, Array(channels).fill(format)],
  ];
  const replaced = new Set(others.map(([tag]) => tag));
  const written = [...usual.filter(([tag]) => !replaced.has(tag)), ...others]
    .filter(([, , values]) => values.length > 0)
    .sort(([a], [b]) => a - b);
  if (unsorted) written.unshift(written.pop()!);
  const directory = Buffer.alloc(2 + written.length * 12 + 4);
  directory.writeUInt16LE(written.length, 0);
  const longer: Buffer[] = [];
  let after = 8 + data.length + directory.length;
  for (const [i, [tag, type, values]] of written.entries()) {
    const at = 2 + i * 12;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(values.length, at + 4);
    const bytes = type === SHORT ? words(...values) : Buffer.from(Uint32Array.from(values).buffer);
    if (bytes.length <= 4) {
      bytes.copy(directory, at + 8);
      continue;
    }
    directory.writeUInt32LE(after, at + 8);
    longer.push(bytes);
    after += bytes.length;
  }
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(8 + data.length, 4);
  return Buffer.concat([header, data, directory, ...longer]);
}

/** Little-endian 16-bit samples. */
export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) bytes.writeUInt16LE(value, i * 2);
  return bytes;
}

interface BmpShape {
  width: number;
  /** Negative: stored from the top. */
  height: number;
  bits: number;
  compression?: number;
  /** Blue, green, red, 0. */
  palette?: readonly (readonly number[])[];
  /** Of red, green, blue and alpha: a longer header. */
  masks?: readonly number[];
}

/** A bitmap of OS/2 1, whose header and palette are shorter; `pixels` as they are stored, rows padded to four bytes. */
export function coreBmp(
  { width, height, bits, palette = [] }: Omit<BmpShape, 'compression' | 'masks'>,
  pixels: readonly number[],
): Buffer {
  const header = Buffer.alloc(26);
  header.write('BM');
  header.writeUInt32LE(header.length + 3 * palette.length, 10);
  header.writeUInt32LE(12, 14);
  for (const [i, value] of [width, height, 1, bits].entries()) header.writeUInt16LE(value, 18 + 2 * i);
  return Buffer.concat([header, Buffer.from(palette.flat()), Buffer.from(pixels)]);
}

/** A Windows bitmap; `pixels` as they are stored, rows padded to four bytes. */
export function bmp(
  { width, height, bits, compression = 0, palette = [], masks = [] }: BmpShape,
  pixels: readonly number[],
): Buffer {
  const headerLength = masks.length === 0 ? 40 : 56;
  const header = Buffer.alloc(14 + headerLength);
  header.write('BM');
  header.writeUInt32LE(header.length + 4 * palette.length, 10);
  header.writeUInt32LE(headerLength, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(masks.length === 0 ? compression : 3, 30);
  header.writeUInt32LE(palette.length, 46);
  for (const [i, mask] of masks.entries()) header.writeUInt32LE(mask, 54 + 4 * i);
  return Buffer.concat([header, Buffer.from(palette.flat()), Buffer.from(pixels)]);
}
