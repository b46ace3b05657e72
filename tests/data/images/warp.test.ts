import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resize } from '../../../src/data/images/resize.js';
import { warp } from '../../../src/data/images/warp.js';
import type { Raster } from '../../../src/data/sample.js';

function pattern(width: number, height: number, channels: 1 | 3): Raster {
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) => (i * i * 31 + i * 17) % 256);
  return { width, height, channels, data };
}

const side = fc.integer({ min: 1, max: 13 });
const channels = fc.constantFrom(1 as const, 3 as const);

describe('warp', () => {
  it('scales as resize does, up to the rounding of a sum in another order', () => {
    fc.assert(
      fc.property(side, side, side, side, channels, (width, height, newWidth, newHeight, of) => {
        const image = pattern(width, height, of);
        const scaled = warp(image, [width / newWidth, 0, 0, 0, height / newHeight, 0], newWidth, newHeight);
        const expected = resize(image, newWidth, newHeight);
        expect(scaled.channels).toBe(of);
        const most = Math.max(...scaled.data.map((value, i) => Math.abs(value - expected.data[i]!)));
        expect(most).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('turns by a quarter and mirrors to the pixel', () => {
    const image = pattern(5, 4, 3);
    const pixel = ({ data, width }: Raster, x: number, y: number) =>
      [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)].join();
    // The new image is 4 wide: its x runs along the height of the old one.
    const turned = warp(image, [0, 1, 0, -1, 0, 4], 4, 5);
    const mirrored = warp(image, [-1, 0, 5, 0, 1, 0], 5, 4);
    for (let y = 0; y < 4; y += 1) {
      for (let x = 0; x < 5; x += 1) {
        expect(pixel(turned, 3 - y, x)).toBe(pixel(image, x, y));
        expect(pixel(mirrored, 4 - x, y)).toBe(pixel(image, x, y));
      }
    }
  });

  it('moves by whole pixels without a change, and leaves black what lies outside', () => {
    const image = pattern(6, 5, 1);
    const moved = warp(image, [1, 0, 2, 0, 1, -1], 6, 5);
    for (let y = 0; y < 5; y += 1) {
      for (let x = 0; x < 6; x += 1) {
        const inside = x + 2 < 6 && y - 1 >= 0;
        expect(moved.data[y * 6 + x]).toBe(inside ? image.data[(y - 1) * 6 + x + 2] : 0);
      }
    }
  });

  it('takes the mean of four pixels half a pixel away', () => {
    const image: Raster = { width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 100, 200, 60) };
    expect(warp(image, [1, 0, 0.5, 0, 1, 0.5], 1, 1).data[0]).toBe(90);
  });

  it('keeps an even gray even, whatever the turn', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 360, noNaN: true }),
        fc.double({ min: 0.4, max: 3, noNaN: true }),
        (degrees, scale) => {
          const image: Raster = { width: 40, height: 40, channels: 1, data: new Uint8Array(1600).fill(77) };
          const angle = (degrees * Math.PI) / 180;
          const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
          const turned = warp(image, [cos, -sin, 20, sin, cos, 20], 3, 3);
          expect(turned.data.every((value) => value === 77)).toBe(true);
        },
      ),
    );
  });

  it('stays between the darkest and the brightest pixel under any turn, as all weights are positive', () => {
    const image: Raster = {
      width: 60,
      height: 60,
      channels: 1,
      data: Uint8Array.from({ length: 3600 }, (_, i) => ((i * i * 31 + i * 17) % 256 < 128 ? 100 : 150)),
    };
    for (let degrees = 0; degrees < 360; degrees += 5) {
      const angle = (degrees * Math.PI) / 180;
      const [cos, sin] = [0.8 * Math.cos(angle), 0.8 * Math.sin(angle)];
      const turned = warp(image, [cos, -sin, 30, sin, cos, 30], 30, 30);
      const outside = turned.data.filter((value) => value !== 0 && (value < 100 || value > 150));
      expect([degrees, ...outside]).toEqual([degrees]);
    }
  });
});
