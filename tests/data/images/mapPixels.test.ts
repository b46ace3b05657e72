import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Values } from '../../../src/data/formats/distribution.js';
import { Distribution } from '../../../src/data/formats/distribution.js';
import type { Pixels } from '../../../src/data/formats/pixels.js';
import { mapPixels } from '../../../src/data/images/mapPixels.js';
import { DataError } from '../../../src/errors.js';

const golden: {
  readonly asked: readonly number[];
  readonly cases: readonly { type: string; count: number; top: number; percentiles: readonly number[] }[];
} = JSON.parse(readFileSync(new URL('../../golden/percentiles.json', import.meta.url), 'utf8'));

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, float32: Float32Array };
const image = { name: 'scan', modality: 'a' };

function gray(data: Values, width = data.length): Pixels {
  return { width, height: data.length / width, channels: 1, data };
}

describe('percentiles', () => {
  it.each(golden.cases)(
    'are those of numpy for $count values of $type',
    ({ type, count, top, percentiles }) => {
      const low = type === 'int16' || type === 'float32' ? 1000 : 0;
      const values = Array.from({ length: count }, (_, i) => ((i * i * 31 + i * 17) % top) - low);
      const typed = TYPES[type as keyof typeof TYPES].from(
        type === 'float32' ? values.map((v) => v / 8) : values,
      );
      const found = new Distribution(typed).percentiles(...golden.asked);
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(percentiles[i]!, 9);
    },
  );

  it('stay between the extremes and leave the values in their order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 1 }),
        fc.nat(100),
        (list, p) => {
          const values = Int16Array.from(list);
          const distribution = new Distribution(values);
          const [found] = distribution.percentiles(p);
          const [low, high] = distribution.extremes();
          expect(found).toBeGreaterThanOrEqual(low);
          expect(found).toBeLessThanOrEqual(high);
          expect([...values]).toEqual(list);
        },
      ),
    );
  });
});

describe('intensities', () => {
  const ct = gray(Int16Array.of(-1024, -160, 40, 240, 3071));

  it('map a window linearly and clip what is outside', () => {
    const { data, channels } = mapPixels(ct, { intensity: { kind: 'window', low: -160, high: 240 } }, image);
    expect(channels).toBe(1);
    expect([...data]).toEqual([0, 0, 128, 255, 255]);
  });

  it('map extremes and percentiles of the image to black and white', () => {
    const minmax = mapPixels(ct, { intensity: { kind: 'minmax' } }, image).data;
    expect([minmax[0], minmax[4]]).toEqual([0, 255]);
    // Percentiles 25 and 75 of five values are the second and the fourth.
    const quartiles = mapPixels(ct, { intensity: { kind: 'percentile', low: 25, high: 75 } }, image).data;
    expect([...quartiles]).toEqual([0, 0, 128, 255, 255]);
    expect([...mapPixels(gray(Int16Array.of(7, 7)), { intensity: { kind: 'minmax' } }, image).data]).toEqual([
      0, 0,
    ]);
  });

  it('are taken of what the crop leaves', () => {
    const wide = gray(Uint16Array.of(60000, 10, 20, 30), 4);
    const crop = { kind: 'box', left: 1, top: 0, width: 3, height: 1 } as const;
    expect([...mapPixels(wide, { crop, intensity: { kind: 'minmax' } }, image).data]).toEqual([0, 128, 255]);
  });

  it('leave 8 bits as they are and take 16 by their full scale where that is known', () => {
    const eight: Pixels = { ...gray(Uint8Array.of(0, 9, 255)), fullScale: [0, 255] };
    expect(mapPixels(eight, {}, image).data).toBe(eight.data);
    const sixteen: Pixels = { ...gray(Uint16Array.of(0, 257 * 9, 65535)), fullScale: [0, 65535] };
    expect([...mapPixels(sixteen, {}, image).data]).toEqual([0, 9, 255]);
    expect(() => mapPixels(ct, {}, image)).toThrow(DataError);
    expect(() => mapPixels(ct, {}, { name: 'scan', modality: 'b' })).toThrow(
      'scan: the values run from -1024 to 3071, and nothing says which are black and white. Say how they become 8 bits: ' +
        "--set data.preprocess.b.intensity='{kind: percentile, low: 1, high: 99}', '{kind: window, low: …, high: …}' or " +
        "'{kind: minmax}'.",
    );
  });

  it('show a file’s table and go on with its ends outside', () => {
    const table = { kind: 'table', first: -1, output: Uint16Array.of(0, 30, 60), white: 60 } as const;
    const pixels = { ...gray(Int16Array.of(-9, -1, 0, 1, 9)), windows: [table] };
    expect([...mapPixels(pixels, { intensity: { kind: 'file-window' } }, image).data]).toEqual([
      0, 0, 128, 255, 255,
    ]);
  });
});

describe('crops', () => {
  it('keep the pixels of a box, colours together', () => {
    fc.assert(
      fc.property(
        fc.record({
          width: fc.integer({ min: 1, max: 7 }),
          height: fc.integer({ min: 1, max: 7 }),
          channels: fc.constantFrom(1 as const, 3 as const),
        }),
        fc.array(fc.nat(6), { minLength: 4, maxLength: 4 }),
        ({ width, height, channels }, [a, b, c, d]) => {
          const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 31) % 256);
          const box = { left: a! % width, top: b! % height };
          const size = { width: 1 + (c! % (width - box.left)), height: 1 + (d! % (height - box.top)) };
          const pixels: Pixels = { width, height, channels, data, fullScale: [0, 255] };
          const cropped = mapPixels(pixels, { crop: { kind: 'box', ...box, ...size } }, image);
          expect(cropped).toMatchObject(size);
          const at = (x: number, y: number) => ((box.top + y) * width + box.left + x) * channels;
          for (let y = 0; y < size.height; y += 1) {
            for (let x = 0; x < size.width; x += 1) {
              expect(cropped.data[(y * size.width + x) * cropped.channels]).toBe(data[at(x, y)]);
            }
          }
        },
      ),
    );
  });

  it('name the sizes where they do not fit, and what is missing', () => {
    const pixels = gray(new Uint8Array(12), 4);
    expect(() =>
      mapPixels(pixels, { crop: { kind: 'box', left: 2, top: 0, width: 3, height: 3 } }, image),
    ).toThrow('scan: the crop of 3×3 pixels at 2, 0 does not lie in the image, which is 4×3.');
    expect(() => mapPixels(pixels, { crop: { kind: 'ultrasound-region' } }, image)).toThrow(
      'scan: declares no ultrasound region of tissue',
    );
    const crop = { kind: 'colour-box', of: 'b', margin: 0 } as const;
    expect(() => mapPixels(pixels, { crop }, image)).toThrow(
      'scan: no coloured box is found in the image of modality "b", 4×3.',
    );
    expect(() => mapPixels(pixels, { crop }, { ...image, screen: gray(new Uint8Array(6), 3) })).toThrow(
      'scan: is 4×3, but the image of modality "b" in which the coloured box is looked for is 3×2.',
    );
  });
});
