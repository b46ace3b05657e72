import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import { drawField, type NoiseField, noiseField } from '../noise.js';
import type { BreastCase } from './breastCase.js';
import type { Tissue } from './breastTissue.js';

/** The median stiffness of the layers in kPa, in the order of `layerNames`. */
const layerKpa = [15, 8, 14, 9, 22, 22, 22];
/** The standard deviation, in mm, of the filter that leaves no specks where the measurement fails. */
const smoothing = 0.36;

/** A scanner's measurement, size × size. */
export interface Measured {
  /** The values, such as Young's modulus in kPa; they have a meaning inside the colour box only. */
  readonly values: Float32Array;
  /** The share of colour that is shown: 0 in a void and outside the colour box, 1 where there is a measurement. */
  readonly shown: Float32Array;
}

/** Draws ln of the stiffness in kPa, as it is before any measurement. */
function drawStiffness(random: Random, breast: BreastCase, tissue: Tissue): Float32Array {
  const { stiffness, view } = breast;
  const { layer, distance, size, pixel } = tissue;
  const side = view.fieldOfView;
  const field = noiseField(random, { width: side, height: side, cellX: 3, cellY: 3, octaves: 2 });
  const texture = drawField(field, size, pixel);
  const normal = layerKpa.map((kpa) => Math.log(kpa * stiffness.patientScale));
  const { core, rim } = stiffness;
  const actual = new Float32Array(size * size);
  for (let at = 0; at < actual.length; at += 1) {
    const d = distance[at]!;
    const around = normal[layer[at]!]! + 0.15 * texture[at]!;
    actual[at] = around;
    // A cyst's fluid may carry no shear wave; then only the tissue around it can be measured.
    if (d > 8 || stiffness.silentCyst) continue;
    const level = stiffness.lesion * (core + (rim - core) * Math.exp(-(((d - 0.3) / 1.6) ** 2)));
    const inside = Math.log(level) + stiffness.heterogeneity * texture[at]!;
    const share = 1 / (1 + Math.exp((d - stiffness.growth) / 0.4));
    actual[at] = around + share * (inside - around);
  }
  return actual;
}

/** Noise, and places where no shear wave is found. They come from the stream before the tissue's stiffness does. */
function artefactFields(random: Random, side: number): { noise: NoiseField; gaps: NoiseField } {
  const extent = { width: side, height: side };
  return {
    noise: noiseField(random, { ...extent, cellX: 1, cellY: 1 }),
    gaps: noiseField(random, { ...extent, cellX: 1.6, cellY: 1.6, octaves: 2 }),
  };
}

/** Draws ln of the stiffness in kPa that \`measureStiffness\` measures with the same stream, before any measurement. */
export function trueStiffness(random: Random, breast: BreastCase, tissue: Tissue): Float32Array {
  artefactFields(random, breast.view.fieldOfView);
  return drawStiffness(random, breast, tissue);
}

/**
 * Measures the stiffness as a scanner does, with its resolution, noise, artefacts, and places where it finds no shear
 * wave.
 */
export function measureStiffness(
  random: Random,
  breast: BreastCase,
  tissue: Tissue,
  difficulty: number,
): Measured {
  const { elastogram, stiffness, view, signs } = breast;
  const { size, pixel, distance, shadow } = tissue;
  const fields = artefactFields(random, view.fieldOfView);
  const noise = drawField(fields.noise, size, pixel);
  const gaps = drawField(fields.gaps, size, pixel);

  const actual = drawStiffness(random, breast, tissue);
  const stripes = Float32Array.from({ length: size }, (_, j) =>
    elastogram.stripes.reduce(
      (sum, push) => sum + 0.35 * Math.exp(-((((j + 0.5) * pixel - push) / 0.8) ** 2)),
      0,
    ),
  );
  const sigma = elastogram.resolution / 2.355 / pixel;
  const kpa = gaussianBlur(actual, size, size, sigma, sigma);
  const confidence = new Float32Array(size * size);
  for (let i = 0; i < size; i += 1) {
    const y = (i + 0.5) * pixel;
    const pressed = Math.log(elastogram.precompression) / (1 + Math.exp((y - 4) / 0.6));
    const penetration = Math.exp(-Math.max(0, y - 26) / 8);
    for (let j = 0; j < size; j += 1) {
      const at = i * size + j;
      kpa[at] = Math.exp(kpa[at]! + pressed + stripes[j]! + 0.1 * difficulty * noise[at]!);
      if (signs.cyst && stiffness.silentCyst && distance[at]! < -0.3) continue;
      // Push and tracking beams both weaken by half the shadow's dB in amplitude; trackers give up at 0.35.
      const beams = Math.exp((Math.LN10 / 40) * Math.min(0, shadow[at]!));
      confidence[at] = penetration * beams * (1 + 0.25 * Math.max(-2, gaps[at]!));
    }
  }
  const smooth = gaussianBlur(confidence, size, size, smoothing / pixel, smoothing / pixel);
  const inBox = (centre: number, low: number, high: number) => centre >= low && centre <= high;
  const { left, right, top, bottom } = elastogram.box;
  const shown = smooth.map((value, at) => {
    const x = ((at % size) + 0.5) * pixel;
    const y = (Math.floor(at / size) + 0.5) * pixel;
    if (!inBox(x, left, right) || !inBox(y, top, bottom)) return 0;
    return Math.max(0, Math.min(1, (value - 0.32) / 0.06));
  });
  return { values: kpa, shown };
}

/** The number of steps of the palette over the colour scale. */
const paletteSteps = 1024;
/** The palette jet, blue for low to red for high values: (r, g, b) = clip(1.5 − |4t − (3, 2, 1)|, 0, 1), t = value / top. */
const jet = Float64Array.from({ length: 3 * (paletteSteps + 1) }, (_, i) => {
  const t = Math.floor(i / 3) / paletteSteps;
  return Math.max(0, Math.min(1, 1.5 - Math.abs(4 * t - [3, 2, 1][i % 3]!)));
});

/** Draws RGB pixels: the colours over a B-mode image as on the screen, or alone on black. @param top the end of the scale */
export function drawColours(
  { values, shown }: Measured,
  top: number,
  underlay?: { gray: Uint8Array; opacity: number },
): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array(3 * values.length);
  for (let at = 0; at < values.length; at += 1) {
    const below = underlay ? underlay.gray[at]! / 255 : 0;
    const opacity = (underlay?.opacity ?? 1) * shown[at]!;
    const step = opacity > 0 ? Math.round(Math.min(1, values[at]! / top) * paletteSteps) : 0;
    for (let c = 0; c < 3; c += 1) {
      rgb[3 * at + c] = Math.round(255 * ((1 - opacity) * below + opacity * jet[3 * step + c]!));
    }
  }
  return rgb;
}

/** Draws gray pixels: 255 at the top of the scale, 0 where nothing was measured. */
export function drawGray({ values, shown }: Measured, top: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values, (value, at) => Math.round(255 * shown[at]! * Math.min(1, value / top)));
}
