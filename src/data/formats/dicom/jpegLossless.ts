import { readJpegFrame, type Segment, START_OF_SCAN, segments } from './jpegHeader.js';

/**
 * Decodes lossless JPEG with Huffman codes (ITU-T T.81, process 14): all seven predictors, 2 to 16 bits, point
 * transforms, restart intervals, one scan for all components or one for each. (The package jpeg-lossless-decoder-js
 * knows none of the last three and no 16-bit colour, and goes on with zeros where the data ends.)
 *
 * @returns samples, interleaved
 * @throws Error if the image is damaged or of another kind of JPEG
 */
export function decodeJpegLossless(bytes: Uint8Array): Uint16Array {
  const { process, precision, width, height, components } = readJpegFrame(bytes);
  if (process !== 0xc3)
    throw new Error(`the JPEG process is ${process.toString(16)}, expected c3 (lossless)`);
  if (precision < 2 || precision > 16) throw new Error(`${precision} bits a sample, expected 2 to 16`);
  if (
    components.some(({ across, down }) => across !== components[0]!.across || down !== components[0]!.down)
  ) {
    throw new Error('the components have different resolutions');
  }
  // Every sample takes at least one bit.
  if (width * height * components.length > bytes.length * 8) throw new Error('the image ends early');
  const samples = new Uint16Array(width * height * components.length);
  const decoded = new Set<number>();
  const tables: (Uint16Array | undefined)[] = [];
  let restartInterval = 0;
  let at = 0;
  while (decoded.size < components.length) {
    let scan: Segment | undefined;
    for (const segment of segments(bytes, at)) {
      if (segment.marker === 0xc4) readTables(segment.bytes, tables);
      if (segment.marker === 0xdd) restartInterval = (segment.bytes[0]! << 8) | segment.bytes[1]!;
      if (segment.marker === START_OF_SCAN) scan = segment;
    }
    if (scan === undefined) throw new Error(`${decoded.size} of ${components.length} components are there`);
    const header = scan.bytes;
    const inScan = Array.from({ length: header[0]! }, (_, i) => ({
      index: components.findIndex(({ id }) => id === header[1 + 2 * i]),
      table: tables[header[2 + 2 * i]! >> 4],
    }));
    const [selection, point] = [header[1 + 2 * inScan.length]!, header[3 + 2 * inScan.length]! & 15];
    if (inScan.length === 0 || inScan.some(({ index, table }) => index < 0 || table === undefined)) {
      throw new Error('a scan is of an unknown component or without its Huffman table');
    }
    if (!(selection >= 1 && selection <= 7) || point >= precision) {
      throw new Error(`predictor ${selection} with point transform ${point} is none of the lossless process`);
    }
    const reader = new BitReader(bytes, scan.end);
    decodeScan(reader, samples, {
      width,
      height,
      channels: components.length,
      components: inScan.map(({ index, table }) => ({ index, table: table! })),
      selection,
      point,
      start: 1 << (precision - point - 1),
      restartInterval,
    });
    for (const { index } of inScan) decoded.add(index);
    at = reader.position;
  }
  return samples;
}

interface Scan {
  readonly width: number;
  readonly height: number;
  /** The number of components of the image. */
  readonly channels: number;
  /** The components of this scan. */
  readonly components: readonly { readonly index: number; readonly table: Uint16Array }[];
  readonly selection: number;
  readonly point: number;
  /** The prediction for the first sample. */
  readonly start: number;
  /** The number of pixels between restarts; 0: there are none. */
  readonly restartInterval: number;
}

