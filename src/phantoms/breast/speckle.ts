import { gaussianKernel } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';

/**
 * The options of ultrasound speckle, which is made without simulating waves: complex circular Gaussian scatterers,
 * blurred by a Gaussian point spread in the complex baseband, which equals convolving the radio-frequency signal and
 * demodulating it. The envelope of fully developed speckle is Rayleigh: mean / std = 1.91 (PMC4916161). Where fewer
 * than about ten scatterers share a resolution cell the envelope is K-distributed and coarser, as in fat (about 1.5).
 * Spatial compounding averages the envelopes of looks from several directions, whose speckle is independent: √looks
 * times the ratio.
 */
export interface SpeckleOptions {
  /** The mean squared echo of each pixel, size × size; 1 for the gland. */
  strength: Float32Array;
  size: number;
  /** The side of a pixel in mm. */
  pixel: number;
  /** The depth of the transmit focus in mm. The lateral point spread is narrowest there. */
  focus: number;
  /** The number of envelopes that are averaged; 1 without compounding. */
  looks?: number;
  /** A map that is non-zero at pixels with few scatterers. */
  sparse?: Uint8Array;
  /** Single bright reflectors, placed in mm; `db` is the peak over the gland's root-mean-square envelope. */
  reflectors?: readonly { x: number; y: number; db: number }[];
}

/** The number of rows of the axial grid in each pixel. */
export const axialOversampling = 2;
/** The axial standard deviation of the point spread in mm: 0.22 mm at half maximum. */
const axialSigma = 0.095;
/** The number of scatterers per mm² where they are sparse. */
const sparseDensity = 15;

/**
 * The bits of the index of a table of quantiles: of the magnitude of a complex normal of unit power, √(−ln u). A
 * table is several times faster than a logarithm.
 */
const magnitudeBits = 14;
const magnitudes = Float64Array.from({ length: 1 << magnitudeBits }, (_, i) =>
  Math.sqrt(-Math.log((i + 0.5) / (1 << magnitudeBits))),
);
const phaseSteps = 4096;
const cosines = Float64Array.from({ length: phaseSteps }, (_, i) => Math.cos((2 * Math.PI * i) / phaseSteps));
const sines = Float64Array.from({ length: phaseSteps }, (_, i) => Math.sin((2 * Math.PI * i) / phaseSteps));

/**
 * Draws the envelope on a grid of size columns and `axialOversampling`·size rows. The mean square of one look is the
 * strength.
 */
export function speckleEnvelope(random: Random, options: SpeckleOptions): Float32Array {
  const { looks = 1, size, pixel, focus } = options;
  const spread = {
    axial: unitEnergy(gaussianKernel((axialSigma / pixel) * axialOversampling)),
    lateral: Array.from({ length: size }, (_, i) =>
      unitEnergy(gaussianKernel(lateralSigma((i + 0.5) * pixel, focus) / pixel)),
    ),
  };
  const envelope = lookEnvelope(random, spread, options);
  for (let look = 1; look < looks; look += 1) {
    const next = lookEnvelope(random, spread, options);
    for (let at = 0; at < envelope.length; at += 1) envelope[at]! += next[at]!;
  }
  return looks === 1 ? envelope : envelope.map((sum) => sum / looks);
}

/**
 * The two factors of the Gaussian point spread: axial in samples of the finer grid, lateral with one kernel for each
 * row of pixels.
 */
interface PointSpread {
  readonly axial: Float64Array;
  readonly lateral: readonly Float64Array[];
}

