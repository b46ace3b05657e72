/** Finds the patches of a grid that lie in a lesion, around it, or elsewhere. */
import type { PatchOptions } from '../../../losses/index.js';
import type { Zone } from '../../results/pairsResult.js';

/** The pixels of a lesion, row-major; not 0 inside. */
export interface LesionMask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The part [start, end) of the image's side that a patch covers, as shares of it. */
export type Span = readonly [start: number, end: number];

/** The spans of the patches along one side of a map, as `patchEmbeddings` cuts them. @param side of the map, pixels */
export function patchSpans(side: number, grid: number, windows: PatchOptions['windows'] = 'floor'): Span[] {
  const window = Math.floor(side / grid);
  return Array.from({ length: grid }, (_, i) =>
    windows === 'floor'
      ? [(i * window) / side, ((i + 1) * window) / side]
      : [Math.floor((i * side) / grid) / side, Math.ceil(((i + 1) * side) / grid) / side],
  );
}

/**
 * Finds the zone of each patch of a grid: `inside` where at least half of it is lesion, `around` where the ring of one
 * patch's width around the lesion touches it, else `rest`. Undefined where the mask is empty.
 *
 * @param spans of the patches, the same across and down
 * @returns [P] row-major
 */
export function zonesOf(mask: LesionMask, spans: readonly Span[]): Exclude<Zone, 'all'>[] | undefined {
  const count = lesionCounter(mask);
  const { width, height } = mask;
  if (count(0, 0, width, height) === 0) return undefined;
  return spans.flatMap((rows) =>
    spans.map((columns): Exclude<Zone, 'all'> => {
      const [[top, bottom], [left, right]] = [pixelsOf(rows, height), pixelsOf(columns, width)];
      const [high, wide] = [bottom - top, right - left];
      if (count(left, top, right, bottom) >= 0.5 * high * wide) return 'inside';
      // The ring is the lesion grown by a patch. It touches a patch that, grown by a patch, touches the lesion.
      return count(left - wide, top - high, right + wide, bottom + high) > 0 ? 'around' : 'rest';
    }),
  );
}

/** The share of each patch that is lesion. @param spans of the patches, the same across and down */
export function lesionShares(mask: LesionMask, spans: readonly Span[]): number[] {
  const count = lesionCounter(mask);
  return spans.flatMap((rows) =>
    spans.map((columns) => {
      const [[top, bottom], [left, right]] = [pixelsOf(rows, mask.height), pixelsOf(columns, mask.width)];
      return count(left, top, right, bottom) / ((bottom - top) * (right - left));
    }),
  );
}

/** The pixels [start, end) of a side that a span covers, at least one. */
function pixelsOf([start, end]: Span, side: number): [number, number] {
  const first = Math.min(side - 1, Math.round(start * side));
  return [first, Math.max(first + 1, Math.round(end * side))];
}

/**
 * Makes a function that counts lesion pixels in a box, cut off at the borders. It uses sums over all boxes that begin
 * at the corner.
 */
function lesionCounter({ width, height, data }: LesionMask) {
  const stride = width + 1;
  const sums = new Uint32Array(stride * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let row = 0;
    for (let x = 0; x < width; x += 1) {
      row += data[y * width + x] === 0 ? 0 : 1;
      sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1]! + row;
    }
  }
  return (left: number, top: number, right: number, bottom: number): number => {
    const [x0, x1] = [Math.max(0, left), Math.min(width, right)];
    const [y0, y1] = [Math.max(0, top), Math.min(height, bottom)];
    const at = (x: number, y: number) => sums[y * stride + x]!;
    return at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0);
  };
}
