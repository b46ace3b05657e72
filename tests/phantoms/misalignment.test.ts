import { expect, test } from 'vitest';
import type { Raster } from '../../src/data/sample.js';
import { type Motion, misalign, misalignmentKey, rigidMotion } from '../../src/phantoms/misalignment.js';

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
function displacements(
  pixels: number,
  size: number,
  motion: Motion,
  ...key: (string | number)[]
): [number, number][][] {
  const { data } = misalign(ramps(size), { misalignment: pixels, motion }, ...key);
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
  expect(misalign(image, { misalignment: 0, motion: 'rigid' }, 'any')).toBe(image);
});

test.each([
  [1, 112, 'elastic'],
  [2, 112, 'elastic'],
  [4, 112, 'elastic'],
  [4, 64, 'elastic'],
  [4, 112, 'rigid'],
  [12, 112, 'rigid'],
] as const)('%d pixels at 224 are as much of an image of %d pixels, %s', (pixels, size, motion) => {
  const found = Array.from({ length: 12 }, (_, key) =>
    rootMeanSquare(displacements(pixels, size, motion, 'rms', key).flat()),
  );
  // Each image has what was asked for over all of it; the part that is looked at here has more or less.
  const asked = (pixels * size) / 224;
  expect(Math.abs(found.reduce((sum, rms) => sum + rms, 0) / found.length / asked - 1)).toBeLessThan(0.15);
  for (const rms of found) expect(Math.abs(rms / asked - 1)).toBeLessThan(0.5);
});

test.each([4, 18])(
  'an elastic displacement of %d pixels varies over the image, slowly, and nothing folds',
  (pixels) => {
    const size = 112;
    for (let key = 0; key < 6; key += 1) {
      const field = displacements(pixels, size, 'elastic', 'bend', key);
      const along = field[Math.floor(field.length / 2)]!.map(([dx]) => dx);
      expect(Math.max(...along) - Math.min(...along)).toBeGreaterThan(0.5);
      // Where the displacement falls by a pixel a pixel, the image folds.
      for (let j = 8; j < along.length; j += 1) {
        expect(Math.abs(along[j]! - along[j - 8]!) / 8).toBeLessThan(0.5);
      }
    }
  },
);

test('what a rigid motion is told to be is where every place comes from', () => {
  const size = 112;
  const found = displacements(12, size, 'rigid', 'told');
  const { angle, right, down } = rigidMotion({ misalignment: 12 }, size, 'told');
  expect(Math.abs(angle)).toBeGreaterThan(0.01);
  const margin = Math.ceil(size / 8);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (const [row, ways] of found.entries()) {
    for (const [column, [dx, dy]] of ways.entries()) {
      const [u, v] = [column + margin + 0.5 - size / 2, row + margin + 0.5 - size / 2];
      // Gray levels are whole, and a pixel is two of them.
      expect(Math.abs(cos * u - sin * v + right - u - dx)).toBeLessThan(0.26);
      expect(Math.abs(sin * u + cos * v + down - v - dy)).toBeLessThan(0.26);
    }
  }
});

test('the key decides, and the size only samples it more finely', () => {
  const image = ramps(64);
  const slight = { misalignment: 3, motion: 'elastic' } as const;
  expect(misalign(image, slight, 1, 'a')).toEqual(misalign(image, slight, 1, 'a'));
  expect(misalign(image, slight, 1, 'a').data).not.toEqual(misalign(image, slight, 2, 'a').data);
  const small = displacements(4, 56, 'elastic', 'size');
  const large = displacements(4, 112, 'elastic', 'size');
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

test('a rigid displacement turns and shifts: distances stay as they are', () => {
  const size = 112;
  const turns: number[] = [];
  for (let key = 0; key < 8; key += 1) {
    const field = displacements(18, size, 'rigid', 'distances', key);
    // Points that are not clamped at an edge, as far apart as can be found along the middle row and column.
    const middle = Math.floor(field.length / 2);
    const [ahead, below] = [16, 16];
    const [from, right, down] = [
      field[middle]![middle]!,
      field[middle]![middle + ahead]!,
      field[middle + below]![middle]!,
    ];
    const across = [ahead + right[0] - from[0], right[1] - from[1]] as const;
    const along = [down[0] - from[0], below + down[1] - from[1]] as const;
    // Gray levels tell places to within a quarter of a pixel each.
    expect(Math.abs(Math.hypot(...across) - ahead)).toBeLessThan(0.6);
    expect(Math.abs(Math.hypot(...along) - below)).toBeLessThan(0.6);
    expect(Math.abs(across[0] * along[0] + across[1] * along[1]) / (ahead * below)).toBeLessThan(0.06);
    turns.push(Math.atan2(across[1], across[0]));
  }
  expect(Math.max(...turns)).toBeGreaterThan(0.04);
  expect(Math.min(...turns)).toBeLessThan(-0.04);
});

test('a turn and a shift together displace the whole image by what was asked for', () => {
  const size = 112;
  for (let key = 0; key < 8; key += 1) {
    const field = displacements(18, size, 'rigid', 'whole', key);
    const middle = Math.floor(field.length / 2);
    const [from, right] = [field[middle]![middle]!, field[middle]![middle + 24]!];
    const angle = Math.atan2(right[1] - from[1], 24 + right[0] - from[0]);
    // The mean square of the distance from the centre is a sixth of the square of the side.
    const turned = (2 * Math.sin(angle / 2)) ** 2 * (size ** 2 / 6);
    // Half a gray level is a quarter of a pixel, in the shift and at both ends of the line.
    expect(Math.abs(Math.hypot(...from, Math.sqrt(turned)) - 9)).toBeLessThan(0.7);
  }
});

test('motions are told apart by the key of an image, but where nothing moves', () => {
  expect(misalignmentKey({ misalignment: 2, motion: 'elastic' })).toBe('misalignment=2');
  expect(misalignmentKey({ misalignment: 2, motion: 'rigid' })).toBe('misalignment=2/motion=rigid');
  expect(misalignmentKey({ misalignment: 0, motion: 'rigid' })).toBe('misalignment=0');
});
