/**
 * Computes what a fluorescein angiogram might look like from a colour fundus photograph alone. No label is used, and
 * nothing is known of filling or leakage, so it can show no more than the photograph does. Wherever such images
 * appear they must be called simulated.
 *
 * Vessels come out bright, by a multi-scale ridge measure (Frangi et al. 1998) on the green channel over its local
 * mean. Disc and atrophy come out bright, as they are bright and pale in the photograph; the choroid shows faintly,
 * from the red channel. The fovea comes out dark where it is found: it is the darkest smooth place at a fovea's
 * distance from the disc.
 */
import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import { resizeValues } from '../../data/images/resize.js';
import type { Raster } from '../../data/sample.js';
import { Random } from '../../tensor/random.js';

/** The version of the pixels. Keys of simulated angiograms contain it, and it is raised whenever a pixel changes. */
export const simulatedAngiographyVersion = 1;

/** The widths of ridges, in pixels of a photograph whose shorter side has `referenceSide`. */
const vesselScales = [1, 1.5, 2.2, 3.2];
const referenceSide = 384;
/** Standard deviations as shares of the shorter side. */
const illuminationScale = 0.065;
const foveaScale = 0.07;
/** The distances between disc and fovea in a photograph of 45 to 50 degrees, as shares of the shorter side. */
const nearestFovea = 0.26;
const farthestFovea = 0.48;

/**
 * Simulates the angiogram of one photograph.
 *
 * @param photograph a colour photograph, with a dark surround or none
 * @param key the key of the noise, such as (seed, sample id)
 * @returns a gray image of the photograph's size, black where the photograph is black
 */
export function simulateAngiogram(photograph: Raster, ...key: readonly (string | number)[]): Raster {
  const { width, height } = photograph;
  const side = Math.min(width, height);
  const { red, green, aperture } = channelsOf(photograph);
  const smooth: Smooth = (image, sigma) => blur(image, width, height, sigma);
  const flat = overLocalMean(green, aperture, illuminationScale * side, smooth);
  const flatRed = overLocalMean(red, aperture, illuminationScale * side, smooth);
  // Retinal vessels are dark and redder than their surroundings. The choroid's are only redder; the places between
  // them only dark.
  const absorbing = flat.map((value, at) => Math.max(value, value / Math.max(0.2, flatRed[at]!)));
  const vessels = vesselness(absorbing, aperture, width, height);
  const pale = paleness(red, green, aperture);
  const choroid = bandOf(flatRed, side, smooth);
  const fovea = findFovea({ flat, vessels, pale, aperture, width, height }, smooth);
  const random = new Random(...key, 'simulated angiography', simulatedAngiographyVersion);
  const shade = smooth(aperture, 0.05 * side);
  const out = new Uint8Array(width * height);
  const reach = (foveaScale * side) ** 2;
  for (let at = 0; at < out.length; at += 1) {
    const noise = 0.02 * random.normal();
    const dx = (at % width) - fovea.x;
    const dy = Math.floor(at / width) - fovea.y;
    const dark = Math.exp(-(dx * dx + dy * dy) / reach);
    const background = (0.17 + 0.25 * choroid[at]!) * (1 - 0.75 * dark) + 0.4 * pale[at]!;
    const lit = background + 0.65 * vessels[at]! * (1 - 0.5 * pale[at]!);
    out[at] = Math.round(255 * clamp(aperture[at]! * ((0.5 + 0.5 * shade[at]!) * lit + noise)));
  }
  return { width, height, channels: 1, data: out };
}

interface Channels {
  readonly red: Float32Array;
  readonly green: Float32Array;
  /** The camera's field: 1 within it, 0 in the dark surround. */
  readonly aperture: Float32Array;
}

function channelsOf({ width, height, channels, data }: Raster): Channels {
  const count = width * height;
  const plane = (c: number) =>
    Float32Array.from({ length: count }, (_, at) => data[at * channels + Math.min(c, channels - 1)]! / 255);
  const [red, green] = [plane(0), plane(1)];
  // The image is smoothed first, so that dark vessels near the edge stay inside.
  const sigma = Math.min(width, height) / 150;
  const brightness = gaussianBlur(
    red.map((r, at) => Math.max(r, green[at]!)),
    width,
    height,
    sigma,
    sigma,
  );
  return { red, green, aperture: brightness.map((value) => (value > 0.045 ? 1 : 0)) };
}

