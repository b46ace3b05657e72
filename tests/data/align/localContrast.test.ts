import { describe, expect, it } from 'vitest';
import { localContrast } from '../../../src/data/align/localContrast.js';
import { changed, raster, spots } from '../audit/drawnPairs.js';

const SIDE = 96;

function meanDifference(one: Uint8Array, other: Uint8Array, where = (_: number) => true): number {
  const differences = [...one].flatMap((value, i) => (where(i) ? [Math.abs(value - other[i]!)] : []));
  return differences.reduce((sum, value) => sum + value, 0) / differences.length;
}

describe('localContrast', () => {
  it('makes an even image even, also one that is black', () => {
    for (const level of [0, 90, 255]) {
      expect(new Set(localContrast(raster(SIDE, SIDE, () => level)).data)).toEqual(new Set([128]));
    }
  });

  it('hardly sees brightness and the shading of a lens, which change the image itself a lot', () => {
    const image = changed(spots('shaded', SIDE), (value) => 40 + value / 2);
    const shaded = changed(image, (value, x, y) => value + 60 - 0.02 * ((x - 48) ** 2 + (y - 48) ** 2));
    expect(meanDifference(image.data, shaded.data)).toBeGreaterThan(30);
    expect(meanDifference(localContrast(image).data, localContrast(shaded).data)).toBeLessThan(6);
  });

  it('shows no edge where the dark surroundings of an aperture begin', () => {
    const isOpen = (x: number, y: number) => Math.hypot(x - 48, y - 48) < 40;
    const even = raster(SIDE, SIDE, (x, y) => (isOpen(x, y) ? 150 : 2));
    const seen = localContrast(even).data;
    expect(Math.max(...seen) - Math.min(...seen)).toBeLessThanOrEqual(2);
  });

  it('keeps what is dark but joined to no border', () => {
    const hole = raster(SIDE, SIDE, (x, y) => (Math.hypot(x - 48, y - 48) < 5 ? 0 : 150));
    const seen = localContrast(hole).data;
    expect(seen[48 * SIDE + 48]).toBeLessThan(64);
  });

  it('keeps the structure of the image', () => {
    const image = spots('structure', SIDE);
    const seen = localContrast(image).data;
    const mean = image.data.reduce((sum, value) => sum + value, 0) / image.data.length;
    const [up, down] = [0, 1].map((side) =>
      [...seen].filter((_, i) => (side === 0 ? image.data[i]! > mean + 40 : image.data[i]! < mean - 40)),
    );
    const level = (values: number[] = []) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(level(up)).toBeGreaterThan(level(down) + 60);
  });
});
