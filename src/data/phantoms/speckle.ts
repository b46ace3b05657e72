import type { Random } from '../../tensor/random.js';
import { gaussianKernel } from './noise.js';

/**
 * Ultrasound speckle without simulating waves: complex circular Gaussian scatterers, blurred by a Gaussian point spread in
 * the complex baseband, which equals convolving the radio-frequency signal and demodulating it. The envelope of fully
 * developed speckle is Rayleigh: mean / std = 1.91 (PMC4916161). Where fewer than about ten scatterers share a resolution
 * cell the envelope is K-distributed and coarser, as in fat (about 1.5).
 */
export interface SpeckleOptions {
  /** Mean squared echo of each pixel, 1 for the gland; size × size. */
  strength: Float32Array;
  size: number;
  /** mm */
  pixel: number;
  /** Transmit focus, mm: laterally the point spread is narrowest there. */
  focus: number;
  /** Pixels with few scatterers: non-zero there. */
  sparse?: Uint8Array;
  /** Single bright reflectors, mm; `db` is the peak over the gland's root-mean-square envelope. */
  reflectors?: readonly { x: number; y: number; db: number }[];
}

/** Rows of the axial grid in each pixel. */
export const axialOversampling = 2;
/** Axial standard deviation of the point spread, mm: 0.22 mm at half maximum. */
const axialSigma = 0.095;
/** Scatterers per mm² where they are sparse. */
const sparseDensity = 15;

const phaseSteps = 4096;
const cosines = Float64Array.from({ length: phaseSteps }, (_, i) => Math.cos((2 * Math.PI * i) / phaseSteps));
const sines = Float64Array.from({ length: phaseSteps }, (_, i) => Math.sin((2 * Math.PI * i) / phaseSteps));

/** Squared envelope on a grid of size columns and `axialOversampling`·size rows; its mean is the pixel's strength. */
export function specklePower(random: Random, options: SpeckleOptions): Float32Array {
  const { strength, size, pixel, focus, sparse, reflectors = [] } = options;
  const rows = axialOversampling * size;
  const real = new Float32Array(rows * size);
  const imaginary = new Float32Array(rows * size);
  const kept = Math.min(1, (sparseDensity * pixel * pixel) / axialOversampling);
  const keptBelow = kept * 4096;
  for (let at = 0; at < strength.length; at += 1) {
    const power = strength[at]!;
    const thin = sparse !== undefined && sparse[at] !== 0;
    const row = axialOversampling * Math.floor(at / size);
    for (let a = 0; a < axialOversampling; a += 1) {
      // −strength · ln u is the squared magnitude of a complex normal; one further number gives its phase and whether it is kept.
      const u = (random.uint32() + 0.5) / 4294967296;
      const bits = random.uint32();
      if (thin && bits >>> 20 >= keptBelow) continue;
      const magnitude = Math.sqrt(-(thin ? power / kept : power) * Math.log(u));
      const to = (row + a) * size + (at % size);
      real[to] = magnitude * cosines[bits & (phaseSteps - 1)]!;
      imaginary[to] = magnitude * sines[bits & (phaseSteps - 1)]!;
    }
  }

  const axial = unitEnergy(gaussianKernel((axialSigma / pixel) * axialOversampling));
  const lateral = (depth: number) => unitEnergy(gaussianKernel(lateralSigma(depth, focus) / pixel));
  for (const { x, y, db } of reflectors) {
    const j = Math.floor(x / pixel);
    const i = Math.floor((y / pixel) * axialOversampling);
    if (i < 0 || j < 0 || i >= rows || j >= size) continue;
    const sideways = lateral(y);
    const peak = axial[(axial.length - 1) / 2]! * sideways[(sideways.length - 1) / 2]!;
    real[i * size + j] = 10 ** (db / 20) / peak;
  }

  const kernels = Array.from({ length: rows }, (_, i) => lateral(((i + 0.5) / axialOversampling) * pixel));
  blurAcross(real, size, kernels);
  blurAcross(imaginary, size, kernels);
  const blurredReal = blurDown(real, size, axial);
  const blurredImaginary = blurDown(imaginary, size, axial);
  for (let at = 0; at < real.length; at += 1) {
    real[at] = blurredReal[at]! ** 2 + blurredImaginary[at]! ** 2;
  }
  return real;
}

/** Lateral standard deviation of the point spread, mm, growing away from the focus. */
function lateralSigma(depth: number, focus: number): number {
  return 0.2 * Math.sqrt(1 + ((depth - focus) / 18) ** 2);
}

/** Independent scatterers keep their power under a kernel whose squares sum to one. */
function unitEnergy(kernel: Float64Array): Float64Array {
  const energy = Math.sqrt(kernel.reduce((sum, w) => sum + w * w, 0));
  return kernel.map((w) => w / energy);
}

/** In place, one kernel a row; scatterers outside the image are taken from the other side, which keeps the statistics. */
function blurAcross(image: Float32Array, width: number, kernels: readonly Float64Array[]): void {
  for (const [i, kernel] of kernels.entries()) {
    const radius = (kernel.length - 1) / 2;
    const padded = new Float64Array(width + 2 * radius);
    const row = image.subarray(i * width, (i + 1) * width);
    padded.set(row, radius);
    padded.set(row.subarray(width - radius), 0);
    padded.set(row.subarray(0, radius), width + radius);
    for (let j = 0; j < width; j += 1) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k += 1) sum += kernel[k]! * padded[j + k]!;
      row[j] = sum;
    }
  }
}

/** Rows outside the image count as silent. */
function blurDown(image: Float32Array, width: number, kernel: Float64Array): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const height = image.length / width;
  const out = new Float32Array(image.length);
  for (let i = 0; i < height; i += 1) {
    const first = Math.max(0, radius - i);
    const last = Math.min(kernel.length - 1, height - 1 - i + radius);
    for (let k = first; k <= last; k += 1) {
      const weight = kernel[k]!;
      const from = (i + k - radius) * width;
      for (let j = 0, to = i * width; j < width; j += 1, to += 1) out[to]! += weight * image[from + j]!;
    }
  }
  return out;
}
