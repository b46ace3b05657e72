/** Registers the images of a pair, and decides whether the result is to be believed. */
import { resizeValues } from '../images/resize.js';
import type { Raster } from '../sample.js';
import { gray, type LeveledImage, leveled } from './grayImage.js';
import { localContrast } from './localContrast.js';
import { Comparison, type Found } from './search.js';
import {
  type Affine,
  compose,
  type Extent,
  halfway,
  IDENTITY,
  invert,
  meanDistance,
  motionOf,
  similarity,
  type TransformationKind,
} from './transformation.js';

/**
 * Registers the two images of a pair from a start: finds the transformation that takes the points of `a` to those of `b`
 * (`there`), or those of `b` to those of `a` (`back`); undefined where it finds none.
 */
export type Registration = (
  way: 'there' | 'back',
  kind: TransformationKind,
  start: Affine,
) => Promise<Affine | undefined>;

/** What a method of registration knows of a pair, beyond how to register it. */
export interface Guide {
  /** Betters a start, coarsely, before it is known which of them is worth a registration; undefined where it cannot. */
  readonly approach: (start: Affine) => Promise<Affine | undefined>;
  /** How well the two fit under a transformation, by another measure than mutual information; 0 is not at all. */
  readonly fit: (transformation: Affine) => number;
  /** The displacement in pixels below which the method is too inexact to tell whether a pair lies well. */
  readonly near: number;
}

export interface AlignOptions {
  readonly kind: TransformationKind;
  /** The largest inverse inconsistency, in pixels of a picture of 224, at which a registration is believed. */
  readonly gate: number;
}

/**
 * - `moved`: the transformation is believed.
 * - `kept`: the pair lies as well as can be told, so that nothing is moved.
 * - `refused`: no registration is believed, and nothing is moved.
 */
export type Decision = 'moved' | 'kept' | 'refused';

export interface PairAlignment {
  readonly decision: Decision;
  /** The reason in words. */
  readonly reason: string;
  /** Takes a point of `a` to the same place in `b`, in pixels of `a`. The identity unless `moved`. */
  readonly transformation: Affine;
  /** The registration that was looked at, believed or not; absent where none came to an end. */
  readonly found?: Affine;
  /** The mean distance in pixels between a point and where the way there and the way back take it. */
  readonly inconsistency?: number;
  /** The mutual information of the two as they lie and under `found`, in nats. */
  readonly before: number;
  readonly after?: number;
}

/** The displacement in pixels below which a pair is left as it lies. */
const NEAR = 1;
/** The share of what two images share, beyond nothing, from which another place fits as well. */
const AS_WELL = 0.95;
/** The distance in pixels from which two starts are two. */
const APART = 3;
/** The distance in pixels from which two places are two: the search may scale, and is less exact than a registration. */
const ELSEWHERE = 8;

/** The mutual information in nats that is no gain, but chance. */
const LEAST_GAIN = 0.01;

const STARTS = { reach: 0.25, turns: [0, -10, 10, -20, 20] };
/** The share of the best score from which a place that was reached coarsely is looked at finely. */
const PROMISING = 0.5;
/** The number of starts from which is registered. */
const TRIES = 3;

/**
 * Registers `b` to `a` from several starts, there and back. A registration is believed if the way there and the way back
 * agree (`gate`), if the local contrasts share more under it than as they lie, and if they share clearly more than
 * anywhere else that the search found, or that a second search found beside it: a picture that repeats has many places.
 *
 * With a guide, the starts are bettered and ranked before, and places are compared by their score: what the local
 * contrasts share beyond nothing, times the guide's fit. Shading fools the one and the frame of an image the other, so a
 * place has to convince both.
 *
 * @param pair two images of one size
 * @param registrations are asked in turn, until one of them is believed
 */
export async function alignPair(
  pair: { readonly a: Raster; readonly b: Raster },
  { kind, gate }: AlignOptions,
  registrations: readonly Registration[],
  guide?: Guide,
): Promise<PairAlignment> {
  const extent: Extent = pair.a;
  const [a, b] = [pair.a, pair.b].map((image) => workingImage(localContrast(gray(image))));
  const comparison = new Comparison(a!, b!, extent);
  const scores = new Scores(comparison, extent, guide);
  const here = scores.of(IDENTITY);
  const peaks = peaksOf(comparison, extent);
  // The search may scale. A registration goes on from a start, so that a rigid transformation needs a rigid one.
  const begun = peaks.map(({ transformation }) =>
    kind === 'rigid' ? similarity({ ...motionOf(transformation, extent), scale: 1 }, extent) : transformation,
  );
  const places = distinct([...begun, IDENTITY], extent);
  const register = registrations[0]!;
  const starts = guide
    ? await settled(places, guide, (start) => register('there', kind, start), scores)
    : places;
  const known = [...peaks.map(({ transformation }) => transformation), ...(guide ? starts : [])];
  // Of a product of two measures both count.
  const asWell = guide ? AS_WELL ** 2 : AS_WELL;
  const judge = ({ found, inconsistency }: Candidate): PairAlignment => {
    const there = scores.of(found);
    const displacement = meanDistance(found, IDENTITY, extent);
    const told = { found, inconsistency, before: here.information, after: there.information };
    const refused = (reason: string): PairAlignment => ({
      ...{ decision: 'refused', reason, transformation: IDENTITY },
      ...told,
    });
    if (!(inconsistency < gate)) {
      return refused(`the ways there and back differ by ${inconsistency.toFixed(2)} px`);
    }
    const beside = comparison.refine(comparison.beside(found, STARTS.reach, ELSEWHERE).transformation);
    const rival = [...known, beside.transformation].find(
      (place) =>
        meanDistance(place, found, extent) > ELSEWHERE && scores.of(place).score >= asWell * there.score,
    );
    if (rival !== undefined) {
      const apart = meanDistance(rival, found, extent);
      return refused(`another place, ${apart.toFixed(0)} px away, fits as well`);
    }
    if (displacement < Math.max(guide?.near ?? NEAR, 2 * inconsistency)) {
      const reason = `it lies ${displacement.toFixed(1)} px off, which is too little to tell`;
      return { decision: 'kept', reason, transformation: IDENTITY, ...told };
    }
    const more = guide
      ? here.score < AS_WELL * there.score
      : there.information >= here.information + LEAST_GAIN;
    if (!more || there.likeness <= here.likeness) {
      return refused('the images share no more there than as they lie');
    }
    return { decision: 'moved', reason: `by ${displacement.toFixed(1)} px`, transformation: found, ...told };
  };
  const refusals: PairAlignment[] = [];
  for (const start of starts.slice(0, TRIES)) {
    for (const register of registrations) {
      const candidate = await thereAndBack(register, kind, start, extent);
      if (candidate === undefined) continue;
      const judged = judge(candidate);
      if (judged.decision !== 'refused') return judged;
      refusals.push(judged);
    }
  }
  return (
    refusals[0] ?? {
      decision: 'refused',
      reason: 'too little of the two images overlaps',
      transformation: IDENTITY,
      before: here.information,
    }
  );
}

