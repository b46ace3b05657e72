import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resize, resizeValues } from '../../../src/data/images/resize.js';
import type { Raster } from '../../../src/data/sample.js';

interface Golden {
  cases: {
    source: [number, number, number];
    target: [number, number];
    antialias: boolean;
    values: number[];
  }[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/resize.json', import.meta.url), 'utf8'),
) as Golden;

/** The formula of tests/golden/resize.py. */
function pattern(height: number, width: number, channels: 1 | 3): Raster {
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) => (i * i * 31 + i * 17) % 256);
  return { width, height, channels, data };
}

describe('resize', () => {
  it.each(golden.cases)(
    'equals F.interpolate from $source to $target, with antialias $antialias',
    (golden) => {
      const [height, width, channels] = golden.source;
      const [newHeight, newWidth] = golden.target;
      const image = pattern(height, width, channels as 1 | 3);
      const { antialias } = golden;
      const values = resizeValues(image.data, image, newWidth, newHeight, { antialias });
      expect(values.length).toBe(golden.values.length);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(golden.values[i]!, 7);
      const rounded = resize(image, newWidth, newHeight, { antialias });
      expect([...rounded.data]).toEqual(Array.from(values, Math.round));
    },
  );

  it('rounds halves up, once, at the end', () => {
    const image: Raster = { width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 1, 0, 1) };
    expect([...resize(image, 1, 1).data]).toEqual([1]);
    const quarter: Raster = { width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 0, 0, 1) };
    expect([...resize(quarter, 1, 1).data]).toEqual([0]); // 0.25; rounding ½ after each direction would give 1
  });

  it('returns the same image at its own size', () => {
    const image = pattern(5, 4, 3);
    expect(resize(image, 4, 5)).toBe(image);
  });

  it('keeps a constant image and never leaves the range of its source', () => {
    const side = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        fc.boolean(),
        fc.integer({ min: 0, max: 255 }),
        (w, h, tw, th, antialias, value) => {
          const constant: Raster = {
            width: w,
            height: h,
            channels: 1,
            data: new Uint8Array(w * h).fill(value),
          };
          expect(resize(constant, tw, th, { antialias }).data.every((v) => v === value)).toBe(true);
          const image = pattern(h, w, 1);
          const { data } = resize(image, tw, th, { antialias });
          expect(Math.min(...data)).toBeGreaterThanOrEqual(Math.min(...image.data));
          expect(Math.max(...data)).toBeLessThanOrEqual(Math.max(...image.data));
        },
      ),
    );
  });

  it('refuses sizes that are not whole and positive', () => {
    expect(() => resize(pattern(2, 2, 1), 0, 2)).toThrow('width is 0');
    expect(() => resize(pattern(2, 2, 1), 2, 1.5)).toThrow('height is 1.5');
  });
});
