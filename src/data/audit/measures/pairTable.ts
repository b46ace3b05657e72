import type { LeveledImage } from '../../align/grayImage.js';
import { measurePair } from '../../align/measurePair.js';
import { type Orientation, OTHER_ORIENTATIONS, REFERENCE_SIDE, referenceExtent } from '../../align/search.js';
import { type Motion, meanDistance, motionOf, similarity } from '../../align/transformation.js';
import type { Picture } from './picture.js';

/** The correlation of gray values from which two mates are one image (or its negative) that was saved twice. */
const SAME = 0.995;
/**
 * The gain of mutual information, as a ratio and in nats, from which a motion counts. Both are calibrated on
 * aligned pairs.
 */
const CLEAR_GAIN = 1.08;
const LEAST_GAIN = 0.01;
/**
 * The mean displacement, as a share of the longer side, below which it is chance. Less than one pixel is rounding, and
 * so is what is not three times the uncertainty.
 */
export const NOTABLE = 0.012;
/** The share by which the shapes of mates may differ before they cannot lie on one pixel grid. */
const SHAPE_TOLERANCE = 0.02;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Tells whether width and height are in the same proportion. */
export function sameShape(a: Size, b: Size): boolean {
  return Math.abs(Math.log((a.width * b.height) / (a.height * b.width))) <= SHAPE_TOLERANCE;
}

/** The measures of one modality's images against another's, kept while a data set passes by. */
export class PairTable {
  /** The shift of `b` against `a`, in pixels of the image of `b`; NaN where it was not measured. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** The turn in degrees, clockwise, and the factor of lengths of `b` against `a`. */
  readonly degrees: Float32Array;
  readonly scale: Float32Array;
  /** How far the places of the whole image are moved in the mean, beyond the orientation, in pixels of `b`. */
  readonly displacement: Float32Array;
  /** How far two measures miss each other, in pixels of `b`. */
  readonly uncertainty: Float32Array;
  /** 1 where the pair lies upright, and the motion is large enough and clear. */
  readonly misaligned: Uint8Array;
  /** The orientation: 0 upright, else one more than its place in `OTHER_ORIENTATIONS`. */
  readonly orientation: Uint8Array;
  /** The factor of information by which the measured place is better than the images as they lie. */
  readonly gain: Float32Array;
  /** The likeliest orientation, counted alike, and a bit for each other one that is likelier than upright, by any margin. */
  readonly likeliest: Uint8Array;
  readonly likelier: Uint8Array;
  /** 1 or −1 where the mates are the same image or its negative. */
  readonly same: Int8Array;

  constructor(count: number) {
    const unknown = () => new Float32Array(count).fill(Number.NaN);
    this.x = unknown();
    this.y = unknown();
    this.degrees = unknown();
    this.scale = unknown();
    this.displacement = unknown();
    this.uncertainty = unknown();
    this.gain = unknown();
    this.misaligned = new Uint8Array(count);
    this.orientation = new Uint8Array(count);
    this.likeliest = new Uint8Array(count);
    this.likelier = new Uint8Array(count);
    this.same = new Int8Array(count);
  }

  /** @param levels gives what the place of `b` is measured by, which takes some milliseconds; absent: it is not */
  set(
    position: number,
    a: Picture,
    b: Picture,
    levels?: () => readonly [a: LeveledImage, b: LeveledImage],
  ): void {
    const correlated = correlation(a.gray, b.gray);
    this.same[position] = correlated >= SAME ? 1 : correlated <= -SAME ? -1 : 0;
    if (levels === undefined || this.same[position] !== 0 || !sameShape(a, b)) return;
    const extent = referenceExtent(a);
    const { orientation, transformation, here, there, inconsistency, likelier } = measurePair(
      ...levels(),
      extent,
    );
    const { right, down, degrees, scale } = motionOf(transformation, extent);
    const pixels = b.width / extent.width;
    const moved = meanDistance(transformation, similarity(orientation, extent), extent);
    this.x[position] = right * pixels;
    this.y[position] = down * pixels;
    this.degrees[position] = degrees;
    this.scale[position] = scale;
    this.displacement[position] = moved * pixels;
    this.uncertainty[position] = inconsistency * pixels;
    this.gain[position] = there.information / here.information;
    this.orientation[position] = numberOf(orientation);
    for (const one of likelier) this.likelier[position]! |= 1 << (numberOf(one) - 1);
    this.likeliest[position] = likelier.length === 0 ? 0 : numberOf(likelier[0]!);
    const gained = there.information - here.information;
    const clear = there.information >= CLEAR_GAIN * here.information && gained >= LEAST_GAIN;
    const far = moved >= NOTABLE * REFERENCE_SIDE && moved * pixels >= 1 && moved > 3 * inconsistency;
    this.misaligned[position] = Number(this.orientation[position] === 0 && clear && far);
  }

  /** The positions of the pairs whose place was measured. */
  measured(): number[] {
    return [...this.x.keys()].filter((position) => !Number.isNaN(this.x[position]!));
  }

  /** The motion of `b` against `a` in a measured pair, in pixels of the image of `b`. */
  motionAt(position: number): Motion {
    return {
      right: this.x[position]!,
      down: this.y[position]!,
      degrees: this.degrees[position]!,
      scale: this.scale[position]!,
      mirrored: OTHER_ORIENTATIONS[this.orientation[position]! - 1]?.mirrored ?? false,
    };
  }
}

/** The number of an orientation: 0 upright, else one more than its place in `OTHER_ORIENTATIONS`. */
function numberOf(orientation: Orientation): number {
  return OTHER_ORIENTATIONS.indexOf(orientation) + 1;
}

function correlation(a: Float32Array, b: Float32Array): number {
  let [sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const [left, right] = [a[i]!, b[i]!];
    sumA += left;
    sumB += right;
    squaresA += left * left;
    squaresB += right * right;
    products += left * right;
  }
  const covariance = products - (sumA * sumB) / a.length;
  const spread = Math.sqrt((squaresA - sumA ** 2 / a.length) * (squaresB - sumB ** 2 / a.length));
  return spread > 0 ? covariance / spread : 0;
}
