/**
 * Finds how one image of a pair lies against the other by their normalised mutual information (Studholme, Hill & Hawkes
 * 1999), which assumes nothing on how the intensities of two modalities relate.
 */
import { type Affine, compose, type Extent, invert, similarity } from './transformation.js';

/** A gray image with values in 0 … 255, row-major and square: the picture, whatever its shape, squashed. */
export interface GrayImage {
  readonly side: number;
  readonly gray: Float32Array;
}

/** The side that the longer side of a picture counts, so that pixels mean the same for all: those of the paper. */
export const REFERENCE_SIDE = 224;

/** The extent of a picture of this shape whose longer side is `REFERENCE_SIDE`. */
export function referenceExtent({ width, height }: Extent): Extent {
  const scale = REFERENCE_SIDE / Math.max(width, height);
  return { width: width * scale, height: height * scale };
}

/** What is tried before the climb. */
export interface Starts {
  /** The farthest shift, as a share of the side. */
  readonly reach: number;
  /** The turns in degrees. */
  readonly turns: readonly number[];
}

/** Where an image lies, and how much it shares there with the other. */
export interface Found {
  /** Takes a point of `a` to the same place in `b`. */
  readonly transformation: Affine;
  /** The normalised mutual information there, from 1 to 2. */
  readonly likeness: number;
  /** The mutual information in nats. */
  readonly information: number;
}

/** Compares two pictures of one extent under transformations in the pixels of that extent. */
export class Comparison {
  readonly #coarse: Overlay;
  readonly #fine: Overlay;
  readonly #extent: Extent;
  readonly #step: number;

  /** @param coarseSide the side of the images on which shifts are tried; fine texture needs more pixels than outlines */
  constructor(a: GrayImage, b: GrayImage, extent: Extent, coarseSide = 32) {
    this.#extent = extent;
    this.#step = (STEP * Math.max(extent.width, extent.height)) / coarseSide;
    this.#coarse = new Overlay(reduced(a, coarseSide), reduced(b, coarseSide), extent, 8);
    this.#fine = new Overlay(a, b, extent, 16);
  }

  /** Judges one transformation. */
  at(transformation: Affine): Found {
    return { transformation, ...this.#fine.likeness(transformation, 2) };
  }

  /** Tries shifts on a grid, with each turn of a picture of this orientation, and gives the best shift of each turn. */
  starts(orientation: Orientation, { reach, turns }: Starts): Found[] {
    const extent = this.#extent;
    const step = this.#step;
    const across = Math.floor((reach * extent.width) / step);
    const down = Math.floor((reach * extent.height) / step);
    const found = turns.map((turn) => {
      const turned = similarity({ ...orientation, degrees: orientation.degrees + turn }, extent);
      let best: Found | undefined;
      for (let y = -down; y <= down; y += 1) {
        for (let x = -across; x <= across; x += 1) {
          const moved = shifted(turned, x * step, y * step);
          const here = this.#coarse.likeness(moved, 1, 'nearest');
          if (best === undefined || here.likeness > best.likeness) best = { transformation: moved, ...here };
        }
      }
      return best!;
    });
    return found.sort((one, other) => other.likeness - one.likeness);
  }

  /** Climbs from a start until no motion of a pixel makes the pictures more alike, on one of sixteen pixels. */
  approach(start: Affine): Found {
    return this.#climb(start, [4, 2, 1], 4);
  }

  /** Climbs on, to ¼ pixel. */
  refine(start: Affine): Found {
    return this.#climb(start, [1, 0.5, 0.25], 2);
  }

  /** Climbs by shifts, turns and scalings, one at a time. */
  #climb(start: Affine, steps: readonly number[], stride: number): Found {
    const extent = this.#extent;
    const radius = Math.max(extent.width, extent.height) / 3;
    const judge = (transformation: Affine): Found => ({
      transformation,
      ...this.#fine.likeness(transformation, stride),
    });
    let best = judge(start);
    for (const step of steps) {
      for (let improved = true; improved; ) {
        improved = false;
        for (const move of MOVES) {
          const tried = judge(compose(best.transformation, similarity(move(step, radius), extent)));
          if (tried.likeness <= best.likeness) continue;
          best = tried;
          improved = true;
        }
      }
    }
    return best;
  }
}

/** Small motions of about `step` pixels at `radius` from the centre. */
const MOVES: readonly ((step: number, radius: number) => Parameters<typeof similarity>[0])[] = [
  -1, 1,
].flatMap((sign) => [
  (step: number) => ({ right: sign * step }),
  (step: number) => ({ down: sign * step }),
  (step: number, radius: number) => ({ degrees: ((sign * step) / radius) * (180 / Math.PI) }),
  (step: number, radius: number) => ({ scale: Math.exp((sign * step) / radius) }),
]);

export type Orientation = Readonly<{ degrees: number; mirrored: boolean }>;

/** As an image lies, the other quarter turns, and the mirror image of each. */
export const ORIENTATIONS: readonly Orientation[] = [false, true].flatMap((mirrored) =>
  [0, 90, 180, 270].map((degrees) => ({ degrees, mirrored })),
);

/** The distance of the shifts that are tried, in pixels of the coarse image. */
const STEP = 2;

function shifted([a, b, c, d, e, f]: Affine, x: number, y: number): Affine {
  return [a, b, c + x, d, e, f + y];
}

