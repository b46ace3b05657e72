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

/** An uncompressed little-endian TIFF of one row with `bits` per sample; `format` 1 unsigned, 2 signed, 3 float. */
export function tiff(
  data: Buffer,
  {
    bits,
    channels,
    photometric,
    format = 1,
  }: { bits: number; channels: number; photometric: number; format?: number },
): Buffer {
  const width = data.length / ((bits / 8) * channels);
  const tags: [tag: number, value: number][] = [
    [256, width],
    [257, 1],
    [258, bits],
    [259, 1],
    [262, photometric],
    [273, 8],
    [277, channels],
    [278, 1],
    [279, data.length],
    [339, format],
  ];
  const directory = Buffer.alloc(2 + tags.length * 12 + 4);
  directory.writeUInt16LE(tags.length, 0);
  const after = 8 + data.length + directory.length;
  const bitsPerSample = Buffer.alloc(channels * 2);
  const formats = Buffer.alloc(channels * 2);
  for (let c = 0; c < channels; c += 1) {
    bitsPerSample.writeUInt16LE(bits, c * 2);
    formats.writeUInt16LE(format, c * 2);
  }
  for (const [i, [tag, value]] of tags.entries()) {
    const at = 2 + i * 12;
    const perChannel = tag === 258 || tag === 339;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(perChannel ? 3 : 4, at + 2);
    directory.writeUInt32LE(perChannel ? channels : 1, at + 4);
    if (perChannel && channels > 2)
      directory.writeUInt32LE(tag === 258 ? after : after + channels * 2, at + 8);
    else directory.writeUInt32LE(value, at + 8);
  }
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(8 + data.length, 4);
  return Buffer.concat([header, data, directory, bitsPerSample, formats]);
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
