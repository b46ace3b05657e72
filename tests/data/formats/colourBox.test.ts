import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { findColourBox } from '../../../src/data/formats/colourBox.js';
import { decodeImage } from '../../../src/data/formats/image.js';
import type { Box, Pixels } from '../../../src/data/formats/pixels.js';
import { drawScreen, overlap } from './drawnScreen.js';

const WIDTH = 400;
const HEIGHT = 300;

/** Jet, as elastograms use it. */
function jet(share: number): number[] {
  return [3, 2, 1].map((k) => 255 * Math.max(0, Math.min(1, 1.5 - Math.abs(4 * share - k))));
}

/**
 * Speckle from a formula, with colours over it where `opacity` is above 0; `share` is the place on the colour scale.
 */
function screen(
  opacity: (x: number, y: number) => number,
  share = (x: number, y: number) => 0.5 + 0.5 * Math.sin(x / 40) * Math.cos(y / 30),
): Pixels {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const gray = ((x * 7919 + y * 104729) % 251) * 0.7;
      const alpha = opacity(x, y);
      const colours = jet(share(x, y));
      const rgb = colours.map((colour) => Math.round((1 - alpha) * gray + alpha * colour));
      data.set(rgb, (y * WIDTH + x) * 3);
    }
  }
  return { width: WIDTH, height: HEIGHT, channels: 3, data, fullScale: [0, 255] };
}

function within({ left, top, width, height }: Box, x: number, y: number): boolean {
  return x >= left && x < left + width && y >= top && y < top + height;
}

const BOX = { left: 90, top: 60, width: 180, height: 150 };

describe('the coloured box', () => {
  it.each([true, false])(
    'is found on drawn screens with scale bar, captions and logo, over B-mode: %s',
    (overlay) => {
      for (const index of [0, 1]) {
        const { b, truth } = drawScreen(index, overlay);
        const found = findColourBox({ ...b, fullScale: [0, 255] });
        expect(found, `screen ${index}`).toBeDefined();
        expect(overlap(found!, truth), `screen ${index}`).toBeGreaterThan(0.98);
      }
    },
  );

  it('is not found on the B-mode screen, whose only colours are captions and a logo', () => {
    expect(findColourBox({ ...drawScreen(0, true).a, fullScale: [0, 255] })).toBeUndefined();
  });

  it.each([0.4, 0.6, 1])('is found at opacity %d, from soft blue to stiff red', (alpha) => {
    for (const level of [0, 0.25, 0.5, 0.75, 1]) {
      const found = findColourBox(
        screen(
          (x, y) => (within(BOX, x, y) ? alpha : 0),
          () => level,
        ),
      );
      expect(found, `level ${level}`).toEqual(BOX);
    }
  });

  it('is whole with voids inside, also where they cut it in two', () => {
    const cyst = (x: number, y: number) => (x - 170) ** 2 + (y - 130) ** 2 < 45 ** 2;
    expect(findColourBox(screen((x, y) => (within(BOX, x, y) && !cyst(x, y) ? 0.5 : 0)))).toEqual(BOX);
    const shadow = (_: number, y: number) => y > 120 && y < 140;
    expect(findColourBox(screen((x, y) => (within(BOX, x, y) && !shadow(x, y) ? 0.5 : 0)))).toEqual(BOX);
    const holes = (x: number, y: number) => Math.sin(x / 5) * Math.sin(y / 5) > 0.5;
    const found = findColourBox(screen((x, y) => (within(BOX, x, y) && !holes(x, y) ? 0.5 : 0)));
    expect(overlap(found!, BOX)).toBeGreaterThan(0.97);
  });

  it('leaves a scale bar outside, upright or lying, close by and as long as the box', () => {
    const upright = { left: BOX.left + BOX.width + 6, top: BOX.top, width: 12, height: BOX.height };
    const lying = { left: BOX.left, top: BOX.top - 18, width: BOX.width, height: 12 };
    for (const bar of [upright, lying]) {
      const found = findColourBox(screen((x, y) => (within(BOX, x, y) ? 0.5 : within(bar, x, y) ? 1 : 0)));
      expect(found).toEqual(BOX);
    }
    expect(findColourBox(screen((x, y) => (within(upright, x, y) ? 1 : 0)))).toBeUndefined();
  });

  it('is found on a screen saved as JPEG', async () => {
    const { data } = screen((x, y) => (within(BOX, x, y) ? 0.5 : 0));
    const jpeg = await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .jpeg({ quality: 85 })
      .toBuffer();
    const found = findColourBox(await decodeImage(jpeg, 'screen.jpg'));
    expect(overlap(found!, BOX)).toBeGreaterThan(0.95);
  });
});