function lookEnvelope(random: Random, spread: PointSpread, options: SpeckleOptions): Float32Array {
  const { strength, size, pixel, sparse, reflectors = [] } = options;
  const rows = axialOversampling * size;
  const real = new Float32Array(rows * size);
  const imaginary = new Float32Array(rows * size);
  const kept = Math.min(1, (sparseDensity * pixel * pixel) / axialOversampling);
  for (let i = 0, to = 0; i < rows; i += 1) {
    const row = size * Math.floor(i / axialOversampling);
    for (let at = row; at < row + size; at += 1, to += 1) {
      const thin = sparse !== undefined && sparse[at] !== 0;
      if (thin && random.uint32() >= kept * 2 ** 32) continue;
      const bits = random.uint32();
      const amplitude = Math.sqrt(thin ? strength[at]! / kept : strength[at]!);
      const magnitude = amplitude * magnitudes[bits >>> (32 - magnitudeBits)]!;
      real[to] = magnitude * cosines[bits & (phaseSteps - 1)]!;
      imaginary[to] = magnitude * sines[bits & (phaseSteps - 1)]!;
    }
  }
  for (const { x, y, db } of reflectors) {
    const j = Math.floor(x / pixel);
    const i = Math.floor((y / pixel) * axialOversampling);
    if (i < 0 || j < 0 || i >= rows || j >= size) continue;
    const peak = centre(spread.axial) * centre(spread.lateral[Math.floor(i / axialOversampling)]!);
    real[i * size + j] = 10 ** (db / 20) / peak;
  }

  blurAcross(real, imaginary, size, spread.lateral);
  return detect(real, imaginary, size, spread.axial);
}

function centre(kernel: Float64Array): number {
  return kernel[(kernel.length - 1) / 2]!;
}

/** Gives the lateral standard deviation of the point spread in mm, which grows away from the focus. */
function lateralSigma(depth: number, focus: number): number {
  return 0.2 * Math.sqrt(1 + ((depth - focus) / 18) ** 2);
}

/** Scales a kernel so that its squares sum to one. Independent scatterers keep their power under it. */
function unitEnergy(kernel: Float64Array): Float64Array {
  const energy = Math.sqrt(kernel.reduce((sum, w) => sum + w * w, 0));
  return kernel.map((w) => w / energy);
}

/**
 * Blurs across, in place, with one kernel for each row of pixels. Scatterers outside come from the image's other
 * side, which keeps the statistics.
 */
function blurAcross(
  real: Float32Array,
  imaginary: Float32Array,
  width: number,
  kernels: readonly Float64Array[],
): void {
  const widest = Math.max(...kernels.map((kernel) => kernel.length));
  const [re, im] = [new Float64Array(width + widest), new Float64Array(width + widest)];
  for (let row = 0; row < real.length; row += width) {
    const kernel = kernels[Math.floor(row / (axialOversampling * width))]!;
    const radius = (kernel.length - 1) / 2;
    for (let j = 0; j < width; j += 1) {
      re[radius + j] = real[row + j]!;
      im[radius + j] = imaginary[row + j]!;
    }
    for (const padded of [re, im]) {
      padded.copyWithin(0, width, width + radius);
      padded.copyWithin(radius + width, radius, 2 * radius);
    }
    for (let j = 0; j < width; j += 1) {
      let [sumRe, sumIm] = [0, 0];
      for (let k = 0; k < kernel.length; k += 1) {
        sumRe += kernel[k]! * re[j + k]!;
        sumIm += kernel[k]! * im[j + k]!;
      }
      real[row + j] = sumRe;
      imaginary[row + j] = sumIm;
    }
  }
}

/** Applies the axial factor of the point spread and takes the magnitude. Rows outside the image count as silent. */
function detect(
  real: Float32Array,
  imaginary: Float32Array,
  width: number,
  kernel: Float64Array,
): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const height = real.length / width;
  const envelope = new Float32Array(real.length);
  for (let i = 0; i < height; i += 1) {
    const first = Math.max(0, radius - i);
    const last = Math.min(kernel.length - 1, height - 1 - i + radius);
    for (let j = 0; j < width; j += 1) {
      let [re, im] = [0, 0];
      for (let k = first, from = (i + first - radius) * width + j; k <= last; k += 1, from += width) {
        re += kernel[k]! * real[from]!;
        im += kernel[k]! * imaginary[from]!;
      }
      envelope[i * width + j] = Math.sqrt(re * re + im * im);
    }
  }
  return envelope;
}
