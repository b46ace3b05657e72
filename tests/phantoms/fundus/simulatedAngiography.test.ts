import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readPixels } from '../../../src/data/formats/index.js';
import { mapPixels } from '../../../src/data/images/mapPixels.js';
import { resize } from '../../../src/data/images/resize.js';
import type { Raster } from '../../../src/data/sample.js';
import { generateFundusPair } from '../../../src/phantoms/fundus/fundusPhantom.js';
import { simulateAngiogram } from '../../../src/phantoms/fundus/simulatedAngiography.js';

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const size = 192;
// Phantoms know where their vessels and foveae are; tessellated ones are left out, as the choroid drowns thin vessels
// there.
const photographs = Array.from({ length: 30 }, (_, index) => ({ seed: 21, index, size, classes: undefined }))
  .map((options) => generateFundusPair(options))
  .filter(({ params }) => params.eye.tessellation < 0.45 && params.camera.blur < 0.05)
  .slice(0, 6);
const made = photographs.map((pair) => ({ ...pair, simulated: simulateAngiogram(pair.a, 'test', 0) }));

describe('an angiogram simulated from a photograph', () => {
  test('is gray, of the photograph’s size, and a pure function of photograph and key', () => {
    const { a, simulated } = made[0]!;
    expect([simulated.width, simulated.height, simulated.channels]).toEqual([size, size, 1]);
    expect(simulateAngiogram(a, 'test', 0)).toEqual(simulated);
    expect(simulateAngiogram(a, 'test', 1)).not.toEqual(simulated);
    const wide = resize(a, 150, 100);
    expect(simulateAngiogram(wide, 'test').data.length).toBe(150 * 100);
  });

  test('lights the vessels up', () => {
    for (const { simulated, masks } of made) {
      const outside = (at: number) =>
        masks.disc[at] === 0 && masks.crescent[at] === 0 && masks.diffuse[at] === 0;
      const levels = (vessel: boolean) =>
        [...masks.vessels.keys()]
          .filter((at) => masks.vessels[at]! > 0 === vessel && outside(at) && simulated.data[at]! > 0)
          .map((at) => simulated.data[at]!);
      expect(mean(levels(true))).toBeGreaterThan(1.4 * mean(levels(false)));
    }
  });

  test('darkens the fovea and leaves the surround black', () => {
    let found = 0;
    for (const { simulated, params, masks } of made) {
      const pixel = 12.9 / size;
      const { fovea } = params.eye;
      const ring = (least: number, most: number) =>
        mean(
          [...simulated.data.keys()]
            .filter((at) => {
              const r = Math.hypot(
                ((at % size) + 0.5) * pixel - fovea.x,
                (Math.floor(at / size) + 0.5) * pixel - fovea.y,
              );
              return r >= least && r < most && masks.vessels[at] === 0;
            })
            .map((at) => simulated.data[at]!),
        );
      if (ring(0, 0.4) < 0.8 * ring(1.3, 2)) found += 1;
      expect(simulated.data[0]).toBe(0);
      expect(simulated.data[simulated.data.length - 1]).toBe(0);
    }
    expect(found).toBeGreaterThanOrEqual(5);
  });

  test('shows no vessels where there are none', () => {
    const plain: Raster = {
      width: 96,
      height: 96,
      channels: 3,
      data: Uint8Array.from({ length: 3 * 96 * 96 }, (_, i) => [170, 80, 40][i % 3]!),
    };
    const { data } = simulateAngiogram(plain, 'plain');
    expect(Math.max(...data)).toBeLessThan(90);
  });
});

const real = fileURLToPath(
  new URL('../../../../shared/data/iChallenge-PM/PALM-Training400/PALM-Training400/', import.meta.url),
);

describe.skipIf(!existsSync(real))('real photographs (skipped where ../shared/data is absent)', () => {
  test('become images with bright lines on dark, brighter where the photograph is pale', async () => {
    for (const name of readdirSync(real)
      .sort()
      .filter((_, i) => i % 199 === 0)) {
      const image = mapPixels(
        await readPixels({ kind: 'file', path: `${real}${name}` }),
        {},
        { name, modality: 'a' },
      );
      const scale = 256 / Math.min(image.width, image.height);
      const photograph = resize(image, Math.round(scale * image.width), Math.round(scale * image.height));
      const { data } = simulateAngiogram(photograph, 0, name);
      const inside = Array.from(data.filter((_, at) => photograph.data[3 * at]! > 40)).sort((a, b) => a - b);
      const quantile = (q: number) => inside[Math.floor(q * inside.length)]!;
      expect(quantile(0.98), name).toBeGreaterThan(2 * quantile(0.5));
      expect(quantile(0.5), name).toBeLessThan(110);
      expect(quantile(0.5), name).toBeGreaterThan(10);
    }
  });
});
