/** The shape of one frame's samples, whatever their compression. */
export interface FrameShape {
  readonly width: number;
  readonly height: number;
  readonly samples: 1 | 3;
  /** The number of bits of one sample when it is not compressed. */
  readonly bits: 8 | 16;
}

/** The samples of a frame, interleaved. */
export type Samples = Uint8Array | Uint16Array;

/**
 * Decodes DICOM's run-length encoding (PS3.5 annex G). After a table of 16 numbers comes one segment for each byte of
 * each sample, the most significant byte first; each segment is PackBits.
 *
 * @throws Error if a segment is missing or does not hold all of its samples
 */
export function decodeRle(bytes: Uint8Array, { width, height, samples, bits }: FrameShape): Samples {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pixels = width * height;
  const bytesEach = bits / 8;
  const expected = samples * bytesEach;
  const segments = bytes.length < 64 ? 0 : view.getUint32(0, true);
  if (segments !== expected) throw new Error(`${segments} RLE segments, expected ${expected}`);
  // Two bytes can stand for 128 bytes at most.
  if (pixels * expected > bytes.length * 64) throw new Error(`${bytes.length} bytes are too few`);
  const decoded = bits === 8 ? new Uint8Array(pixels * samples) : new Uint16Array(pixels * samples);
  const plane = new Uint8Array(pixels);
  for (let segment = 0; segment < segments; segment += 1) {
    const start = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < segments ? view.getUint32(8 + 4 * segment, true) : bytes.length;
    if (start < 64 || end < start || end > bytes.length)
      throw new Error('an RLE segment lies outside its frame');
    unpack(bytes.subarray(start, end), plane);
    const sample = Math.floor(segment / bytesEach);
    const shift = 8 * (bytesEach - 1 - (segment % bytesEach));
    for (let i = 0; i < pixels; i += 1) decoded[i * samples + sample]! |= plane[i]! << shift;
  }
  return decoded;
}

/**
 * Unpacks PackBits: n in 0 … 127 is followed by n + 1 bytes as they are, −127 … −1 by one byte to repeat 1 − n times.
 */
function unpack(packed: Uint8Array, into: Uint8Array): void {
  let [at, to] = [0, 0];
  while (to < into.length) {
    if (at + 1 >= packed.length) throw new Error('an RLE segment is too short');
    const n = packed[at]!;
    at += 1;
    if (n < 128) {
      const run = packed.subarray(at, at + Math.min(n + 1, into.length - to));
      into.set(run, to);
      at += n + 1;
      to += run.length;
    } else if (n > 128) {
      into.fill(packed[at]!, to, to + 257 - n);
      at += 1;
      to += 257 - n;
    }
  }
}
