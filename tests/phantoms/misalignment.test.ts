import { expect, test } from 'vitest';
import type { Raster } from '../../src/data/sample.js';
import { misalign } from '../../src/phantoms/misalignment.js';

/** Two gray levels a pixel across in the first channel, down in the second: the values tell where a pixel came from. */
function ramps(size: number): Raster {
  const data = new Uint8Array(3 * size * size);
  for (let at = 0; at < size * size; at += 1) {
    data[3 * at] = 2 * (at % size);
    data[3 * at + 1] = 2 * Math.floor(at / size);
  }
  return { width: size, height: size, channels: 3, data };
}

/** Displacements (dx, dy) in pixels, away from the edges, where nothing is clamped. */
function displacements(pixels: number, size: number, ...key: (string | number)[]): [number, number][][] {
  const { data } = misalign(ramps(size), pixels, ...key);
  const margin = Math.ceil(size / 8);
  const inner = Array.from({ length: size - 2 * margin }, (_, i) => i + margin);
  return inner.map((y) =>
    inner.map((x) => [data[3 * (y * size + x)]! / 2 - x, data[3 * (y * size + x) + 1]! / 2 - y]),
  );
}

function rootMeanSquare(vectors: [number, number][]): number {
  return Math.sqrt(vectors.reduce((sum, [dx, dy]) => sum + dx * dx + dy * dy, 0) / vectors.length);
}

test('no misalignment is the image itself', () => {
  const image = ramps(40);
  expect(misalign(image, 0, 'any')).toBe(image);
});

test.each([
  [1, 112],
  [2, 112],
  [4, 112],
  [4, 64],
])('%d pixels at 224 are as much of an image of %d pixels', (pixels, size) => {
  const found = Array.from({ length: 12 }, (_, key) =>
    rootMeanSquare(displacements(pixels, size, 'rms', key).flat()),
  );
  // Each image has what was asked for over all of it; the part that is looked at here has more or less.
  const asked = (pixels * size) / 224;
  expect(Math.abs(found.reduce((sum, rms) => sum + rms, 0) / found.length / asked - 1)).toBeLessThan(0.15);
  for (const rms of found) expect(Math.abs(rms / asked - 1)).toBeLessThan(0.5);
});

test('the displacement is elastic: it varies over the image, slowly, and nothing folds', () => {
  const size = 112;
  for (let key = 0; key < 6; key += 1) {
    const field = displacements(4, size, 'elastic', key);
    const along = field[Math.floor(field.length / 2)]!.map(([dx]) => dx);
    expect(Math.max(...along) - Math.min(...along)).toBeGreaterThan(0.5);
    for (let j = 8; j < along.length; j += 1) {
      expect(Math.abs(along[j]! - along[j - 8]!) / 8).toBeLessThan(0.25);
    }
  }
});

test('the key decides, and the size only samples it more finely', () => {
  const image = ramps(64);
  expect(misalign(image, 3, 1, 'a')).toEqual(misalign(image, 3, 1, 'a'));
  expect(misalign(image, 3, 1, 'a').data).not.toEqual(misalign(image, 3, 2, 'a').data);
  const small = displacements(4, 56, 'size');
  const large = displacements(4, 112, 'size');
  expect(rootMeanSquare(small.flat())).toBeGreaterThan(0.5);
  // Margins are an eighth of each side: pixel (i, j) of one covers (2i, 2j) of the other, but for rounding to gray
  // levels.
  const gaps = small.flatMap((row, i) =>
    row.map(([dx, dy], j): [number, number] => {
      const [farther, deeper] = large[2 * i]![2 * j]!;
      return [farther / 2 - dx, deeper / 2 - dy];
    }),
  );
  expect(rootMeanSquare(gaps)).toBeLessThan(0.3);
});
