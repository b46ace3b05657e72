import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import { apertureRadius, clamp, type FundusCase, fieldOfView } from './fundusCase.js';
import { type FundusTissue, fall, smoothstep } from './fundusTissue.js';

type Colour = readonly [red: number, green: number, blue: number];

/** The light reflected by a fundus of little pigment, tan to red; and the share of it that much pigment leaves. */
const tanFundus: Colour = [0.8, 0.48, 0.25];
const redFundus: Colour = [0.84, 0.36, 0.17];
const darkness: Colour = [0.68, 0.56, 0.5];
/** The absorption by melanin, by venous and by arterial blood, and by extravasated blood. */
const melanin: Colour = [0.42, 0.9, 1.08];
const venousBlood: Colour = [0.42, 1.15, 0.65];
const arterialBlood: Colour = [0.16, 0.8, 0.5];
const bleeding: Colour = [0.6, 1.6, 1.35];
const betweenChoroidVessels: Colour = [0.6, 0.8, 0.75];
const choroidBlood: Colour = [0.12, 0.42, 0.5];
/** Colours that take the place of the fundus's own. */
const sclera: Colour = [0.97, 0.87, 0.64];
const pallor: Colour = [0.93, 0.66, 0.36];
const druse: Colour = [0.96, 0.78, 0.42];
const lipid: Colour = [1, 0.95, 0.62];
const membraneGray: Colour = [0.6, 0.5, 0.33];
const discRim: Colour = [0.98, 0.68, 0.4];
const discCup: Colour = [1, 0.94, 0.76];
const crackLine: Colour = [0.97, 0.76, 0.45];
const mediaVeil: Colour = [0.3, 0.36, 0.3];
const strayLight: Colour = [0.9, 0.55, 0.35];

/** Draws the colour photograph, size × size RGB. `difficulty` raises the noise. */
export function drawPhotograph(
  random: Random,
  fundus: FundusCase,
  tissue: FundusTissue,
  difficulty: number,
): Uint8Array<ArrayBuffer> {
  const { size, pixel } = tissue;
  const { camera } = fundus;
  const sigma = camera.blur / pixel;
  const planes = reflectance(fundus, tissue).map((plane) => gaussianBlur(plane, size, size, sigma, sigma));
  const light = illumination(camera.brightest, camera.falloff, size, pixel);
  const aperture = drawAperture(size, pixel);
  const middle = fieldOfView / 2;
  const flareX = middle + 1.05 * apertureRadius * Math.cos(camera.flare.angle);
  const flareY = middle + 1.05 * apertureRadius * Math.sin(camera.flare.angle);
  const noise = 0.012 * difficulty;
  const out = new Uint8Array(3 * size * size);
  for (let at = 0; at < light.length; at += 1) {
    const x = ((at % size) + 0.5) * pixel;
    const y = (Math.floor(at / size) + 0.5) * pixel;
    const fromMiddle = Math.sqrt((x - middle) ** 2 + (y - middle) ** 2) / apertureRadius;
    const veil = camera.veil * clamp(0.25 + 0.9 * fromMiddle ** 3, 0, 1);
    const flare = camera.flare.strength * Math.exp(-((x - flareX) ** 2 + (y - flareY) ** 2) / 1.4);
    for (let c = 0; c < 3; c += 1) {
      const passed =
        light[at]! * (planes[c]![at]! * (1 - veil) + mediaVeil[c]! * veil) + flare * strayLight[c]!;
      const seen = clamp(camera.gain[c]! * passed + noise * random.normal(), 0, 1);
      out[3 * at + c] = Math.round(255 * seen * aperture[at]!);
    }
  }
  return out;
}

/** Draws three planes of the light that the fundus reflects, before lamp, lens and sensor. */
function reflectance({ eye }: FundusCase, tissue: FundusTissue): Float32Array[] {
  const { size } = tissue;
  const planes = [0, 1, 2].map(() => new Float32Array(size * size));
  const base = tanFundus.map(
    (tan, c) => (tan + (redFundus[c]! - tan) * eye.redness) * (1 - (1 - darkness[c]!) * eye.pigment),
  );
  // The pigment epithelium hides the choroid until it is thin.
  const shown = smoothstep(0.2, 0.85, eye.tessellation);
  for (let at = 0; at < size * size; at += 1) {
    const disc = fall((tissue.discRadius[at]! - 1) * eye.disc.short, 0.1);
    const cup = fall((tissue.discRadius[at]! - eye.disc.cup) * eye.disc.short, 0.2);
    const bare = Math.max(tissue.atrophy[at]!, tissue.crescent[at]!);
    const pillars =
      shown *
      (1 - tissue.choroid[at]!) *
      clamp(tissue.fromFovea[at]! / 1.5, 0.7, 1) *
      clamp(1 + 0.5 * tissue.broad[at]!, 0.2, 1.6);
    const spots = Math.min(1, tissue.clumps[at]!);
    for (let c = 0; c < 3; c += 1) {
      let value =
        base[c]! *
        (1 + 0.25 * shown) *
        (1 + 0.03 * tissue.grain[at]!) *
        Math.exp(-1.5 * melanin[c]! * tissue.melanin[at]! - betweenChoroidVessels[c]! * pillars);
      const mix = (share: number, colour: number) => {
        value += share * (colour - value);
      };
      const choroid = Math.exp(-choroidBlood[c]! * tissue.choroid[at]!);
      mix(0.6 * tissue.diffuse[at]!, pallor[c]! * choroid);
      mix(0.75 * tissue.drusen[at]!, druse[c]!);
      mix(0.9 * bare, sclera[c]! * choroid * (1 + 0.05 * tissue.broad[at]!));
      mix(0.65 * tissue.cracks[at]!, crackLine[c]!);
      mix(0.6 * tissue.membrane[at]!, membraneGray[c]!);
      mix(0.9 * disc, discRim[c]! * (1 + 0.03 * tissue.broad[at]!));
      mix(0.9 * cup, discCup[c]!);
      mix(0.9 * tissue.exudate[at]!, lipid[c]!);
      value *= Math.exp(-2 * spots * melanin[c]! - bleeding[c]! * tissue.blood[at]!);
      value *= Math.exp(-1.15 * venousBlood[c]! * tissue.vein[at]! - arterialBlood[c]! * tissue.artery[at]!);
      planes[c]![at] = value + 0.06 * tissue.reflex[at]! * tissue.artery[at]!;
    }
  }
  return planes;
}

/** Draws the light of the flash: 1 where it falls, and less and less away from there. */
export function illumination(
  brightest: { x: number; y: number },
  falloff: number,
  size: number,
  pixel: number,
): Float32Array {
  return Float32Array.from({ length: size * size }, (_, at) => {
    const dx = ((at % size) + 0.5) * pixel - brightest.x;
    const dy = (Math.floor(at / size) + 0.5) * pixel - brightest.y;
    return Math.max(0.15, 1.05 - (falloff * (dx * dx + dy * dy)) / apertureRadius ** 2);
  });
}

/** Draws the round aperture: 1 within it. */
export function drawAperture(size: number, pixel: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, at) => {
    const dx = ((at % size) + 0.5) * pixel - fieldOfView / 2;
    const dy = (Math.floor(at / size) + 0.5) * pixel - fieldOfView / 2;
    return clamp((apertureRadius - Math.hypot(dx, dy)) / pixel + 0.5, 0, 1);
  });
}
