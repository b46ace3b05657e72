import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Affine,
  apply,
  compose,
  IDENTITY,
  invert,
  type Motion,
  meanDistance,
  motionOf,
  similarity,
} from '../../../src/data/align/transformation.js';

const extents = fc.record({
  width: fc.double({ min: 10, max: 300, noNaN: true }),
  height: fc.double({ min: 10, max: 300, noNaN: true }),
});
const motions: fc.Arbitrary<Motion> = fc.record({
  right: fc.double({ min: -50, max: 50, noNaN: true }),
  down: fc.double({ min: -50, max: 50, noNaN: true }),
  degrees: fc.double({ min: -179, max: 179, noNaN: true }),
  scale: fc.double({ min: 0.5, max: 2, noNaN: true }),
  mirrored: fc.boolean(),
});
const points = fc.tuple(
  fc.double({ min: -300, max: 300, noNaN: true }),
  fc.double({ min: -300, max: 300, noNaN: true }),
);

function expectNear(found: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 6);
}

it('the inverse leads back, from both sides', () => {
  fc.assert(
    fc.property(motions, extents, points, (motion, extent, [x, y]) => {
      const there = similarity(motion, extent);
      expectNear(apply(compose(invert(there), there), x, y), [x, y]);
      expectNear(apply(compose(there, invert(there)), x, y), [x, y]);
    }),
  );
});

it('composed transformations apply the inner one first', () => {
  fc.assert(
    fc.property(motions, motions, extents, points, (first, second, extent, [x, y]) => {
      const [inner, outer] = [similarity(first, extent), similarity(second, extent)];
      expectNear(apply(compose(outer, inner), x, y), apply(outer, ...apply(inner, x, y)));
    }),
  );
});

it('a motion is read off the transformation that it makes', () => {
  fc.assert(
    fc.property(motions, extents, (motion, extent) => {
      const found = motionOf(similarity(motion, extent), extent);
      expect(found.mirrored).toBe(motion.mirrored);
      for (const key of ['right', 'down', 'degrees', 'scale'] as const)
        expect(found[key], key).toBeCloseTo(motion[key], 6);
    }),
  );
});

it('turns go clockwise as an image is seen, and the mirror exchanges top and bottom', () => {
  const extent = { width: 20, height: 10 };
  expectNear(apply(similarity({ degrees: 90 }, extent), 20, 5), [10, 15]);
  expectNear(apply(similarity({ mirrored: true }, extent), 3, 1), [3, 9]);
  expectNear(apply(similarity({ mirrored: true, degrees: 180 }, extent), 3, 1), [17, 1]);
});

it('a shift moves all points by its length', () => {
  expect(
    meanDistance(similarity({ right: 3, down: 4 }, { width: 9, height: 7 }), IDENTITY, {
      width: 9,
      height: 7,
    }),
  ).toBeCloseTo(5, 12);
});

it('what has no inverse is refused', () => {
  const flat: Affine = [1, 2, 0, 2, 4, 0];
  expect(() => invert(flat)).toThrow('the determinant is 0, expected one that is not 0');
});
