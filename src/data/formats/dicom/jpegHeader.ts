/** The facts in the frame header (SOF) of a JPEG or JPEG-LS image. */
export interface JpegFrame {
  /** The kind of JPEG: 0xc0 baseline, 0xc1 extended, 0xc2 progressive, 0xc3 lossless, 0xf7 JPEG-LS. */
  readonly process: number;
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly { readonly id: number; readonly across: number; readonly down: number }[];
  /** Whether the image says itself what its colours are, by a JFIF or an Adobe segment. */
  readonly namesColours: boolean;
}

/** One marker segment without marker and length. */
export interface Segment {
  readonly marker: number;
  readonly bytes: Uint8Array;
  /** The position of the first byte after the segment. */
  readonly end: number;
}

/** The marker for the start of a scan. The bits of the image follow it instead of segments. */
export const START_OF_SCAN = 0xda;

/**
 * Yields the marker segments from `at` up to and with the next start of scan, or to the end of the image.
 *
 * @throws Error where there is no marker
 */
export function* segments(bytes: Uint8Array, at: number): Generator<Segment> {
  for (let next = at; ; ) {
    while (bytes[next] === 0xff && bytes[next + 1] === 0xff) next += 1;
    const marker = bytes[next] === 0xff ? bytes[next + 1] : undefined;
    if (marker === undefined) throw new Error(`no JPEG marker at byte ${next}`);
    if (marker === 0xd9) return;
    if (marker === 0xd8) {
      next += 2;
      continue;
    }
    const length = (bytes[next + 2]! << 8) | bytes[next + 3]!;
    const end = next + 2 + length;
    if (!(length >= 2) || end > bytes.length) throw new Error('a JPEG segment goes on after the end');
    yield { marker, bytes: bytes.subarray(next + 4, end), end };
    if (marker === START_OF_SCAN) return;
    next = end;
  }
}

/**
 * Reads the frame header.
 *
 * @throws Error if there is none before the first scan
 */
export function readJpegFrame(bytes: Uint8Array): JpegFrame {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Error('no JPEG image');
  let namesColours = false;
  for (const segment of segments(bytes, 0)) {
    const { marker, bytes: body } = segment;
    if ((marker === 0xe0 && beginsWith(body, 'JFIF\0')) || isAdobe(segment)) namesColours = true;
    const startsFrame =
      (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7;
    if (!startsFrame) continue;
    const count = body[5] ?? 0;
    if (count < 1 || body.length < 6 + 3 * count) throw new Error('the JPEG frame header is cut off');
    return {
      process: marker,
      precision: body[0]!,
      height: (body[1]! << 8) | body[2]!,
      width: (body[3]! << 8) | body[4]!,
      components: Array.from({ length: count }, (_, i) => ({
        id: body[6 + 3 * i]!,
        across: body[7 + 3 * i]! >> 4,
        down: body[7 + 3 * i]! & 15,
      })),
      namesColours: namesColours || adobeFollows(bytes, segment.end),
    };
  }
  throw new Error('the JPEG image has no frame header');
}

function adobeFollows(bytes: Uint8Array, at: number): boolean {
  for (const segment of segments(bytes, at)) if (isAdobe(segment)) return true;
  return false;
}

/** Tells whether this is Adobe's segment on colours. Shorter ones say nothing, and decoders pass over them. */
function isAdobe({ marker, bytes }: Segment): boolean {
  return marker === 0xee && bytes.length >= 12 && beginsWith(bytes, 'Adobe');
}

function beginsWith(bytes: Uint8Array, text: string): boolean {
  return String.fromCharCode(...bytes.subarray(0, text.length)) === text;
}