type Smooth = (image: Float32Array, sigma: number) => Float32Array;

/** Blurs by a Gaussian. A broad one is made on a smaller image, where it costs little. */
function blur(image: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const factor = Math.floor(sigma / 4);
  if (factor < 2) return gaussianBlur(image, width, height, sigma, sigma);
  const small = { width: Math.ceil(width / factor), height: Math.ceil(height / factor), channels: 1 };
  const full = { width, height, channels: 1 };
  const shrunken = Float32Array.from(resizeValues(image, full, small.width, small.height));
  const blurred = gaussianBlur(
    shrunken,
    small.width,
    small.height,
    (sigma * small.width) / width,
    (sigma * small.height) / height,
  );
  return Float32Array.from(resizeValues(blurred, small, width, height));
}

/** Divides an image by its Gaussian-weighted mean within the aperture; gives 1 outside. */
function overLocalMean(
  image: Float32Array,
  aperture: Float32Array,
  sigma: number,
  smooth: Smooth,
): Float32Array {
  const sum = smooth(
    image.map((value, at) => value * aperture[at]!),
    sigma,
  );
  const weight = smooth(aperture, sigma);
  return image.map((value, at) =>
    aperture[at] === 0 ? 1 : (value * weight[at]!) / Math.max(1e-3, sum[at]!),
  );
}

/** Measures dark ridges of `flat` over all scales, 0 … 1. */
function vesselness(flat: Float32Array, aperture: Float32Array, width: number, height: number): Float32Array {
  const unit = Math.min(width, height) / referenceSide;
  const out = new Float32Array(flat.length);
  // The edge of the aperture is a ridge, but no vessel.
  const inside = gaussianBlur(aperture, width, height, 3 * unit, 3 * unit);
  for (const scale of vesselScales) {
    const sigma = scale * unit;
    const image = gaussianBlur(flat, width, height, sigma, sigma);
    const strength = new Float32Array(flat.length);
    const directionX = new Float32Array(flat.length);
    const directionY = new Float32Array(flat.length);
    for (let i = 1; i < height - 1; i += 1) {
      for (let j = 1; j < width - 1; j += 1) {
        const at = i * width + j;
        if (inside[at]! < 0.99) continue;
        const centre = image[at]!;
        const xx = image[at - 1]! - 2 * centre + image[at + 1]!;
        const yy = image[at - width]! - 2 * centre + image[at + width]!;
        const diagonals =
          image[at - width - 1]! - image[at - width + 1]! - image[at + width - 1]! + image[at + width + 1]!;
        const xy = diagonals / 4;
        const root = Math.sqrt(((xx - yy) / 2) ** 2 + xy * xy);
        const across = (xx + yy) / 2 + root; // the larger curvature: positive across a dark line
        if (across <= 0) continue;
        const blob = ((xx + yy) / 2 - root) / across;
        strength[at] = sigma * sigma * across * Math.exp(-2 * blob * blob);
        // The direction along the line is the eigenvector of the smaller curvature.
        const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
        directionX[at] = -Math.sin(angle);
        directionY[at] = Math.cos(angle);
      }
    }
    const lines = alongLines({ strength, directionX, directionY, width, height }, 5 * unit);
    // A vessel is told by the image's own contrast, and where lines crowd by theirs, as those are the choroid.
    const half = Math.max(0.01, quantile(lines, 0.95));
    const crowded = blur(lines, width, height, 16 * unit);
    for (let at = 0; at < out.length; at += 1) {
      const value = 1 - Math.exp(-0.7 * (lines[at]! / Math.max(half, 4.2 * crowded[at]!)) ** 3);
      if (value > out[at]!) out[at] = value;
    }
  }
  return gaussianBlur(out, width, height, 0.5 * unit, 0.5 * unit);
}