/** Two images whose likeness is measured, with their intensities in levels of about equally many pixels. */
class Overlay {
  readonly #side: number;
  readonly #levelsOfA: Uint8Array;
  readonly #levelsOfB: Uint8Array;
  /** The gray values of `b` as levels with what lies between them. */
  readonly #b: Float32Array;
  readonly #levels: number;
  readonly #joint: Float64Array;
  readonly #toPixels: Affine;
  readonly #fromPixels: Affine;

  constructor(a: GrayImage, b: GrayImage, { width, height }: Extent, levels: number) {
    const side = a.side;
    this.#side = side;
    this.#levels = levels;
    this.#levelsOfA = rounded(inLevels(a.gray, levels));
    this.#b = inLevels(b.gray, levels);
    this.#levelsOfB = rounded(this.#b);
    this.#joint = new Float64Array(levels * levels);
    // Pixels here count from the middle of the first one.
    this.#toPixels = [side / width, 0, -0.5, 0, side / height, -0.5];
    this.#fromPixels = invert(this.#toPixels);
  }

  /**
   * Looks at each `stride`-th pixel of `a` whose place lies in `b`; nothing is alike where fewer than half do. With
   * `linear` a value of `b` counts for the two levels next to it, so that the likeness changes without steps.
   */
  likeness(
    transformation: Affine,
    stride: number,
    sampling: 'nearest' | 'linear' = 'linear',
  ): { likeness: number; information: number } {
    const side = this.#side;
    const [p, q, r, s, t, u] = compose(this.#toPixels, compose(transformation, this.#fromPixels));
    const joint = this.#joint.fill(0);
    const [ofA, levels, last] = [this.#levelsOfA, this.#levels, side - 1];
    const [b, ofB] = [this.#b, this.#levelsOfB];
    let [within, looked] = [0, 0];
    for (let y = stride >> 1; y < side; y += stride) {
      for (let x = stride >> 1; x < side; x += stride) {
        looked += 1;
        const column = p * x + q * y + r;
        const row = s * x + t * y + u;
        if (!(column >= 0 && row >= 0 && column <= last && row <= last)) continue;
        within += 1;
        const cells = ofA[y * side + x]! * levels;
        if (sampling === 'nearest') {
          joint[cells + ofB[((row + 0.5) | 0) * side + ((column + 0.5) | 0)]!]! += 1;
          continue;
        }
        const [left, top] = [Math.min(last - 1, column | 0), Math.min(last - 1, row | 0)];
        const [right, down] = [column - left, row - top];
        const at = top * side + left;
        const upper = b[at]! + right * (b[at + 1]! - b[at]!);
        const lower = b[at + side]! + right * (b[at + side + 1]! - b[at + side]!);
        const level = upper + down * (lower - upper);
        const below = Math.min(levels - 2, level | 0);
        joint[cells + below]! += 1 - (level - below);
        joint[cells + below + 1]! += level - below;
      }
    }
    return within < looked / 2 ? { likeness: 0, information: 0 } : shared(joint, levels, within);
  }
}

/** The information that two variables share, of the weights of their joint values. */
function shared(
  joint: Float64Array,
  levels: number,
  total: number,
): { likeness: number; information: number } {
  let [sumA, sumB, sumAB] = [0, 0, 0];
  for (let i = 0; i < levels; i += 1) {
    let [ofA, ofB] = [0, 0];
    for (let j = 0; j < levels; j += 1) {
      const weight = joint[i * levels + j]!;
      ofA += weight;
      ofB += joint[j * levels + i]!;
      if (weight > 0) sumAB += weight * Math.log(weight);
    }
    if (ofA > 0) sumA += ofA * Math.log(ofA);
    if (ofB > 0) sumB += ofB * Math.log(ofB);
  }
  const entropy = (sum: number) => Math.log(total) - sum / total;
  const [a, b, ab] = [entropy(sumA), entropy(sumB), entropy(sumAB)];
  return { likeness: ab > 0 ? (a + b) / ab : 1, information: a + b - ab };
}

/** Brings gray values to levels from 0 to `levels` − 1 of about equally many pixels, with fractions. */
function inLevels(gray: Float32Array, levels: number): Float32Array {
  const histogram = new Uint32Array(256);
  for (let i = 0; i < gray.length; i += 1) histogram[(gray[i]! + 0.5) | 0]! += 1;
  const table = new Float32Array(257);
  let below = 0;
  for (let value = 0; value < 256; value += 1) {
    // The level follows the middle of each value's ranks, so that a background of one value does not push all others
    // together.
    const level = (levels * (below + histogram[value]! / 2)) / gray.length - 0.5;
    table[value] = Math.min(levels - 1, Math.max(0, level));
    below += histogram[value]!;
  }
  table[256] = table[255]!;
  const found = new Float32Array(gray.length);
  for (let i = 0; i < gray.length; i += 1) {
    const value = gray[i]!;
    const whole = value | 0;
    found[i] = table[whole]! + (value - whole) * (table[whole + 1]! - table[whole]!);
  }
  return found;
}

function rounded(values: Float32Array): Uint8Array {
  const found = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) found[i] = (values[i]! + 0.5) | 0;
  return found;
}

/** Averages blocks of pixels. */
function reduced({ side, gray }: GrayImage, to: number): GrayImage {
  const factor = side / to;
  const small = new Float32Array(to * to);
  for (let y = 0; y < side; y += 1) {
    const row = Math.floor(y / factor) * to;
    for (let x = 0; x < side; x += 1) small[row + Math.floor(x / factor)]! += gray[y * side + x]!;
  }
  for (let i = 0; i < small.length; i += 1) small[i]! /= factor * factor;
  return { side: to, gray: small };
}
