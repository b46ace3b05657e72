import { describe, expect, it } from 'vitest';
import { leveled } from '../../../src/data/align/grayImage.js';
import { measurePair } from '../../../src/data/align/measurePair.js';
import { Comparison, referenceExtent } from '../../../src/data/align/search.js';
import {
  type Extent,
  IDENTITY,
  type Motion,
  meanDistance,
  motionOf,
  similarity,
} from '../../../src/data/align/transformation.js';
import { describePicture, WORKING_SIDE } from '../../../src/data/audit/measures/picture.js';
import type { Raster } from '../../../src/data/sample.js';
import { changed, raster, spots } from '../audit/drawnPairs.js';
import { lying } from './lying.js';

const SQUARE = { width: 160, height: 160 };

/** The picture as another modality shows it: dark for bright and in between bright, with noise of its own. */
function seenOtherwise(picture: Raster, key: string): Raster {
  const grain = spots(`grain ${key}`, Math.max(picture.width, picture.height));
  return changed(picture, (value, x, y) => {
    const noise = 0.1 * (grain.data[y * grain.width + x]! - 128);
    return 220 - Math.abs(value - 110) * 1.6 + noise;
  });
}

function picture(key: string, { width, height }: Extent): Raster {
  const side = Math.max(width, height);
  const whole = spots(key, side);
  return raster(width, height, (x, y) => whole.data[y * side + x]!);
}

/** Measures a drawn pair of two looks, `b` moved by a motion in pixels of 224. */
function measured(key: string, motion: Partial<Motion>, size: Extent = SQUARE) {
  const a = picture(key, size);
  const extent = referenceExtent(size);
  const unit = Math.max(size.width, size.height) / 224;
  const own = { ...motion, right: (motion.right ?? 0) * unit, down: (motion.down ?? 0) * unit };
  const b = seenOtherwise(lying(a, similarity(own, size)), key);
  const levelsOf = (image: Raster) => leveled({ side: WORKING_SIDE, gray: describePicture(image).gray });
  const placement = measurePair(levelsOf(a), levelsOf(b), extent);
  const truth = similarity(motion, extent);
  return { ...placement, extent, error: meanDistance(placement.transformation, truth, extent) };
}

/**
 * A pixel of 224: half of one of the working size, to which both are squashed, is 0.9, and the last step of the climb
 * is ¼.
 */
const TOLERANCE = 1;

const MOTIONS: readonly Partial<Motion>[] = [
  { right: 10, down: -16 },
  { right: 8, down: -5, degrees: 6 },
  { right: -25, down: 20 },
  { degrees: -14, scale: 1.06 },
  { right: 3, down: 30, degrees: 4, scale: 0.94 },
];

describe('measurePair', () => {
  it.each(MOTIONS)('finds %o between two looks of one picture', (motion) => {
    const { error, orientation } = measured('moved', motion);
    expect(error).toBeLessThan(TOLERANCE);
    expect(orientation).toEqual({ degrees: 0, mirrored: false });
  });

  it('finds no motion where there is none', () => {
    const { error, here, there } = measured('still', {});
    expect(error).toBeLessThan(TOLERANCE);
    expect(there.information).toBeLessThan(1.08 * here.information);
  });

  it.each([
    { width: 160, height: 100 },
    { width: 90, height: 160 },
  ])('a turn in a picture of %o is no shear', (size) => {
    const motion = { right: 6, degrees: 9 };
    const { error, transformation, extent } = measured('odd', motion, size);
    expect(error).toBeLessThan(TOLERANCE);
    expect(Math.abs(motionOf(transformation, extent).degrees - 9)).toBeLessThan(0.5);
  });

  it('the uncertainty covers the error of most', () => {
    const all = Array.from({ length: 20 }, (_, i) =>
      measured(`covered ${i}`, { right: 2 * i - 20, down: 12 - i, degrees: i - 10 }),
    );
    // Two measures may miss a place alike, by no more than the tolerance.
    const covered = all.filter(({ error, inconsistency }) => error <= 2 * inconsistency + TOLERANCE);
    expect(covered.length).toBeGreaterThanOrEqual(18);
    expect(all.filter(({ inconsistency }) => inconsistency > 0).length).toBeGreaterThan(10);
  });

  it('is uncertain of pictures that share nothing', () => {
    const levelsOf = (key: string) => leveled({ side: WORKING_SIDE, gray: describePicture(spots(key)).gray });
    const strangers = Array.from({ length: 6 }, (_, i) =>
      measurePair(levelsOf(`one ${i}`), levelsOf(`other ${i}`), { width: 224, height: 224 }),
    );
    // Of most, the way back is another one.
    const unsure = strangers.filter(({ transformation, inconsistency }) => {
      const moved = meanDistance(transformation, IDENTITY, { width: 224, height: 224 });
      return 2 * inconsistency >= moved;
    });
    expect(unsure.length).toBeGreaterThanOrEqual(3);
  });

  it.each([
    { degrees: 90, mirrored: false },
    { degrees: 180, mirrored: false },
    { degrees: 270, mirrored: false },
    { degrees: 0, mirrored: true },
    { degrees: 90, mirrored: true },
    { degrees: 180, mirrored: true },
    { degrees: 270, mirrored: true },
  ])('tells a picture that lies as %o, and where', (orientation) => {
    const { error, likelier, ...found } = measured('turned', orientation);
    expect(found.orientation).toEqual(orientation);
    expect(likelier[0]).toEqual(orientation);
    expect(error).toBeLessThan(TOLERANCE);
  });

  it.each(['black', 'gray', 'of one spot'])('a picture that is %s does no harm', (kind) => {
    const level = {
      black: () => 0,
      gray: () => 77,
      'of one spot': (x: number, y: number) => +(x === 9 && y === 9),
    }[kind]!;
    const flat = leveled({ side: 128, gray: describePicture(raster(128, 128, level)).gray });
    const full = leveled({ side: 128, gray: describePicture(spots('full', 128)).gray });
    for (const [a, b] of [
      [flat, flat],
      [flat, full],
      [full, flat],
    ] as const) {
      const { transformation, inconsistency, here, there } = measurePair(a, b, { width: 224, height: 150 });
      const numbers = [...transformation, inconsistency, here.likeness, there.likeness, there.information];
      expect(numbers.every(Number.isFinite)).toBe(true);
    }
  });

  it('refuses a side that cannot be made coarse', () => {
    expect(() => leveled({ side: 100, gray: new Float32Array(10_000) })).toThrow(
      'the side is 100, expected a multiple of 32',
    );
  });
});

it('beside a place it finds another one, not the slope that leads up to the place', () => {
  // A corner of a larger picture, whose spots are so wide that the slope is long.
  const wide = spots('beside', 400);
  const corner = raster(160, 160, (x, y) => wide.data[y * 400 + x]!);
  const levels = leveled({ side: WORKING_SIDE, gray: describePicture(corner).gray });
  const extent = referenceExtent(SQUARE);
  const found = new Comparison(levels, levels, extent).beside(IDENTITY, 0.25, 8);
  // Shifts are tried each 7 px, so that the slope begins 7 to 14 px away.
  expect(meanDistance(found.transformation, IDENTITY, extent)).toBeGreaterThan(30);
  expect(found.likeness).toBeGreaterThan(1);
});
