/** Finds how one image of a pair lies against the other. */
import type { LeveledImage } from './grayImage.js';
import type { Likeness } from './information.js';
import { Overlay } from './overlay.js';
import { bestShift } from './shiftGrid.js';
import { type Affine, compose, type Extent, meanDistance, similarity } from './transformation.js';

/** The side that the longer side of a picture counts, so that pixels mean the same for all: those of the paper. */
export const REFERENCE_SIDE = 224;

/** The extent of a picture of this shape whose longer side is `REFERENCE_SIDE`. */
export function referenceExtent({ width, height }: Extent): Extent {
  const scale = REFERENCE_SIDE / Math.max(width, height);
  return { width: width * scale, height: height * scale };
}

/** Where an image lies, and how much it shares there with the other. */
export interface Found extends Likeness {
  /** Takes a point of `a` to the same place in `b`. */
  readonly transformation: Affine;
}

/** Compares two pictures of one extent under transformations in the pixels of that extent. */
export class Comparison {
  readonly #a: LeveledImage;
  readonly #b: LeveledImage;
  readonly #overlay: Overlay;
  readonly #extent: Extent;

  constructor(a: LeveledImage, b: LeveledImage, extent: Extent) {
    this.#a = a;
    this.#b = b;
    this.#extent = extent;
    this.#overlay = new Overlay(a, b, extent);
  }

  /** Judges one transformation, on one of nine pixels as `refine` does. */
  at(transformation: Affine): Found {
    return { transformation, ...this.#overlay.likeness(transformation, 3) };
  }

  /** The best shift of a picture of this orientation, on a coarse grid up to `reach`, a share of the side. */
  start(orientation: Orientation, reach: number): Found {
    return bestShift(this.#a, this.#b, similarity(orientation, this.#extent), this.#extent, reach);
  }

  /** The best shift beside a place, more than `apart` pixels from it, that is more than the slope towards that place. */
  beside(place: Affine, reach: number, apart: number): Found {
    const elsewhere = (other: Affine) => meanDistance(other, place, this.#extent) > apart;
    return bestShift(this.#a, this.#b, place, this.#extent, reach, elsewhere);
  }

  /** Climbs from a start until no motion of a pixel makes the pictures more alike, on one of sixteen pixels. */
  approach(start: Affine): Found {
    return this.#climb(start, [4, 2, 1], 4);
  }

  /** Climbs on, to ¼ pixel, on one of nine pixels. */
  refine(start: Affine): Found {
    return this.#climb(start, [1, 0.5, 0.25], 3);
  }

  /** Climbs by shifts, turns and scalings, along one of them at a time as far as it goes up. */
  #climb(start: Affine, steps: readonly number[], stride: number): Found {
    const extent = this.#extent;
    const radius = Math.max(extent.width, extent.height) / 3;
    const judge = (transformation: Affine): Found => ({
      transformation,
      ...this.#overlay.likeness(transformation, stride),
    });
    let best = judge(start);
    const signs = MOVES.map(() => 1);
    for (const step of steps) {
      // Each of the moves must fail, both ways, after the last that went up.
      for (let [next, failed] = [0, 0]; failed < MOVES.length; next = (next + 1) % MOVES.length) {
        failed += 1;
        for (const sign of [signs[next]!, -signs[next]!]) {
          const motion = similarity(MOVES[next]!(sign * step, radius), extent);
          const tried = judge(compose(best.transformation, motion));
          if (tried.likeness <= best.likeness) continue;
          best = tried;
          signs[next] = sign;
          failed = 0;
          break;
        }
      }
    }
    return best;
  }
}

type Move = (step: number, radius: number) => Parameters<typeof similarity>[0];

/** Motions of about `step` pixels at `radius` from the centre. */
const MOVES: readonly Move[] = [
  (step) => ({ right: step }),
  (step) => ({ down: step }),
  (step, radius) => ({ degrees: (step / radius) * (180 / Math.PI) }),
  (step, radius) => ({ scale: Math.exp(step / radius) }),
];

export type Orientation = Readonly<{ degrees: number; mirrored: boolean }>;

export const UPRIGHT: Orientation = { degrees: 0, mirrored: false };

/** The other quarter turns, and the mirror image of each. */
export const OTHER_ORIENTATIONS: readonly Orientation[] = [false, true].flatMap((mirrored) =>
  [0, 90, 180, 270].filter((degrees) => mirrored || degrees !== 0).map((degrees) => ({ degrees, mirrored })),
);
