import type { Picture } from './picture.js';
import { findShift } from './shift.js';

/** The correlation of gray values from which two mates are one image (or its negative) that was saved twice. */
const SAME = 0.995;
/**
 * The gain of mutual information, as a ratio and in nats, from which a shift counts. Both are calibrated on aligned
 * pairs.
 */
const CLEAR_GAIN = 1.08;
const LEAST_GAIN = 0.01;
/** The shift, as a share of the side, below which it is chance. A shift below one pixel is rounding. */
const NOTABLE = 0.012;
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
  /** 1 where the shift is large enough and clear. */
  readonly shifted: Uint8Array;
  /** 1 or −1 where the mates are the same image or its negative. */
  readonly same: Int8Array;

  constructor(count: number) {
    this.x = new Float32Array(count).fill(Number.NaN);
    this.y = new Float32Array(count).fill(Number.NaN);
    this.shifted = new Uint8Array(count);
    this.same = new Int8Array(count);
  }

  /** @param measure whether to measure the shift too, which takes a millisecond or two */
  set(position: number, a: Picture, b: Picture, measure: boolean): void {
    const correlated = correlation(a.gray, b.gray);
    this.same[position] = correlated >= SAME ? 1 : correlated <= -SAME ? -1 : 0;
    if (!measure || this.same[position] !== 0 || !sameShape(a, b)) return;
    const { x, y, here, best } = findShift(a.gray, b.gray);
    this.x[position] = x * b.width;
    this.y[position] = y * b.height;
    const clear = best >= CLEAR_GAIN * here && best - here >= LEAST_GAIN;
    const pixels = Math.hypot(this.x[position]!, this.y[position]!);
    this.shifted[position] = Number(clear && Math.hypot(x, y) >= NOTABLE && pixels >= 1);
  }
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