/** A place, with the score by which places are compared: with a guide, both measures in one. */
interface Judged extends Found {
  readonly score: number;
}

/** Compares places of the second image against the first. */
class Scores {
  readonly #comparison: Comparison;
  readonly #extent: Extent;
  readonly #guide: Guide | undefined;

  constructor(comparison: Comparison, extent: Extent, guide?: Guide) {
    this.#comparison = comparison;
    this.#extent = extent;
    this.#guide = guide;
  }

  of(place: Affine): Judged {
    const found = this.#comparison.at(place);
    const fit = this.#guide === undefined ? 1 : Math.max(0, this.#guide.fit(place));
    return { ...found, score: Math.max(0, found.likeness - 1) * fit };
  }

  /** The best first; those that are near to a better one are left out. */
  ranked(places: readonly (Affine | undefined)[]): Judged[] {
    const found = places.filter((place) => place !== undefined).map((place) => this.of(place));
    found.sort((one, other) => other.score - one.score);
    return found.filter(({ transformation: place }, i) =>
      found.slice(0, i).every((better) => meanDistance(better.transformation, place, this.#extent) > APART),
    );
  }
}

/** Where a method comes to from the starts, the best first: coarsely from all, then finely from the promising ones. */
async function settled(
  starts: readonly Affine[],
  { approach }: Guide,
  register: (start: Affine) => Promise<Affine | undefined>,
  scores: Scores,
): Promise<Affine[]> {
  const approached = [];
  for (const start of starts) approached.push(await approach(start));
  const coarse = scores.ranked(approached);
  const promising = coarse.filter(({ score }) => score >= PROMISING * coarse[0]!.score).slice(0, TRIES);
  // A single one has no other to be compared with.
  if (promising.length < 2) return promising.map(({ transformation }) => transformation);
  const registered = [];
  for (const { transformation } of promising) registered.push(await register(transformation));
  return scores.ranked(registered).map(({ transformation }) => transformation);
}

interface Candidate {
  readonly found: Affine;
  readonly inconsistency: number;
}

/** Registers both ways. The mean of them has less of the chance of either. */
async function thereAndBack(
  register: Registration,
  kind: TransformationKind,
  start: Affine,
  extent: Extent,
): Promise<Candidate | undefined> {
  const forth = await register('there', kind, start);
  const back = await register('back', kind, invert(start));
  if (forth === undefined || back === undefined) return undefined;
  const inconsistency = meanDistance(compose(back, forth), IDENTITY, extent);
  return { found: halfway(forth, invert(back)), inconsistency };
}

/** Climbs from the images as they lie and from the best shift of each turn; the most alike first. */
function peaksOf(comparison: Comparison, extent: Extent): Found[] {
  const starts = [
    IDENTITY,
    ...STARTS.turns.map(
      (degrees) => comparison.start({ degrees, mirrored: false }, STARTS.reach).transformation,
    ),
  ];
  const approached = starts.map((start) => comparison.approach(start)).sort(byLikeness);
  const some = distinct(
    approached.map(({ transformation }) => transformation),
    extent,
  );
  return some.map((one) => comparison.refine(one)).sort(byLikeness);
}

function byLikeness(one: Found, other: Found): number {
  return other.likeness - one.likeness;
}

/** Leaves out those that are near to an earlier one. */
function distinct(all: readonly Affine[], extent: Extent): Affine[] {
  const kept: Affine[] = [];
  for (const one of all) {
    if (kept.every((other) => meanDistance(one, other, extent) > APART)) kept.push(one);
  }
  return kept;
}

const WORKING_SIDE = 128;
/** Texture needs more pixels than outlines do. */
const COARSE_SIDE = 64;

function workingImage({ width, height, data }: Raster): LeveledImage {
  const size = { width, height, channels: 1 };
  const gray = Float32Array.from(resizeValues(data, size, WORKING_SIDE, WORKING_SIDE));
  return leveled({ side: WORKING_SIDE, gray }, COARSE_SIDE);
}
