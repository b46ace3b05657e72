import type { Random } from '../tensor/random.js';
import type { Signs } from './breast/breastSigns.js';

/**
 * A star-convex outline in the frame of the lesion's ellipse, where the smooth ellipse is the unit circle:
 *
 *     R(φ) = 1 + Σₖ aₖ cos(kφ + ψₖ) + Σⱼ sⱼ exp(−((φ − φⱼ)/wⱼ)²)
 *
 * Harmonics give lobulation, angles and microlobulation; the narrow Gaussians are spicules.
 */
export interface LesionOutline {
  readonly harmonics: readonly { k: number; amplitude: number; phase: number }[];
  /** The spicules: `angle` and `width` in radians, `height` in units of the local radius. */
  readonly spicules: readonly { angle: number; width: number; height: number }[];
}

export function sampleOutline(random: Random, signs: Signs): LesionOutline {
  const { irregular, circumscribed, spiculated } = signs;
  const [scale, decay, last] = irregular ? [0.22, 0.8, 14] : [0.1, 1.2, 6];
  // k = 1 would only shift the lesion.
  const harmonics = Array.from({ length: last - 1 }, (_, i) => ({
    k: i + 2,
    amplitude: (scale / (i + 2) ** decay) * random.normal(),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  // Three gentle lobulations are still an oval shape; small lobules are a margin that is not circumscribed.
  const gentle = random.chance(0.2);
  if (!irregular && gentle) harmonics.push({ k: 3, amplitude: 0.09, phase: random.uniform(0, 2 * Math.PI) });
  const lobules = Array.from({ length: 7 }, (_, i) => ({
    k: i + 8,
    amplitude: 0.025 * random.normal(),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  if (!circumscribed && !spiculated) harmonics.push(...lobules);

  const count = spiculated ? 6 + random.below(7) : 0;
  const spicules = Array.from({ length: count }, () => ({
    angle: random.uniform(0, 2 * Math.PI),
    width: random.uniform(0.05, 0.1),
    height: random.uniform(0.15, 0.5),
  }));
  return { harmonics, spicules };
}

/** Computes R at `steps` equally spaced angles from 0. It is never so small that the lesion falls apart. */
export function outlineRadii({ harmonics, spicules }: LesionOutline, steps: number): Float32Array {
  return Float32Array.from({ length: steps }, (_, i) => {
    const angle = (2 * Math.PI * i) / steps;
    let radius = 1;
    for (const { k, amplitude, phase } of harmonics) radius += amplitude * Math.cos(k * angle + phase);
    radius = Math.max(0.5, radius);
    for (const spicule of spicules) {
      let turn = Math.abs(angle - spicule.angle);
      if (turn > Math.PI) turn = 2 * Math.PI - turn;
      radius += spicule.height * Math.exp(-((turn / spicule.width) ** 2));
    }
    return radius;
  });
}
