import { DataError } from '../../errors.js';
import { composite } from './composite.js';
import { MAX_BYTES, refuseAbove } from './limits.js';
import type { Pixels } from './pixels.js';

/** The numbers of bits per pixel that are read. */
const DEPTHS: readonly number[] = [1, 4, 8, 24, 32];

interface Header {
  readonly width: number;
  readonly height: number;
  /** Whether rows are stored from the top; usually they are stored from the bottom. */
  readonly topDown: boolean;
  readonly bits: number;
  readonly pixelsAt: number;
  readonly paletteAt: number;
  /** The number of bytes of a colour of the palette. */
  readonly colourBytes: 3 | 4;
  readonly colours: number;
  readonly alpha: boolean;
}

/** The length of the header of OS/2 1 and of the first Windows, which says width and height in 16 bits. */
const CORE_HEADER = 12;
/** The lengths of headers: the core, Windows 3 and later, OS/2 2 in its short and long form. */
const HEADERS: readonly number[] = [CORE_HEADER, 16, 40, 52, 56, 64, 108, 124];

export function isBmp(head: Buffer): boolean {
  return head.length >= 26 && head[0] === 0x42 && head[1] === 0x4d && HEADERS.includes(head.readUInt32LE(14));
}

/** Reads width and height from the header. */
export function bmpSize(bytes: Buffer, name: string): { width: number; height: number } {
  const { width, height } = readHeader(bytes, name);
  return { width, height };
}

/**
 * Decodes an uncompressed bitmap of Windows or OS/2 with 1, 4 or 8 bits and a palette, or 24 or 32 bits. Alpha, where the header
 * names it, is composited onto black.
 *
 * libvips reads no bitmaps. The package bmp-ts (1.0.9) does, but of 4-bit images of odd width it decodes one row
 * alone, and it draws pixels beyond the palette white: here a file is decoded whole or refused.
 *
 * @throws DataError if the file is truncated, compressed or of another depth
 */
export function decodeBmp(bytes: Buffer, name: string, maxBytes = MAX_BYTES): Pixels {
  const header = readHeader(bytes, name);
  const { width, height, topDown, bits, pixelsAt, paletteAt, colours, alpha } = header;
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  if (pixelsAt + rowBytes * height > bytes.length) {
    throw new DataError(
      `${name}: is ${bytes.length} bytes long, but ${width}×${height} pixels of ${bits} bits need ` +
        `${pixelsAt + rowBytes * height}. The BMP file is truncated or damaged: copy it again.`,
    );
  }
  const channels = alpha ? 4 : 3;
  refuseAbove(maxBytes, width * height * channels, `${width}×${height} pixels`, name);
  const samples = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y += 1) {
    const row = pixelsAt + (topDown ? y : height - 1 - y) * rowBytes;
    for (let x = 0; x < width; x += 1) {
      let at = row + (x * bits) / 8;
      if (bits <= 8) {
        const inByte = (bytes[Math.floor(at)]! >> (8 - bits - ((x * bits) % 8))) & ((1 << bits) - 1);
        if (inByte >= colours) {
          throw new DataError(
            `${name}: a pixel has colour ${inByte} of a palette of ${colours}. The BMP file is damaged: copy it again.`,
          );
        }
        at = paletteAt + inByte * header.colourBytes;
      }
      const to = (y * width + x) * channels;
      samples[to] = bytes[at + 2]!;
      samples[to + 1] = bytes[at + 1]!;
      samples[to + 2] = bytes[at]!;
      if (alpha) samples[to + 3] = bytes[at + 3]!;
    }
  }
  return {
    width,
    height,
    ...composite(samples, { channels, colours: 3, alpha: 3 }, 255),
    fullScale: [0, 255],
  };
}

function readHeader(bytes: Buffer, name: string): Header {
  const headerLength = bytes.length < 18 ? 0 : bytes.readUInt32LE(14);
  if (bytes.length < 14 + headerLength || headerLength === 0) {
    throw new DataError(`${name}: the BMP file ends in its header. Copy it again.`);
  }
  const core = headerLength === CORE_HEADER;
  const [width, storedHeight] = core
    ? [bytes.readUInt16LE(18), bytes.readUInt16LE(20)]
    : [bytes.readInt32LE(18), bytes.readInt32LE(22)];
  const bits = bytes.readUInt16LE(core ? 24 : 28);
  const compression = headerLength < 40 ? 0 : bytes.readUInt32LE(30);
  // By bit fields 32-bit bitmaps say that the fourth byte is alpha. Only the usual order of bytes is read.
  const bitFields = compression === 3 && bits === 32 && bytes.length >= 70;
  const usualOrder =
    bitFields && [0xff0000, 0xff00, 0xff].every((mask, c) => bytes.readUInt32LE(54 + 4 * c) === mask);
  if (!DEPTHS.includes(bits) || !(compression === 0 || usualOrder)) {
    throw new DataError(
      `${name}: is a BMP of ${bits} bits a pixel with compression ${compression}, expected 1, 4, 8, 24 or 32 bits, ` +
        'uncompressed. Convert it to PNG.',
    );
  }
  if (width < 1 || storedHeight === 0) {
    throw new DataError(`${name}: the BMP header says ${width}×${storedHeight} pixels. Copy the file again.`);
  }
  const paletteAt = 14 + headerLength;
  const colourBytes = core ? 3 : 4;
  const declared = headerLength < 40 ? 0 : bytes.readUInt32LE(46);
  const inPalette = bits > 8 ? 0 : Math.min(declared || 2 ** bits, 2 ** bits);
  // The header of Windows 3 puts the masks of the bit fields behind itself.
  const masks = bitFields && headerLength === 40 ? 12 : 0;
  // Some programs leave the place of the pixels 0. They then follow the header and the palette.
  const pixelsAt = bytes.readUInt32LE(10) || paletteAt + masks + inPalette * colourBytes;
  if (pixelsAt < paletteAt) {
    throw new DataError(
      `${name}: the pixels begin at byte ${pixelsAt}, within the header of ${paletteAt} bytes. ` +
        'The BMP file is damaged: copy it again.',
    );
  }
  // The palette ends where the pixels begin at the latest.
  const room = Math.floor((Math.min(pixelsAt, bytes.length) - paletteAt) / colourBytes);
  return {
    width,
    height: Math.abs(storedHeight),
    topDown: storedHeight < 0,
    bits,
    pixelsAt,
    paletteAt,
    colourBytes,
    colours: Math.min(declared || 2 ** bits, room),
    alpha: usualOrder && headerLength >= 56 && bytes.readUInt32LE(66) === 0xff000000,
  };
}
