import { describe, expect, it } from 'vitest';
import { alignPair, type Registration } from '../../../src/data/align/alignPair.js';
import { byElastix, loadElastix } from '../../../src/data/align/elastix.js';
import {
  type Affine,
  compose,
  IDENTITY,
  invert,
  meanDistance,
  motionOf,
  similarity,
} from '../../../src/data/align/transformation.js';
import { changed, raster, spots } from '../audit/drawnPairs.js';
import { lying } from './lying.js';

const SIDE = 224;
const EXTENT = { width: SIDE, height: SIDE };
const OPTIONS = { kind: 'rigid', gate: 0.5 } as const;

/** A pair of two looks of one picture, the second of which lies where the motion says. */
function pairOf(key: string, motion: Affine) {
  const a = spots(key, SIDE);
  const b = lying(
    changed(a, (value) => 220 - Math.abs(value - 110) * 1.6),
    motion,
  );
  return { a, b };
}

/** A registration that answers the same from every start. */
function answering(forth: Affine | undefined, back: Affine | undefined): Registration[] {
  return [async (way) => (way === 'there' ? forth : back)];
}

describe('what is decided of a registration', () => {
  const motion = similarity({ right: 8, down: -5, degrees: 6 }, EXTENT);
  const pair = pairOf('decided', motion);

  it('moves a pair where both ways agree and the images share more than before', async () => {
    const nearly = compose(similarity({ right: 0.3 }, EXTENT), invert(motion));
    const found = await alignPair(pair, OPTIONS, answering(motion, nearly));
    expect(found).toMatchObject({ decision: 'moved' });
    expect(found.inconsistency).toBeCloseTo(0.3, 6);
    expect(found.after!).toBeGreaterThan(2 * found.before);
    // Halfway between both ways.
    expect(meanDistance(found.transformation, motion, EXTENT)).toBeCloseTo(0.15, 2);
  });

  it('refuses a pair whose ways differ, tells by how much, and moves nothing', async () => {
    const other = compose(similarity({ right: 0.8 }, EXTENT), invert(motion));
    const found = await alignPair(pair, OPTIONS, answering(motion, other));
    expect(found).toMatchObject({
      decision: 'refused',
      reason: 'the ways there and back differ by 0.80 px',
      transformation: IDENTITY,
    });
    expect(meanDistance(found.found!, motion, EXTENT)).toBeLessThan(0.5);
    expect(await alignPair(pair, { ...OPTIONS, gate: 1 }, answering(motion, other))).toMatchObject({
      decision: 'moved',
    });
  });

  it('refuses a place where the images share less than at another one that the search found', async () => {
    const wrong = similarity({ right: -30, down: 20 }, EXTENT);
    const found = await alignPair(pair, OPTIONS, answering(wrong, invert(wrong)));
    expect(found.decision).toBe('refused');
    expect(found.reason).toMatch(/^another place, \d+ px away, fits as well$/);
    expect(found.transformation).toEqual(IDENTITY);
  });

  it('refuses the right place of a picture that repeats, as the next period fits as well', async () => {
    const tile = spots('tile', SIDE);
    const shift = similarity({ right: 8, down: -5 }, EXTENT);
    const a = raster(SIDE, SIDE, (x, y) => tile.data[(y % 56) * SIDE + (x % 56)]!);
    const b = lying(
      changed(a, (value) => 220 - Math.abs(value - 110) * 1.6),
      shift,
    );
    const found = await alignPair({ a, b }, OPTIONS, answering(shift, invert(shift)));
    expect(found).toMatchObject({ decision: 'refused' });
    expect(found.reason).toMatch(/^another place, (5[5-7]|79) px away, fits as well$/);
  });

  it('keeps a pair that lies well, whatever small motion is found', async () => {
    const small = similarity({ right: 0.6, down: -0.4 }, EXTENT);
    const found = await alignPair(pairOf('kept', IDENTITY), OPTIONS, answering(small, invert(small)));
    expect(found).toMatchObject({
      decision: 'kept',
      transformation: IDENTITY,
      reason: 'it lies 0.7 px off, which is too little to tell',
    });
  });

  it('refuses a pair of which no registration finds anything', async () => {
    expect(await alignPair(pair, OPTIONS, answering(undefined, undefined))).toMatchObject({
      decision: 'refused',
      reason: 'too little of the two images overlaps',
      transformation: IDENTITY,
    });
  });

  it('refuses images that show nothing', async () => {
    const even = raster(SIDE, SIDE, () => 90);
    const found = await alignPair({ a: even, b: even }, OPTIONS, answering(motion, invert(motion)));
    expect(found).toMatchObject({
      decision: 'refused',
      reason: 'the images share no more there than as they lie',
    });
  });
});

