import type { Box } from '../../../src/data/formats/pixels.js';
import type { Raster } from '../../../src/data/sample.js';
import { generatePair } from '../../../src/phantoms/breast/breastPhantom.js';
import { Random } from '../../../src/tensor/random.js';

const WIDTH = 480;
const HEIGHT = 360;
/** Side of the elastogram, pixels. */
const SIDE = 200;

export interface Screen {
  readonly a: Raster;
  readonly b: Raster;
  /** Where the colours are, as they were drawn. */
  readonly truth: Box;
}

/**
 * An elastography screen as scanners show it: the B-mode image with (or the colours without) the coloured box
 * somewhere on black, beside it a scale bar in the same colours, white and yellow captions, a coloured logo. `a` is
 * the same screen with the plain B-mode image and no scale bar.
 */
export function drawScreen(index: number, overlay: boolean): Screen {
  const random = new Random(7, 'screen', index);
  const pair = generatePair({ seed: 3, index, size: SIDE, overlay });
  const left = 40 + random.below(WIDTH - SIDE - 80);
  const top = 30 + random.below(HEIGHT - SIDE - 70);
  const [a, b] = [pair.a, pair.b].map((image) => {
    const screen = new Uint8Array(WIDTH * HEIGHT * 3);
    const put = (x: number, y: number, colour: readonly number[]) => screen.set(colour, (y * WIDTH + x) * 3);
    for (let y = 0; y < SIDE; y += 1) {
      for (let x = 0; x < SIDE; x += 1) {
        const at = (y * SIDE + x) * image.channels;
        const of = (c: number) => image.data[at + (image.channels === 3 ? c : 0)]!;
        put(left + x, top + y, [of(0), of(1), of(2)]);
      }
    }
    return { screen, put };
  }) as [Canvas, Canvas];
  const bar = { left: index % 2 === 0 ? left - 25 : left + SIDE + 12, top: top + 20, width: 10, height: 120 };
  fill(b, bar, (_, y) => {
    const share = 1 - (y - bar.top) / bar.height;
    return [3, 2, 1].map((k) => Math.round(255 * Math.max(0, Math.min(1, 1.5 - Math.abs(4 * share - k)))));
  });
  for (const canvas of [a, b]) {
    fill(canvas, { left: WIDTH - 28, top: 4, width: 22, height: 14 }, () => [250, 120, 10]);
    for (const [line, colour] of [
      [HEIGHT - 24, [255, 255, 255]],
      [8, [255, 255, 0]],
    ] as const) {
      for (let letter = 0; letter < 14; letter += 1) {
        fill(canvas, { left: 10 + 9 * letter, top: line, width: 6, height: 10 }, (x, y) =>
          (x * 7 + y * 13 + letter * 5) % 3 === 0 ? colour : undefined,
        );
      }
    }
  }
  const { box } = pair.params.elastogram;
  const scale = SIDE / pair.params.view.fieldOfView;
  const edge = (millimetres: number) => Math.max(0, Math.min(SIDE, Math.round(millimetres * scale)));
  const truth = {
    left: left + edge(box.left),
    top: top + edge(box.top),
    width: edge(box.right) - edge(box.left),
    height: edge(box.bottom) - edge(box.top),
  };
  const raster = (canvas: Canvas) =>
    ({ width: WIDTH, height: HEIGHT, channels: 3, data: canvas.screen }) as const;
  return { a: raster(a), b: raster(b), truth };
}

interface Canvas {
  readonly screen: Uint8Array;
  readonly put: (x: number, y: number, colour: readonly number[]) => void;
}

function fill(
  { put }: Canvas,
  { left, top, width, height }: Box,
  colour: (x: number, y: number) => readonly number[] | undefined,
): void {
  for (let y = top; y < top + height; y += 1) {
    for (let x = left; x < left + width; x += 1) {
      const found = colour(x, y);
      if (found !== undefined) put(x, y, found);
    }
  }
}

/** Area that two boxes share over the area of both. */
export function overlap(a: Box, b: Box): number {
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  const shared = Math.max(0, across) * Math.max(0, down);
  return shared / (a.width * a.height + b.width * b.height - shared);
}
