/** Smooth random fields and curves laid out in mm, so that the same anatomy can be drawn at any image size. */
import type { Random } from '../tensor/random.js';

/** One octave of a field: unit normals on a lattice of `cellX` × `cellY` mm, joined by uniform cubic B-splines. */
interface Octave {
  readonly lattice: Float32Array;
  readonly columns: number;
  readonly cellX: number;
  readonly cellY: number;
  readonly amplitude: number;
}

/** A stationary Gaussian field of zero mean and unit variance over [0, width] × [0, height] mm. */
export interface NoiseField {
  readonly octaves: readonly Octave[];
}

export interface NoiseOptions {
  /** The extent to be covered, in mm. */
  width: number;
  height: number;
  /** The lattice spacing of the coarsest octave, in mm. Features are about twice as large. */
  cellX: number;
  cellY: number;
  /**
   * The number of octaves. Each halves the spacing and multiplies the amplitude by `gain` (fractional Brownian
   * motion).
   */
  octaves?: number;
  gain?: number;
}

/**
 * The mean of Σ wᵢ² over a cell for the four cubic B-spline weights, which is the variance left of a unit normal
 * along one axis.
 */
const splineVariance = 151 / 315;

export function noiseField(
  random: Random,
  { width, height, cellX, cellY, octaves = 1, gain = 0.5 }: NoiseOptions,
): NoiseField {
  let power = 0;
  for (let o = 0; o < octaves; o += 1) power += gain ** (2 * o);
  const unit = 1 / (splineVariance * Math.sqrt(power));
  return {
    octaves: Array.from({ length: octaves }, (_, o): Octave => {
      const spacingX = cellX / 2 ** o;
      const spacingY = cellY / 2 ** o;
      const columns = Math.ceil(width / spacingX) + 4;
      const rows = Math.ceil(height / spacingY) + 4;
      const lattice = Float32Array.from({ length: columns * rows }, () => random.normal());
      return { lattice, columns, cellX: spacingX, cellY: spacingY, amplitude: unit * gain ** o };
    }),
  };
}

/** Draws the values at the pixel centres of a size × size image whose pixels have a side of `pixel` mm. */
export function drawField(field: NoiseField, size: number, pixel: number): Float32Array {
  const out = new Float32Array(size * size);
  for (const { lattice, columns, cellX, cellY, amplitude } of field.octaves) {
    const across = splineWeights(size, pixel / cellX);
    const down = splineWeights(size, pixel / cellY);
    const row = new Float64Array(columns);
    for (let i = 0; i < size; i += 1) {
      const [v0, v1, v2, v3] = weightsAt(down.weights, i);
      const top = down.cells[i]! * columns;
      for (let c = 0; c < columns; c += 1) {
        const at = top + c;
        row[c] =
          amplitude *
          (v0 * lattice[at]! +
            v1 * lattice[at + columns]! +
            v2 * lattice[at + 2 * columns]! +
            v3 * lattice[at + 3 * columns]!);
      }
      const { cells, weights } = across;
      for (let j = 0, w = 0, k = i * size; j < size; j += 1, w += 4, k += 1) {
        const c = cells[j]!;
        out[k]! +=
          weights[w]! * row[c]! +
          weights[w + 1]! * row[c + 1]! +
          weights[w + 2]! * row[c + 2]! +
          weights[w + 3]! * row[c + 3]!;
      }
    }
  }
  return out;
}

/** A random curve of zero mean and unit variance over [0, length] mm, with B-spline octaves as in a field. */
export interface NoiseCurve {
  readonly octaves: readonly { knots: Float32Array; spacing: number; amplitude: number }[];
}

export interface CurveOptions {
  /** The length to be covered, in mm. */
  length: number;
  /** The distance between the knots of the coarsest octave, in mm. */
  spacing: number;
  octaves?: number;
  gain?: number;
}

export function noiseCurve(
  random: Random,
  { length, spacing, octaves = 1, gain = 0.5 }: CurveOptions,
): NoiseCurve {
  let power = 0;
  for (let o = 0; o < octaves; o += 1) power += gain ** (2 * o);
  const unit = 1 / Math.sqrt(splineVariance * power);
  return {
    octaves: Array.from({ length: octaves }, (_, o) => {
      const step = spacing / 2 ** o;
      const knots = Float32Array.from({ length: Math.ceil(length / step) + 4 }, () => random.normal());
      return { knots, spacing: step, amplitude: unit * gain ** o };
    }),
  };
}

/** Draws the values at the centres of `size` pixels of `pixel` mm. */
export function drawCurve(curve: NoiseCurve, size: number, pixel: number): Float32Array {
  const out = new Float32Array(size);
  for (const { knots, spacing, amplitude } of curve.octaves) {
    const { cells, weights } = splineWeights(size, pixel / spacing);
    for (let j = 0; j < size; j += 1) {
      const c = cells[j]!;
      const [w0, w1, w2, w3] = weightsAt(weights, j);
      out[j]! += amplitude * (w0 * knots[c]! + w1 * knots[c + 1]! + w2 * knots[c + 2]! + w3 * knots[c + 3]!);
    }
  }
  return out;
}

/**
 * Computes, for each pixel centre, the first of its four knots and the four cubic B-spline weights.
 *
 * @param step cells per pixel
 */
function splineWeights(size: number, step: number): { cells: Int32Array; weights: Float64Array } {
  const cells = new Int32Array(size);
  const weights = new Float64Array(4 * size);
  for (let j = 0; j < size; j += 1) {
    const position = (j + 0.5) * step;
    const cell = Math.floor(position);
    const t = position - cell;
    const s = 1 - t;
    cells[j] = cell;
    weights[4 * j] = (s * s * s) / 6;
    weights[4 * j + 1] = (4 - 6 * t * t + 3 * t * t * t) / 6;
    weights[4 * j + 2] = (4 - 6 * s * s + 3 * s * s * s) / 6;
    weights[4 * j + 3] = (t * t * t) / 6;
  }
  return { cells, weights };
}

function weightsAt(weights: Float64Array, j: number): [number, number, number, number] {
  return [weights[4 * j]!, weights[4 * j + 1]!, weights[4 * j + 2]!, weights[4 * j + 3]!];
}