describe('what a method knows of a pair beside', () => {
  const motion = similarity({ right: 8, down: -5, degrees: 6 }, EXTENT);
  const pair = pairOf('guide', motion);
  const near = (place: Affine) => (other: Affine) => (meanDistance(other, place, EXTENT) < 4 ? 1 : 0);
  /** Stays where it begins. */
  const staying: Registration[] = [async (_way, _kind, start) => start];

  it('takes the place of the starts of the search', async () => {
    const guide = { approach: async () => motion, fit: () => 1, near: 1 };
    const found = await alignPair(pair, OPTIONS, staying, guide);
    expect(found).toMatchObject({ decision: 'moved', inconsistency: expect.closeTo(0, 9) });
    expect(meanDistance(found.transformation, motion, EXTENT)).toBeLessThan(1e-9);
  });

  it('begins at the place that scores most, not at the one that came first', async () => {
    const far = similarity({ right: -30, down: 20 }, EXTENT);
    let asked = 0;
    const guide = { approach: async () => [far, motion][Math.min(1, asked++)], fit: () => 1, near: 1 };
    const begun: Affine[] = [];
    const told: Registration = async (_way, _kind, start) => {
      begun.push(start);
      return start;
    };
    await alignPair(pair, OPTIONS, [told], guide);
    expect(meanDistance(begun[0]!, motion, EXTENT)).toBeLessThan(1e-9);
  });

  it('tells places apart that share as much, if it fits clearly less elsewhere', async () => {
    const tile = spots('tile', SIDE);
    const a = raster(SIDE, SIDE, (x, y) => tile.data[(y % 56) * SIDE + (x % 56)]!);
    const shift = similarity({ right: 8, down: -5 }, EXTENT);
    const repeating = { a, b: lying(a, shift) };
    const elsewhere = (fit: number) => ({
      approach: async () => shift,
      fit: (place: Affine) => Math.max(fit, near(shift)(place)),
      near: 1,
    });
    const decided = async (fit: number) =>
      (await alignPair(repeating, OPTIONS, answering(shift, invert(shift)), elsewhere(fit))).decision;
    expect(await decided(1)).toBe('refused');
    expect(await decided(0.94)).toBe('refused');
    expect(await decided(0.5)).toBe('moved');
  });

  it('moves nothing where the pair scores more as it lies', async () => {
    const as = (here: number) => ({
      approach: async () => motion,
      fit: (place: Affine) => (near(IDENTITY)(place) ? here : near(motion)(place)),
      near: 1,
    });
    expect(await alignPair(pair, OPTIONS, staying, as(0))).toMatchObject({ decision: 'moved' });
    expect(await alignPair(pair, OPTIONS, staying, as(1000))).toMatchObject({
      decision: 'refused',
      reason: 'the images share no more there than as they lie',
    });
  });

  it('moves nothing to where the images share less, however well it fits there', async () => {
    const aligned = pairOf('aligned', IDENTITY);
    const guide = { approach: async () => motion, fit: near(motion), near: 1 };
    expect(await alignPair(aligned, OPTIONS, staying, guide)).toMatchObject({
      decision: 'refused',
      reason: 'the images share no more there than as they lie',
    });
  });

  it('keeps a pair that lies less off than the method can tell', async () => {
    const close = similarity({ right: 2 }, EXTENT);
    const knowing = (least: number) => ({ approach: async () => close, fit: () => 1, near: least });
    const off = pairOf('close', close);
    expect(await alignPair(off, OPTIONS, staying, knowing(1))).toMatchObject({ decision: 'moved' });
    expect(await alignPair(off, OPTIONS, staying, knowing(3))).toMatchObject({ decision: 'kept' });
  });

  it('is of nothing where no start leads anywhere', async () => {
    const guide = { approach: async () => undefined, fit: () => 1, near: 1 };
    expect(await alignPair(pair, OPTIONS, staying, guide)).toMatchObject({
      decision: 'refused',
      reason: 'too little of the two images overlaps',
    });
  });
});

const SHEARED: Affine = [1.03, 0.06, -6, -0.02, 0.97, 9];

describe('registration with elastix', () => {
  it('scales nothing where a rigid motion is asked for, although the images are of two scales', async () => {
    const known = similarity({ right: 8, scale: 1.05 }, EXTENT);
    const scaled = pairOf('scaled', known);
    const found = await alignPair(scaled, OPTIONS, byElastix(scaled, await loadElastix()));
    expect(motionOf(found.found!, EXTENT).scale).toBeCloseTo(1, 3);
  });

  it.each([
    ['similarity', similarity({ right: -6, down: 9, degrees: -4, scale: 1.05 }, EXTENT)],
    ['affine', SHEARED],
  ] as const)('finds a %s motion that the other look of a picture took', async (kind, known) => {
    const pair = pairOf(kind, known);
    const found = await alignPair(pair, { kind, gate: 0.5 }, byElastix(pair, await loadElastix()));
    expect(found).toMatchObject({ decision: 'moved' });
    // Drawn spots are smooth, so that the optimum is flat: 0.05 to 0.25 px seen.
    expect(meanDistance(found.transformation, known, EXTENT)).toBeLessThan(0.5);
  });
});
