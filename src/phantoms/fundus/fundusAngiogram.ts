import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import { clamp, type FundusCase } from './fundusCase.js';
import { drawAperture, illumination } from './fundusPhotograph.js';
import { type FundusTissue, fall, smoothstep } from './fundusTissue.js';

/**
 * Draws the fluorescein angiogram at one phase between 0 (arteriovenous) and 1 (late), size × size gray values.
 * Fluorescein lights up vessels and places that leak or stain; pigment and blood block it. Where pigment is missing
 * the choroid shines through (a window defect), with a size that does not change, while leakage grows in size and
 * brightness and blurs.
 */
export function drawAngiogram(
  random: Random,
  { eye, signs, angiography }: FundusCase,
  tissue: FundusTissue,
  difficulty: number,
): Uint8Array<ArrayBuffer> {
  const { size, pixel, lesions } = tissue;
  const { phase } = angiography;
  const late = smoothstep(0.35, 1, phase);
  const vesselsLeft = 1 - 0.45 * phase;
  const filled = smoothstep(-0.1, 0.15, phase); // veins fill last
  const window = 0.6 + 0.4 * Math.sin(Math.PI * phase);
  const spread = (0.06 + 0.24 * phase) / pixel;
  const leaked = gaussianBlur(tissue.membrane, size, size, spread, spread);
  const rim = edgeOf(tissue.atrophy, 0.14, size, pixel);
  const shown = smoothstep(0.2, 0.85, eye.tessellation);
  // Geographic atrophy is bright from the start; myopic atrophy has lost its choriocapillaris and stains late.
  const geographic = signs.geographicAtrophy ? 1 : 0;
  const out = new Float32Array(size * size);
  for (let at = 0; at < out.length; at += 1) {
    const r = tissue.fromFovea[at]!;
    const disc = fall((tissue.discRadius[at]! - 1) * eye.disc.short, 0.14);
    const flush =
      0.27 *
      Math.exp(-1.4 * tissue.melanin[at]! - 0.5 * eye.pigment) *
      (1 + 0.9 * shown * (tissue.choroid[at]! - 0.5)) *
      (1 + 0.05 * tissue.broad[at]!) *
      (1 - 0.25 * phase);
    // Xanthophyll and the missing capillaries darken the fovea.
    const capillaries = 0.07 * vesselsLeft * smoothstep(eye.fovealZone, eye.fovealZone + 0.5, r);
    let value =
      (flush + capillaries * (1 + 0.35 * tissue.grain[at]!)) * (1 - 0.6 * Math.exp(-((r / 0.8) ** 2)));
    value += 0.3 * window * tissue.drusen[at]! + 0.12 * window * tissue.diffuse[at]!;
    value += 0.25 * late * tissue.cracks[at]! + 0.1 * tissue.cracks[at]!;
    // Bare sclera is dark at first, as it has no capillaries, and is stained from the edge later.
    const bare = Math.max(tissue.atrophy[at]!, tissue.crescent[at]!);
    const choroidThrough = 0.16 + 0.25 * tissue.choroid[at]!;
    value += bare * (choroidThrough * (1 - 0.5 * late) + 0.42 * late + 0.2 * geographic * window - value);
    value += 0.18 * late * rim[at]!;
    // Neovascularisation is lacy at once where it is classic, stippled and late where it is occult.
    const stipple = lesions.occult ? clamp(0.6 + 0.6 * tissue.grain[at]!, 0, 1.4) : 1;
    const onset = lesions.occult ? smoothstep(0.4, 0.7, phase) : 1;
    const lace = lesions.occult ? 0 : 0.3 + 0.12 * tissue.grain[at]!;
    value += tissue.membrane[at]! * lace + (0.12 + 0.6 * phase) * onset * stipple * leaked[at]!;
    value += disc * (0.08 + 0.3 * phase);
    value *= Math.exp(-2 * tissue.blood[at]! - 1.6 * Math.min(1, tissue.clumps[at]!));
    // Vessels are bright on dark tissue, but hardly show on bright tissue.
    const vessels = Math.max(0.74 * tissue.artery[at]!, 0.66 * filled * tissue.vein[at]!) * vesselsLeft;
    out[at] = value + vessels * (1 - 0.6 * clamp(value, 0, 1));
  }
  const sigma = angiography.blur / pixel;
  const seen = gaussianBlur(out, size, size, sigma, sigma);
  const light = illumination(angiography.brightest, angiography.falloff, size, pixel);
  const aperture = drawAperture(size, pixel);
  return Uint8Array.from(seen, (value, at) => {
    const noise = 0.02 * difficulty * random.normal();
    return Math.round(255 * clamp(angiography.gain * light[at]! * value + noise, 0, 1) * aperture[at]!);
  });
}

/** Finds the edge where a map falls from 1 to 0, over about `width` mm inside. */
function edgeOf(map: Float32Array, width: number, size: number, pixel: number): Float32Array {
  const sigma = width / pixel;
  const smooth = gaussianBlur(map, size, size, sigma, sigma);
  return map.map((value, at) => value * clamp(2.2 * (1 - smooth[at]!), 0, 1));
}
