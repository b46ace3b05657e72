/** Finds the measurement on a screen of elastography. */
import type { Box, Pixels } from './pixels.js';

/**
 * The difference of the largest and smallest of R, G and B from which a pixel counts as coloured. A blue of jet, 40 %
 * over gray, has 51.
 */
const COLOURED = 30;
/** The least area of a box as a share of the image; a smaller one is a caption or a logo. */
const LEAST_AREA = 0.01;
/** The ratio of length to breadth above which an area is a scale bar. */
const STRIP = 3.5;
/** The share of the box's coloured pixels that a part cut off by voids must have to belong to the box. */
const LEAST_PART = 0.02;
/** The distance up to which such a part belongs to the box, as a share of its longer side. */
const FARTHEST_PART = 0.15;

/**
 * Finds the coloured box of an elastography screen: the smallest rectangle around the largest area of coloured pixels
 * that is no strip, with the parts that voids of the measurement cut off from it. Gaps are closed first (dilation,
 * then erosion). A scale bar is a separate strip, so it is left outside. Where the measurement is void along a whole
 * side, the box ends where the colours do.
 *
 * @param screen 8-bit RGB
 * @returns the box; undefined if nothing on the screen looks like one
 */
export function findColourBox(screen: Pixels): Box | undefined {
  if (screen.channels !== 3) return undefined;
  const { width, height } = screen;
  const coloured = colouredPixels(screen);
  const reach = Math.max(1, Math.round(Math.min(width, height) / 200));
  const parts = connected(close(coloured, width, height, reach), coloured, width);
  const candidates = parts.filter((part) => !isStrip(part)).sort((a, b) => b.coloured - a.coloured);
  const [largest, ...others] = candidates;
  if (largest === undefined || largest.coloured < LEAST_AREA * width * height) return undefined;
  let found = largest;
  for (let grown = true; grown; ) {
    grown = false;
    for (const part of others) {
      if (part.coloured < LEAST_PART * largest.coloured || encloses(found, part) || !isNear(found, part))
        continue;
      found = union(found, part);
      grown = true;
    }
  }
  const { left, top, right, bottom } = found;
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** An area of neighbouring pixels. Its edges are pixels of it. */
interface Part {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** The number of coloured pixels. */
  readonly coloured: number;
}

function sides({ left, top, right, bottom }: Part): [number, number] {
  return [right - left + 1, bottom - top + 1];
}

function isStrip(part: Part): boolean {
  return Math.max(...sides(part)) > STRIP * Math.min(...sides(part));
}

function encloses(outer: Part, inner: Part): boolean {
  return (
    inner.left >= outer.left &&
    inner.right <= outer.right &&
    inner.top >= outer.top &&
    inner.bottom <= outer.bottom
  );
}

function isNear(a: Part, b: Part): boolean {
  const across = Math.max(a.left - b.right, b.left - a.right, 0);
  const down = Math.max(a.top - b.bottom, b.top - a.bottom, 0);
  return Math.max(across, down) <= FARTHEST_PART * Math.max(...sides(a));
}

function union(a: Part, b: Part): Part {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
    coloured: a.coloured + b.coloured,
  };
}

function colouredPixels({ data, width, height }: Pixels): Uint8Array {
  const coloured = new Uint8Array(width * height);
  for (let i = 0; i < coloured.length; i += 1) {
    const [r, g, b] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    if (Math.max(r, g, b) - Math.min(r, g, b) >= COLOURED) coloured[i] = 1;
  }
  return coloured;
}

/** Closes gaps by morphology with a square of side 2 · reach + 1. Pixels outside the image count as not coloured. */
function close(mask: Uint8Array, width: number, height: number, reach: number): Uint8Array {
  const wide = spread(mask, width, height, reach, 1);
  return spread(wide, width, height, reach, 0);
}

/** Makes every pixel within `reach` of one that is `value`, across and down, `value` too. */
function spread(mask: Uint8Array, width: number, height: number, reach: number, value: 0 | 1): Uint8Array {
  const across = spreadLines(mask, { lines: height, length: width, step: 1, lineStep: width }, reach, value);
  return spreadLines(across, { lines: width, length: height, step: width, lineStep: 1 }, reach, value);
}

function spreadLines(
  mask: Uint8Array,
  { lines, length, step, lineStep }: { lines: number; length: number; step: number; lineStep: number },
  reach: number,
  value: 0 | 1,
): Uint8Array {
  const spreaded = mask.slice();
  for (let line = 0; line < lines; line += 1) {
    const start = line * lineStep;
    let until = -1;
    for (let i = 0; i < length; i += 1) {
      if (mask[start + i * step] !== value) continue;
      for (let k = Math.max(i - reach, until + 1); k <= Math.min(i + reach, length - 1); k += 1) {
        spreaded[start + k * step] = value;
      }
      until = i + reach;
    }
  }
  return spreaded;
}

/** Finds the areas of neighbouring pixels of the mask. Diagonal pixels are not neighbours. */
function connected(mask: Uint8Array, coloured: Uint8Array, width: number): Part[] {
  const parts: Part[] = [];
  const waiting = new Int32Array(mask.length);
  for (let seed = 0; seed < mask.length; seed += 1) {
    if (mask[seed] !== 1) continue;
    let [left, top, right, bottom, count] = [width, mask.length, 0, 0, 0];
    let open = 1;
    waiting[0] = seed;
    mask[seed] = 0;
    while (open > 0) {
      open -= 1;
      const at = waiting[open]!;
      const [x, y] = [at % width, Math.floor(at / width)];
      // Closing fills the gaps that it joins, so the edges are taken from the colours themselves.
      if (coloured[at] === 1) {
        count += 1;
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
      for (const [next, inside] of [
        [at - 1, x > 0],
        [at + 1, x < width - 1],
        [at - width, y > 0],
        [at + width, at + width < mask.length],
      ] as const) {
        if (!inside || mask[next] !== 1) continue;
        mask[next] = 0;
        waiting[open] = next;
        open += 1;
      }
    }
    if (count > 0) parts.push({ left, top, right, bottom, coloured: count });
  }
  return parts;
}
