/** Brings two modalities to what they can share: edges and texture, without brightness, shading and dark surroundings. */
import { gaussianBlur } from '../images/gaussianBlur.js';
import { resizeValues } from '../images/resize.js';
import type { Raster } from '../sample.js';

/** The share of the brightest gray level up to which a pixel at the border is background. */
const DARK = 0.08;
/** The standard deviation of the surroundings of a pixel, as a share of the longer side. */
const SURROUNDINGS = 12 / 224;
/** The gray levels that are added to the contrast of the surroundings, so that noise is not blown up. */
const NOISE = 4;
/** The gray levels of one deviation, about a middle gray of 128. */
const LEVELS = 45;

/**
 * Subtracts from each pixel of a gray image the mean of its surroundings, and divides by their deviation.
 *
 * The shading of a lens and the edge of its aperture stand still while the patient moves. In fundus photographs and
 * angiograms they hold more information than the vessels, and a registration that saw them would leave every pair
 * as it lies. So dark surroundings are filled with a smooth continuation of what they surround before.
 */
export function localContrast(image: Raster): Raster {
  const { width, height } = image;
  const filled = fillBackground(image);
  const sigma = SURROUNDINGS * Math.max(width, height);
  const mean = gaussianBlur(filled, width, height, sigma, sigma);
  const difference = filled.map((value, i) => value - mean[i]!);
  const variance = gaussianBlur(
    difference.map((value) => value * value),
    width,
    height,
    sigma,
    sigma,
  );
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i += 1) {
    const deviations = difference[i]! / (Math.sqrt(Math.max(0, variance[i]!)) + NOISE);
    data[i] = Math.min(255, Math.max(0, Math.round(128 + LEVELS * deviations)));
  }
  return { width, height, channels: 1, data };
}

function fillBackground(image: Raster): Float32Array {
  const { width, height, data } = image;
  const background = surroundings(image);
  if (!background.includes(1) || !background.includes(0)) return Float32Array.from(data);
  const known = Float64Array.from(background, (outside) => 1 - outside);
  return Float32Array.from(continued(Float64Array.from(data), known, { width, height }));
}

/** Marks the dark pixels that are joined to the border. */
function surroundings({ width, height, data }: Raster): Uint8Array {
  const dark = DARK * data.reduce((most, value) => Math.max(most, value), 0);
  const marked = new Uint8Array(width * height);
  const waiting: number[] = [];
  const visit = (x: number, y: number) => {
    const at = y * width + x;
    if (x < 0 || y < 0 || x >= width || y >= height || marked[at] === 1 || data[at]! > dark) return;
    marked[at] = 1;
    waiting.push(at);
  };
  for (let x = 0; x < width; x += 1) for (const y of [0, height - 1]) visit(x, y);
  for (let y = 0; y < height; y += 1) for (const x of [0, width - 1]) visit(x, y);
  while (waiting.length > 0) {
    const at = waiting.pop()!;
    const [x, y] = [at % width, Math.floor(at / width)];
    visit(x - 1, y);
    visit(x + 1, y);
    visit(x, y - 1);
    visit(x, y + 1);
  }
  return marked;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Takes what is not known from the same image at half the size, which is filled in the same way. */
function continued(values: Float64Array, known: Float64Array, size: Size): Float64Array {
  if (known.every((weight) => weight > 0)) return values;
  const half = { width: Math.ceil(size.width / 2), height: Math.ceil(size.height / 2) };
  const shrink = (of: Float64Array) => resizeValues(of, { ...size, channels: 1 }, half.width, half.height);
  const weights = shrink(known);
  const sums = shrink(values.map((value, i) => value * known[i]!));
  const smaller =
    size.width === 1 && size.height === 1
      ? values
      : continued(
          sums.map((sum, i) => (weights[i]! > 0 ? sum / weights[i]! : 0)),
          weights.map((weight) => (weight > 0 ? 1 : 0)),
          half,
        );
  const coarse = resizeValues(smaller, { ...half, channels: 1 }, size.width, size.height);
  return values.map((value, i) => (known[i]! > 0 ? value : coarse[i]!));
}