function decodeScan(reader: BitReader, samples: Uint16Array, scan: Scan): void {
  const { width, height, channels, components, selection, point, start, restartInterval } = scan;
  const row = width * channels;
  // The pixel at which the image, or the part after a restart, begins: in its first line only the left neighbour
  // counts.
  let first = 0;
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    if (restartInterval > 0 && pixel > 0 && pixel % restartInterval === 0) {
      reader.restart();
      first = pixel;
    }
    const leftmost = pixel % width === 0;
    for (const { index, table } of components) {
      const at = pixel * channels + index;
      let prediction = start;
      if (pixel !== first) {
        if (pixel - first < width && !leftmost) prediction = samples[at - channels]! >> point;
        else if (leftmost) prediction = samples[at - row]! >> point;
        else {
          const [a, b] = [samples[at - channels]! >> point, samples[at - row]! >> point];
          prediction = predict(selection, a, b, samples[at - row - channels]! >> point);
        }
      }
      samples[at] = (prediction + reader.difference(table)) << point;
    }
  }
}

/** Makes the predictor of a sample from its neighbours to the left (a), above (b) and above left (c). */
function predict(selection: number, a: number, b: number, c: number): number {
  if (selection === 1) return a;
  if (selection === 2) return b;
  if (selection === 3) return c;
  if (selection === 4) return a + b - c;
  if (selection === 5) return a + ((b - c) >> 1);
  if (selection === 6) return b + ((a - c) >> 1);
  return (a + b) >> 1;
}

/** Reads Huffman tables, by the next 16 bits: length of the code << 8 | its symbol; 0 where no code begins so. */
function readTables(body: Uint8Array, tables: (Uint16Array | undefined)[]): void {
  for (let at = 0; at < body.length; ) {
    const destination = body[at]!;
    const counts = body.subarray(at + 1, at + 17);
    let symbol = at + 17;
    const table = new Uint16Array(65536);
    let code = 0;
    for (let length = 1; length <= 16; length += 1) {
      const span = 1 << (16 - length);
      for (let i = 0; i < (counts[length - 1] ?? 0); i += 1) {
        const isDamaged = symbol >= body.length || code + span > 65536;
        // The symbols are the number of bits of a difference. Class 1 is for the coefficients of lossy images.
        if (isDamaged || (destination < 16 && body[symbol]! > 16))
          throw new Error('a Huffman table is damaged');
        table.fill((length << 8) | body[symbol]!, code, code + span);
        code += span;
        symbol += 1;
      }
    }
    if (destination < 16) tables[destination] = table;
    at = symbol;
  }
}

/** Reads the bits of a scan up to a marker, without the zeros that are stuffed after bytes of FF. */
class BitReader {
  readonly #bytes: Uint8Array;
  #next: number;
  #bits = 0;
  #held = 0;
  /** The number of zero bits held that stand for no data. */
  #made = 0;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.#next = position;
  }

  /** The position of the next byte that was not taken yet. */
  get position(): number {
    return this.#next;
  }

  /** Reads the next difference, whose number of bits is the symbol. */
  difference(table: Uint16Array): number {
    this.#fill(16);
    const entry = table[(this.#bits >>> (this.#held - 16)) & 0xffff]!;
    if (entry === 0) throw new Error('an unknown Huffman code');
    this.#take(entry >> 8);
    const length = entry & 255;
    if (length === 0) return 0;
    if (length === 16) return 32768;
    this.#fill(length);
    const value = (this.#bits >>> (this.#held - length)) & ((1 << length) - 1);
    this.#take(length);
    return value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
  }

  /** Passes over a restart marker. */
  restart(): void {
    const marker = this.#bytes[this.#next] === 0xff ? this.#bytes[this.#next + 1]! : 0;
    if (marker < 0xd0 || marker > 0xd7) throw new Error('a restart marker is missing');
    this.#next += 2;
    this.#held = 0;
    this.#made = 0;
  }

  #fill(count: number): void {
    while (this.#held < count) {
      const byte = this.#bytes[this.#next];
      const stuffed = byte === 0xff && this.#bytes[this.#next + 1] === 0;
      const ends = byte === undefined || (byte === 0xff && !stuffed);
      if (ends) this.#made += 8;
      else this.#next += stuffed ? 2 : 1;
      this.#bits = (this.#bits << 8) | (ends ? 0 : byte);
      this.#held += 8;
    }
  }

  #take(count: number): void {
    this.#held -= count;
    if (this.#held < this.#made) throw new Error('the image ends early');
  }
}
