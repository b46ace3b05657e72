import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type Affine,
  IDENTITY,
  meanDistance,
  motionOf,
  similarity,
} from '../../../src/data/align/transformation.js';
import { type Tensor, tensor } from '../../../src/tensor/index.js';
import { correlation, registerMaps } from '../../../src/use/register/registerMaps.js';
import { selfSimilarity } from '../../../src/use/register/selfSimilarity.js';
import { lying } from '../../data/align/lying.js';
import { changed, spots } from '../../data/audit/drawnPairs.js';
import { relativeError, values } from '../../golden/formula.js';

interface Golden {
  descriptors: { shape: number[]; seed: number; descriptor: number[] }[];
  correlations: {
    shape: number[];
    seeds: [number, number];
    transformation: Affine;
    value: number;
    gradient: number[];
  }[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/registration.json', import.meta.url), 'utf8'),
) as Golden;

describe('selfSimilarity', () => {
  test.each(golden.descriptors)('equals PyTorch by loops, $shape', ({ shape, seed, descriptor }) => {
    const map = tensor(values(shape, seed), [1, ...shape], { dtype: 'f64' });
    // A few sums of rounding 1e-16, divided by differences that are a hundredth of what is subtracted.
    expect(relativeError(selfSimilarity(map).toArray(), descriptor)).toBeLessThan(1e-13);
  });

  test('does not see how strong a channel is, nor its sign and its mean, in which modalities differ', () => {
    const map = tensor(values([3, 12, 12], 7), [1, 3, 12, 12], { dtype: 'f64' });
    const factors = tensor([4, -3, 20], [1, 3, 1, 1], { dtype: 'f64' });
    const means = tensor([1, 5, -3], [1, 3, 1, 1], { dtype: 'f64' });
    const other = selfSimilarity(map.mul(factors).add(means)).toArray();
    // What is added for silent channels is about a thousandth of a deviation.
    expect(relativeError(other, [...(selfSimilarity(map).toArray() as Float64Array)])).toBeLessThan(0.01);
  });

  test('is finite where a map shows nothing', () => {
    const even = selfSimilarity(tensor(new Float32Array(3 * 64), [1, 3, 8, 8])).toArray();
    expect([...(even as Float32Array)].every(Number.isFinite)).toBe(true);
  });
});

describe('correlation', () => {
  test.each(golden.correlations)('and its gradient equal PyTorch, $shape', (c) => {
    const [fixed, moving] = c.seeds.map((seed) =>
      tensor(values(c.shape, seed), [1, ...c.shape], { dtype: 'f64' }),
    );
    const found = correlation(fixed!, moving!)(c.transformation)!;
    expect(Math.abs(found.value - c.value)).toBeLessThan(1e-12);
    expect(relativeError(found.gradient, c.gradient)).toBeLessThan(1e-10);
  });

  test('is 1 of a map with itself, where it is highest', () => {
    const map = tensor(values([2, 16, 16], 8), [1, 2, 16, 16], { dtype: 'f64' });
    expect(correlation(map, map)(IDENTITY)!.value).toBeCloseTo(1, 10);
    expect(correlation(map, map)([1, 0, 0.05, 0, 1, 0])!.value).toBeLessThan(0.99);
  });

  test('is of nothing where less than half of the cells overlap', () => {
    const map = tensor(values([2, 16, 16], 8), [1, 2, 16, 16]);
    expect(correlation(map, map)([1, 0, 0.4, 0, 1, 0])).toBeDefined();
    expect(correlation(map, map)([1, 0, 0.8, 0, 1, 0])).toBeUndefined();
  });
});

const SIDE = 96;
const EXTENT = { width: SIDE, height: SIDE };

/** The descriptor of a gray picture, as if its pixels were the map of an encoder, with a second channel of their squares. */
function described(data: Uint8Array): Tensor {
  const gray = Float32Array.from(data, (value) => (value - 128) / 64);
  return selfSimilarity(tensor([...gray, ...gray.map((value) => value * value)], [1, 2, SIDE, SIDE]));
}

describe('registerMaps', () => {
  const picture = spots('maps', SIDE);
  const inverse = changed(picture, (value) => 220 - 0.6 * value);
  const options = { extent: EXTENT, steps: 60, length: 1 };

  test.each([
    ['rigid', similarity({ right: 4, down: -3, degrees: 4 }, EXTENT)],
    ['similarity', similarity({ right: -3, degrees: -3, scale: 1.04 }, EXTENT)],
    ['affine', [1.03, 0.05, -4, -0.02, 0.97, 3] as Affine],
  ] as const)('finds a %s motion of a picture that shows the opposite', (kind, known) => {
    const found = registerMaps(described(picture.data), described(lying(inverse, known).data), IDENTITY, {
      ...options,
      kind,
    })!;
    expect(meanDistance(IDENTITY, known, EXTENT)).toBeGreaterThan(1.5);
    // The picture is resampled and its levels are rounded.
    expect(meanDistance(found, known, EXTENT)).toBeLessThan(0.2);
  });

  test('scales nothing where the motion is rigid, to the last digits', () => {
    const known = similarity({ right: 3, degrees: 5, scale: 1.05 }, EXTENT);
    const found = registerMaps(described(picture.data), described(lying(inverse, known).data), IDENTITY, {
      ...options,
      kind: 'rigid',
    })!;
    expect(motionOf(found, EXTENT).scale).toBeCloseTo(1, 12);
    expect(found[0]).toBeCloseTo(found[4], 12);
    expect(found[1]).toBeCloseTo(-found[3], 12);
  });

  test('climbs on from a start that turns the picture by more than a right angle', () => {
    const known = similarity({ right: 2, down: -3, degrees: 118 }, EXTENT);
    const start = similarity({ degrees: 115 }, EXTENT);
    // Neighbours stand in other places as a picture turns, so that these maps are the pictures themselves.
    const gray = ({ data }: { data: Uint8Array }) =>
      tensor(
        Float32Array.from(data, (value) => value / 64 - 2),
        [1, 1, SIDE, SIDE],
      );
    const found = registerMaps(gray(picture), gray(lying(picture, known)), start, {
      ...options,
      kind: 'rigid',
    })!;
    expect(meanDistance(start, known, EXTENT)).toBeGreaterThan(3);
    expect(meanDistance(found, known, EXTENT)).toBeLessThan(0.2);
  });

  test('finds nothing from a start at which the two hardly overlap', () => {
    const map = described(picture.data);
    expect(registerMaps(map, map, [1, 0, 70, 0, 1, 0], { ...options, kind: 'rigid' })).toBeUndefined();
  });
});
