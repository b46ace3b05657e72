import type { Random } from '../../tensor/random.js';
import type { BreastCase } from './breastCase.js';
import type { Tissue } from './breastTissue.js';
import { drawField, gaussianBlur, noiseField } from './noise.js';

/** Median stiffness of the layers, kPa, in the order of `layerNames`. */
const layerKpa = [15, 8, 14, 9, 22, 22, 22];
/** Top of the colour scale, kPa: a shear-wave speed of 7.7 m/s, as E = 3ρc². */
const colourScaleKpa = 180;

/** What the scanner measured, size × size. */
export interface Elasticity {
  /** Young's modulus, kPa; meaningful inside the colour box. */
  readonly kpa: Float32Array;
  /** How much of a measurement there is: 0 in a void and outside the colour box, 1 where the colours are shown. */
  readonly shown: Float32Array;
}

/** ln of the stiffness in kPa, as it is before any measurement. */
function drawStiffness(random: Random, breast: BreastCase, tissue: Tissue): Float32Array {
  const { stiffness, view } = breast;
  const { layer, distance, size, pixel } = tissue;
  const side = view.fieldOfView;
  const field = noiseField(random, { width: side, height: side, cellX: 3, cellY: 3, octaves: 2 });
  const texture = drawField(field, size, pixel);
  const normal = layerKpa.map((kpa) => Math.log(kpa * stiffness.patientScale));
  return Float32Array.from(layer, (k, at) => {
    const d = distance[at]!;
    const around = normal[k]! + 0.15 * texture[at]!;
    if (d > 8) return around;
    const { core, rim } = stiffness;
    const level = stiffness.lesion * (core + (rim - core) * Math.exp(-(((d - 0.3) / 1.6) ** 2)));
    const inside = Math.log(level) + stiffness.heterogeneity * texture[at]!;
    const share = 1 / (1 + Math.exp((d - stiffness.growth) / 0.4));
    return around + share * (inside - around);
  });
}

/** The scanner's measurement: its resolution, noise, artefacts, and the places where it finds no shear wave. */
export function measureStiffness(
  random: Random,
  breast: BreastCase,
  tissue: Tissue,
  difficulty: number,
): Elasticity {
  const { elastogram, stiffness, view, signs } = breast;
  const { size, pixel, distance, shadow } = tissue;
  const extent = { width: view.fieldOfView, height: view.fieldOfView };
  const noise = drawField(noiseField(random, { ...extent, cellX: 1, cellY: 1 }), size, pixel);
  const gaps = drawField(noiseField(random, { ...extent, cellX: 1.6, cellY: 1.6, octaves: 2 }), size, pixel);

  const actual = drawStiffness(random, breast, tissue);
  const sigma = elastogram.resolution / 2.355 / pixel;
  const kpa = gaussianBlur(actual, size, size, sigma, sigma);
  const shown = new Float32Array(size * size);
  const { left, right, top, bottom } = elastogram.box;
  for (let i = 0; i < size; i += 1) {
    const y = (i + 0.5) * pixel;
    if (y < top || y > bottom) continue;
    const pressed = Math.log(elastogram.precompression) / (1 + Math.exp((y - 4) / 0.6));
    const penetration = Math.exp(-Math.max(0, y - 26) / 8);
    for (let j = 0; j < size; j += 1) {
      const x = (j + 0.5) * pixel;
      if (x < left || x > right) continue;
      const at = i * size + j;
      let stripe = 0;
      for (const push of elastogram.stripes) stripe += 0.35 * Math.exp(-(((x - push) / 0.8) ** 2));
      kpa[at] = Math.exp(kpa[at]! + pressed + stripe + 0.1 * difficulty * noise[at]!);
      // Push and tracking beams both weaken: half the shadow's dB in amplitude; 0.35 is where trackers give up.
      const silent = signs.cyst && stiffness.silentCyst && distance[at]! < -0.3;
      const confidence = silent
        ? 0
        : penetration *
          Math.exp((Math.LN10 / 40) * Math.min(0, shadow[at]!)) *
          (1 + 0.25 * Math.max(-2, gaps[at]!));
      shown[at] = Math.max(0, Math.min(1, (confidence - 0.32) / 0.06));
    }
  }
  return { kpa, shown };
}

/** Steps of the palette over the colour scale. */
const paletteSteps = 1024;
/** Jet, blue for soft to red for stiff: (r, g, b) = clip(1.5 − |4t − (3, 2, 1)|, 0, 1), t = E / scale. */
const jet = Float64Array.from({ length: 3 * (paletteSteps + 1) }, (_, i) => {
  const t = Math.floor(i / 3) / paletteSteps;
  return Math.max(0, Math.min(1, 1.5 - Math.abs(4 * t - [3, 2, 1][i % 3]!)));
});

/** The elastogram's RGB pixels: over a B-mode image as on the screen, or alone on black. */
export function drawElastogram(
  { kpa, shown }: Elasticity,
  underlay?: { gray: Uint8Array; opacity: number },
): Uint8Array<ArrayBuffer> {
  const rgb = new Uint8Array(3 * kpa.length);
  for (let at = 0; at < kpa.length; at += 1) {
    const below = underlay ? underlay.gray[at]! / 255 : 0;
    const opacity = (underlay?.opacity ?? 1) * shown[at]!;
    const step =
      opacity > 0 ? Math.round((Math.min(colourScaleKpa, kpa[at]!) / colourScaleKpa) * paletteSteps) : 0;
    for (let c = 0; c < 3; c += 1) {
      rgb[3 * at + c] = Math.round(255 * ((1 - opacity) * below + opacity * jet[3 * step + c]!));
    }
  }
  return rgb;
}
