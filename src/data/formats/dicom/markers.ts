/** Tells by their markers where compressed images begin and end, and how they are compressed. */
import { readJpegFrame, START_OF_SCAN, segments } from './jpegHeader.js';
import type { Compression } from './transferSyntax.js';

/** The first bytes of JPEG and JPEG-LS, of a JPEG 2000 codestream, and of a JP2 file. */
const BEGINNINGS = [
  [0xff, 0xd8, 0xff],
  [0xff, 0x4f, 0xff, 0x51],
  [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20],
].map((bytes) => Buffer.from(bytes));
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);

/** The way in which an image shows that it begins: by a marker, or by the header of run-length encoding. */
export type Beginning = 'marker' | 'rle';

/** Tells whether and how a compressed image begins with these bytes, the first 64 of a fragment. */
export function beginningOf(head: Buffer): Beginning | undefined {
  if (isRleHeader(head)) return 'rle';
  return beginsWithMarker(head) ? 'marker' : undefined;
}

function beginsWithMarker(head: Buffer): boolean {
  return BEGINNINGS.some((beginning) => head.subarray(0, beginning.length).equals(beginning));
}

/**
 * Tells whether the bytes are the header of run-length encoding: 16 numbers, which are how many segments there are,
 * where each begins, in ascending order from byte 64 on, and zeros.
 */
function isRleHeader(head: Buffer): boolean {
  if (head.length < 64) return false;
  const [count, ...offsets] = Array.from({ length: 16 }, (_, i) => head.readUInt32LE(4 * i));
  if (count! < 1 || count! > 15 || offsets[0] !== 64) return false;
  return offsets.every((offset, i) => (i < count! ? i === 0 || offset > offsets[i - 1]! : offset === 0));
}

/** Tells the compression of an image by its first bytes; undefined where no image begins. */
export function compressionOf(bytes: Buffer): Compression | undefined {
  if (isRleHeader(bytes)) return 'rle';
  if (!beginsWithMarker(bytes)) return undefined;
  if (bytes[1] !== 0xd8) return 'jpeg-2000';
  const { process } = readJpegFrame(bytes);
  if (process === 0xf7) return 'jpeg-ls';
  return process === 0xc3 ? 'jpeg-lossless' : 'jpeg';
}

/** Tells whether the marker that ends an image (FFD9) is among the bytes of a fragment. */
export function holdsEnd(bytes: Buffer): boolean {
  return bytes.includes(END_OF_IMAGE);
}

/**
 * Gives a JPEG, JPEG-LS or JPEG 2000 image up to the marker that ends it (FFD9). What stands behind it is padding,
 * whatever its bytes.
 *
 * @throws Error if the image does not end
 */
export function upToEnd(bytes: Buffer): Buffer {
  // The packets of JPEG 2000 hold no such bytes, and its other segments stand before them.
  const end = bytes[1] === 0xd8 ? endOfJpeg(bytes) : bytes.lastIndexOf(END_OF_IMAGE);
  if (end < 0) throw new Error('the compressed image ends early');
  return bytes.subarray(0, end + END_OF_IMAGE.length);
}

/** Finds the end marker behind the scans of a JPEG or JPEG-LS image; −1 where there is none. */
function endOfJpeg(bytes: Buffer): number {
  let at = 0;
  for (;;) {
    let scan: number | undefined;
    for (const { marker, end } of segments(bytes, at)) if (marker === START_OF_SCAN) scan = end;
    // Without a further scan the segments have run up to the end marker.
    if (scan === undefined) return bytes.indexOf(END_OF_IMAGE, at);
    at = markerAfter(bytes, scan);
    if (at < 0 || bytes[at + 1] === 0xd9) return at;
  }
}

/**
 * Finds the next marker behind the bits of a scan; −1 where there is none. Within them FF is followed by a zero bit
 * (JPEG-LS), a zero byte, the marker of a restart, or another FF.
 */
function markerAfter(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next === undefined) return -1;
    if (next >= 0xc0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return -1;
}
