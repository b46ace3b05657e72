/** Rewrites the headers of a JPEG that break the rules without harm to its pixels. */

const [SOI, EOI, SOS, APP0] = [0xd8, 0xd9, 0xda, 0xe0];

/**
 * Makes a JPEG keep the rules where every viewer overlooks that it does not: bytes between segments are left out, the
 * spectral selection of a sequential scan becomes 0 … 63, and an unknown version of JFIF becomes version 1. The coded
 * pixels stay as they are, so damage in them is still found by the decoder.
 *
 * @returns undefined if there is nothing to mend, or if the segments cannot be told apart
 */
export function mendJpeg(bytes: Uint8Array): Uint8Array | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [view.subarray(0, 2)];
  let sequential = false;
  let mended = false;
  let at = 2;
  if (view[0] !== 0xff || view[1] !== SOI) return undefined;
  for (;;) {
    const start = nextMarker(view, at);
    if (start < 0) return undefined;
    if (start > at) mended = true;
    const marker = view[start + 1]!;
    if (marker === EOI) return mended ? Buffer.concat([...parts, view.subarray(start)]) : undefined;
    if (start + 4 > view.length) return undefined;
    const end = start + 2 + view.readUInt16BE(start + 2);
    if (end > view.length || end < start + 4) return undefined;
    const segment = Buffer.from(view.subarray(start, end));
    if (isFrame(marker)) sequential = marker < 0xc2;
    if (marker === APP0 && segment.toString('latin1', 4, 9) === 'JFIF\0' && segment[9]! > 2) {
      segment.set([1, 2], 9);
      mended = true;
    }
    if (marker === SOS && sequential && !segment.subarray(-3).equals(WHOLE_SPECTRUM)) {
      segment.set(WHOLE_SPECTRUM, segment.length - 3);
      mended = true;
    }
    parts.push(segment);
    at = end;
    if (marker !== SOS) continue;
    at = endOfScan(view, end);
    parts.push(view.subarray(end, at));
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
