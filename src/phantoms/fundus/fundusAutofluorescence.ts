import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import { apertureRadius, clamp, type FundusCase, fieldOfView } from './fundusCase.js';
import { drawAperture, illumination } from './fundusPhotograph.js';
import { type FundusTissue, fall, smoothstep } from './fundusTissue.js';

/**
 * Draws the autofluorescence under blue light (488 nm), size × size gray values. Lipofuscin in the pigment epithelium
 * glows evenly (Delori et al., IOVS 1995); blood and the fovea's yellow pigment absorb the light, and the disc has no
 * epithelium, so that vessels, fovea and disc are dark. Lesions after Schmitz-Valckenberg et al., Retina 2008: atrophy,
 * crescents and cracks are dark, as the epithelium is gone, with a bright edge where it fails; large drusen and clumps of
 * pigment glow a little; blood and fat hide what is behind. Camera and light say nothing of the label.
 */
export function drawAutofluorescence(
  random: Random,
  { eye, signs }: FundusCase,
  tissue: FundusTissue,
  difficulty: number,
): Uint8Array<ArrayBuffer> {
  const { size, pixel, lesions } = tissue;
  const camera = {
    gain: random.uniform(0.8, 1.1),
    blur: random.uniform(0.02, 0.05),
    falloff: random.uniform(0.15, 0.4),
    brightest: {
      x: fieldOfView / 2 + random.normal(0, 0.15 * apertureRadius),
      y: fieldOfView / 2 + random.normal(0, 0.15 * apertureRadius),
    },
  };
  // The epithelium fails around geographic atrophy; around the patches of myopia it is simply thin.
  const failing = edgeOutside(tissue.atrophy, 0.2, size, pixel).map(
    (edge) => edge * (signs.geographicAtrophy ? 0.45 : 0.08),
  );
  const thin = 0.25 * smoothstep(0.2, 0.85, eye.tessellation);
  const out = new Float32Array(size * size);
  for (let at = 0; at < out.length; at += 1) {
    const r = tissue.fromFovea[at]!;
    const yellow = Math.exp(-0.9 * Math.exp(-((r / 0.55) ** 2)) - 0.35 * Math.exp(-((r / 1.6) ** 2)));
    // The glow is greatest some 3 mm from the fovea and fades towards the edge.
    const ring = 0.85 + 0.15 * Math.exp(-(((r - 3) / 2.5) ** 2));
    let value =
      0.5 * yellow * ring * (1 + 0.05 * tissue.broad[at]! + 0.03 * tissue.grain[at]!) -
      thin * 0.5 * (1 - tissue.choroid[at]!);
    value += 0.12 * tissue.drusen[at]! + 0.25 * Math.min(1, tissue.clumps[at]!) + failing[at]!;
    value *= 1 - 0.35 * tissue.diffuse[at]!;
    // A membrane breaks the even glow: dark where it is old, stippled where it lies deep.
    const membrane = lesions.occult ? 0.35 + 0.2 * tissue.grain[at]! : 0.55;
    value *= 1 - clamp(membrane, 0, 1) * tissue.membrane[at]!;
    const gone = Math.max(tissue.atrophy[at]!, tissue.crescent[at]!, 0.6 * tissue.cracks[at]!);
    value += gone * (0.06 - value);
    const disc = fall((tissue.discRadius[at]! - 1) * eye.disc.short, 0.1);
    value += disc * (0.08 - value);
    value *= Math.exp(-1.8 * tissue.blood[at]! - 0.9 * tissue.exudate[at]!);
    value *= Math.exp(-1.3 * tissue.artery[at]! - 1.6 * tissue.vein[at]!);
    out[at] = Math.max(0.02, value);
  }
  const sigma = camera.blur / pixel;
  const seen = gaussianBlur(out, size, size, sigma, sigma);
  const light = illumination(camera.brightest, camera.falloff, size, pixel);
  const aperture = drawAperture(size, pixel);
  return Uint8Array.from(seen, (value, at) => {
    // The light is faint, so the noise is higher than in a photograph and grows with what is seen.
    const noise = difficulty * (0.015 + 0.035 * Math.sqrt(value)) * random.normal();
    return Math.round(255 * clamp(camera.gain * light[at]! * value + noise, 0, 1) * aperture[at]!);
  });
}

/** Finds what lies just outside a map, over about `width` mm. */
function edgeOutside(map: Float32Array, width: number, size: number, pixel: number): Float32Array {
  const sigma = width / pixel;
  const smooth = gaussianBlur(map, size, size, sigma, sigma);
  return map.map((value, at) => clamp(2.5 * smooth[at]! * (1 - value), 0, 1));
}
