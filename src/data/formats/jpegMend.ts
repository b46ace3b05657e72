/** Rewrites the headers of a JPEG that break the rules without harm to its pixels. */

const [SOI, EOI, SOS, APP0] = [0xd8, 0xd9, 0xda, 0xe0];

export interface MendedJpeg {
  readonly bytes: Uint8Array;
  /** Whether the file lacked the marker that ends it. */
  readonly unended: boolean;
}

/**
 * Makes a JPEG keep the rules where every viewer overlooks that it does not: bytes between segments are left out, the
 * spectral selection of a sequential scan becomes 0 … 63, an unknown version of JFIF becomes version 1, and the end
 * marker is added where it alone is missing. The coded pixels stay as they are, so damage in them, and pixels that are
 * missing, are still found by the decoder.
 *
 * @returns undefined if there is nothing to mend, if the segments cannot be told apart, or if whole scans are missing
 */
export function mendJpeg(bytes: Uint8Array): MendedJpeg | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [view.subarray(0, 2)];
  const scans = new Scans();
  let mended = false;
  let at = 2;
  if (view[0] !== 0xff || view[1] !== SOI) return undefined;
  for (;;) {
    const start = nextMarker(view, at);
    if (start < 0) {
      return scans.complete ? { bytes: Buffer.concat([...parts, END]), unended: true } : undefined;
    }
    if (start > at) mended = true;
    const marker = view[start + 1]!;
    if (marker === EOI) {
      return mended ? { bytes: Buffer.concat([...parts, view.subarray(start)]), unended: false } : undefined;
    }
    if (start + 4 > view.length) return undefined;
    const end = start + 2 + view.readUInt16BE(start + 2);
    if (end > view.length || end < start + 4) return undefined;
    const segment = Buffer.from(view.subarray(start, end));
    // Of arithmetic coding nobody can tell: missing bits count as zeros there.
    if (isFrame(marker) && marker <= 0xc2) scans.begin(segment, marker < 0xc2);
    if (marker === APP0 && segment.toString('latin1', 4, 9) === 'JFIF\0' && segment[9]! > 2) {
      segment.set([1, 2], 9);
      mended = true;
    }
    if (marker === SOS && scans.sequential && !segment.subarray(-3).equals(WHOLE_SPECTRUM)) {
      segment.set(WHOLE_SPECTRUM, segment.length - 3);
      mended = true;
    }
    parts.push(segment);
    at = end;
    if (marker !== SOS) continue;
    scans.add(segment);
    at = endOfScan(view, end);
    parts.push(view.subarray(end, at));
  }
}

const END = Buffer.from([0xff, EOI]);

/** The 64 coefficients of each component, of which a scan gives some, to some precision. */
class Scans {
  sequential = false;
  /** The number of bits still missing of each coefficient, by component; undefined where nothing is known yet. */
  readonly #missing = new Map<number, (number | undefined)[]>();

  /** @param frame the segment of the frame, with its marker */
  begin(frame: Buffer, sequential: boolean): void {
    this.sequential = sequential;
    for (let i = 0; i < (frame[9] ?? 0); i += 1) {
      this.#missing.set(
        frame[10 + 3 * i]!,
        Array.from({ length: 64 }, () => undefined),
      );
    }
  }

  /** @param scan the segment that begins a scan, with its marker */
  add(scan: Buffer): void {
    const [first, last, approximation] = this.sequential ? [0, 63, 0] : scan.subarray(-3);
    for (let i = 0; i < (scan[4] ?? 0); i += 1) {
      this.#missing.get(scan[5 + 2 * i]!)?.fill(approximation! & 15, first!, last! + 1);
    }
  }

  /** Whether there are scans for all bits of all coefficients. */
  get complete(): boolean {
    const all = [...this.#missing.values()].flat();
    return all.length > 0 && all.every((bits) => bits === 0);
  }
}

/** The end of a scan's header: the first and the last coefficient, and no successive approximation. */
const WHOLE_SPECTRUM = Buffer.from([0, 63, 0]);

/** Tells the markers SOF0 … SOF15 from the others of their range, which are DHT, JPG and DAC. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

/** Finds the next marker that may stand between segments; −1 if there is none. FF FF is padding before one. */
function nextMarker(bytes: Buffer, from: number): number {
  for (
    let at = bytes.indexOf(0xff, from);
    at >= 0 && at + 1 < bytes.length;
    at = bytes.indexOf(0xff, at + 1)
  ) {
    if (bytes[at + 1]! >= 0xc0 && bytes[at + 1] !== 0xff) return at;
  }
  return -1;
}

/** Finds the first marker after coded pixels that is no restart, or the end. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1] ?? 0;
    if (next >= 0xc0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return bytes.length;
}