interface Ridges {
  readonly strength: Float32Array;
  readonly directionX: Float32Array;
  readonly directionY: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** Averages the strength along its own direction, over pixels that run the same way. Lines stay, and specks fade. */
function alongLines(
  { strength, directionX, directionY, width, height }: Ridges,
  reach: number,
): Float32Array {
  const steps = 4;
  const out = new Float32Array(strength.length);
  for (let at = 0; at < out.length; at += 1) {
    if (strength[at] === 0) continue;
    const [ux, uy] = [directionX[at]!, directionY[at]!];
    const [x, y] = [at % width, Math.floor(at / width)];
    let sum = strength[at]!;
    for (let k = -steps; k <= steps; k += 1) {
      const u = Math.round(x + (k * reach * ux) / steps);
      const v = Math.round(y + (k * reach * uy) / steps);
      if (k === 0 || u < 0 || v < 0 || u >= width || v >= height) continue;
      const met = v * width + u;
      const alignment = (ux * directionX[met]! + uy * directionY[met]!) ** 2;
      sum += strength[met]! * alignment * alignment;
    }
    out[at] = sum / (2 * steps + 1);
  }
  return out;
}

/** Measures, 0 … 1, what is as bright and pale as sclera or the disc's cup, relative to the photograph's own fundus. */
function paleness(red: Float32Array, green: Float32Array, aperture: Float32Array): Float32Array {
  const within = (values: Float32Array) => values.filter((_, at) => aperture[at]! > 0);
  const typicalGreen = Math.max(0.02, quantile(within(green), 0.5));
  const ratios = green.map((value, at) => value / Math.max(0.05, red[at]!));
  const typicalRatio = quantile(within(ratios), 0.5);
  return green.map((value, at) => {
    const bright = ramp(value / typicalGreen, 1.5, 2.6);
    const white = ramp(ratios[at]! / typicalRatio, 1.02, 1.35);
    return aperture[at]! * bright * white;
  });
}

/** Filters the texture of a middle scale, about −1 … 1, which is that of the choroid's vessels. */
function bandOf(image: Float32Array, side: number, smooth: Smooth): Float32Array {
  const fine = smooth(image, side / 300);
  const coarse = smooth(image, side / 40);
  return fine.map((value, at) => Math.max(-0.5, Math.min(1, 2.5 * (value - coarse[at]!))));
}

interface Found {
  readonly flat: Float32Array;
  readonly vessels: Float32Array;
  readonly pale: Float32Array;
  readonly aperture: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** Finds the darkest place without vessels at a fovea's distance from the disc, at about its height. */
function findFovea(
  { flat, vessels, pale, aperture, width, height }: Found,
  smooth: Smooth,
): { x: number; y: number } {
  const side = Math.min(width, height);
  const disc = brightestPlace(
    smooth(
      pale.map((value, at) => value * flat[at]!),
      0.03 * side,
    ),
    width,
  );
  // The local mean of `flat` is 1 at the scale of the illumination, which is also that of the macula. Darkness shows
  // between scales.
  const darkness = smooth(flat, 0.025 * side);
  const busy = smooth(vessels, 0.03 * side);
  const best = { x: width / 2, y: height / 2, score: Number.NEGATIVE_INFINITY };
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const at = y * width + x;
      const [dx, dy] = [(x - disc.x) / side, (y - disc.y) / side];
      const distance = Math.hypot(dx, dy);
      if (aperture[at] === 0 || distance < nearestFovea || distance > farthestFovea) continue;
      if (Math.abs(dy) > 0.14) continue;
      const unlikely = ((distance - 0.36) / 0.1) ** 2 + (dy / 0.12) ** 2;
      const outward = Math.hypot(x - width / 2, y - height / 2) / side;
      const score = -darkness[at]! - 0.35 * busy[at]! - 0.04 * unlikely - 0.3 * outward ** 2;
      if (score > best.score) Object.assign(best, { x, y, score });
    }
  }
  return best;
}

function brightestPlace(image: Float32Array, width: number): { x: number; y: number } {
  let best = 0;
  for (let at = 0; at < image.length; at += 1) if (image[at]! > image[best]!) best = at;
  return { x: best % width, y: Math.floor(best / width) };
}

/** Finds the value below which a share `q` of the values lies. */
function quantile(values: Float32Array, q: number): number {
  if (values.length === 0) return 0;
  return values.slice().sort()[Math.min(values.length - 1, Math.floor(q * values.length))]!;
}

/** Rises straight from 0 at `low` to 1 at `high`. */
function ramp(value: number, low: number, high: number): number {
  return clamp((value - low) / (high - low));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
