import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import { drawField, noiseField } from '../noise.js';
import type { BreastCase } from './breastCase.js';
import type { Tissue } from './breastTissue.js';
import type { Measured } from './elastography.js';

/** Half the length of the probe's face that presses, in mm. */
const halfProbe = 19;
/** The width at half maximum of a strain estimate, in mm: the length of the correlation window, and its beam. */
const windowLength = 1.5;
const beamWidth = 1;
/** The relative standard deviation of an estimate from echoes without noise, and its growth as echoes decorrelate. */
const leastNoise = 0.08;
const decorrelated = 0.75;
/** Electronic noise at the surface in dB relative to the gland's echo, and its rise with depth in dB/mm. */
const noiseFloorDb = -28;
const noiseRiseDbPerMm = 0.45;

/**
 * Measures the axial strain of the same tissue under a light press of the probe (Ophir et al., Ultrasonic Imaging
 * 1991): ε = σ / E. The stress σ falls with depth as below a strip that is loaded evenly (Timoshenko and Goodier,
 * Theory of Elasticity). What is estimated is relative: the scale runs from none to twice the mean strain of the box,
 * so that the level of stiffness itself is lost, and how far the lesion differs from its surroundings stays. Estimates
 * become noise where echoes decorrelate: in shadows, in fluid and with depth (the strain filter, Varghese and Ophir,
 * IEEE TUFFC 1997). The press, its tilt and the box say nothing of the label.
 *
 * @param stiffness ln of the stiffness in kPa, size × size
 * @returns the strain over twice its mean in the box, 0 … 1
 */
export function measureStrain(
  random: Random,
  breast: BreastCase,
  { size, pixel, echo, shadow }: Tissue,
  stiffness: Float32Array,
  difficulty: number,
): Measured {
  const side = breast.view.fieldOfView;
  const box = {
    left: random.uniform(0.5, 3),
    right: side - random.uniform(0.5, 3),
    top: random.uniform(0.5, 2),
    bottom: Math.min(side - 0.5, random.uniform(28, 38)),
  };
  const tilt = random.normal(0, 0.12);
  const handheld = random.uniform(0.7, 1.5);
  const extent = { width: side, height: side };
  const noise = drawField(noiseField(random, { ...extent, cellX: 0.6, cellY: 0.7, octaves: 2 }), size, pixel);

  const strain = new Float32Array(size * size);
  const correlation = new Float32Array(size * size);
  for (let i = 0; i < size; i += 1) {
    const depth = (i + 0.5) * pixel;
    const angle = Math.atan(halfProbe / depth);
    const stress = (2 / Math.PI) * (angle + Math.sin(angle) * Math.cos(angle));
    for (let j = 0; j < size; j += 1) {
      const at = i * size + j;
      const across = (2 * (j + 0.5)) / size - 1;
      strain[at] = stress * Math.max(0.2, 1 + tilt * across) * Math.exp(-stiffness[at]!);
      const noiseDb = noiseFloorDb + noiseRiseDbPerMm * depth;
      const signal = 10 ** ((Math.max(-60, echo[at]! + shadow[at]!) - noiseDb) / 10);
      correlation[at] = signal / (1 + signal);
    }
  }
  const [axial, lateral] = [windowLength, beamWidth].map((width) => width / 2.355 / pixel);
  const estimated = gaussianBlur(strain, size, size, lateral!, axial!);
  const trusted = gaussianBlur(correlation, size, size, lateral!, axial!);
  const shown = new Float32Array(size * size);
  let sum = 0;
  let count = 0;
  for (let at = 0; at < shown.length; at += 1) {
    const x = ((at % size) + 0.5) * pixel;
    const y = (Math.floor(at / size) + 0.5) * pixel;
    if (x < box.left || x > box.right || y < box.top || y > box.bottom) continue;
    shown[at] = 1;
    sum += estimated[at]!;
    count += 1;
  }
  const mean = sum / Math.max(1, count);
  const values = estimated.map((value, at) => {
    const lost = 1 - trusted[at]!;
    const spread = difficulty * handheld * (leastNoise * (value / mean) + decorrelated * lost);
    // Where nothing correlates the estimate no longer follows the tissue.
    const relative = (1 - lost) * (value / mean) + lost + spread * noise[at]!;
    return Math.max(0, Math.min(1, relative / 2));
  });
  return { values, shown };
}
