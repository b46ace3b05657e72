import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import type { BreastCase, View } from './breastCase.js';
import { layerNames, type Tissue } from './breastTissue.js';
import { axialOversampling, speckleEnvelope } from './speckle.js';

/** The electronic noise at the surface, in dB relative to the gland's echo. */
const noiseFloorDb = -40;
/** The rise of this noise with depth in dB/mm, by time-gain compensation. */
const noiseRiseDbPerMm = 0.25;
/** The brightest level on the screen, in dB above the gland's mean. */
const headroomDb = 18;
/** The screen's gray curve, which darkens what is hypoechoic as sonographers like it. */
const grayCurve = 1.8;
/** The number of steps of the gray curve's table. */
const curveSteps = 1024;
/** The standard deviation of the scanner's speckle reduction, in mm. */
const speckleFilter = 0.13;

/** Draws the B-mode image, size × size gray values. `difficulty` raises the electronic noise. */
export function drawBmode(
  random: Random,
  breast: BreastCase,
  tissue: Tissue,
  difficulty: number,
): Uint8Array<ArrayBuffer> {
  const { size, pixel, echo, shadow, layer, distance } = tissue;
  const { view, lesion } = breast;
  const strength = new Float32Array(size * size);
  const sparse = new Uint8Array(size * size);
  const [fat, retromammary] = [layerNames.indexOf('fat'), layerNames.indexOf('retromammary fat')];
  const floorAtTop = difficulty ** 2 * decibels(noiseFloorDb);
  for (let i = 0; i < size; i += 1) {
    const depth = (i + 0.5) * pixel;
    // Noise passes the same receive filter as the echoes, so it enters as a floor under the scatterers' strength.
    const noise = floorAtTop * decibels(noiseRiseDbPerMm * depth);
    const gain = decibels(view.tgcDbPerMm * depth);
    for (let at = i * size; at < (i + 1) * size; at += 1) {
      strength[at] = gain * (decibels(echo[at]! + shadow[at]!) + noise);
      const k = layer[at]!;
      if ((k === fat || k === retromammary) && distance[at]! > 0) sparse[at] = 1;
    }
  }
  const reflectors = lesion.calcifications.map(({ x, y, db }) => ({ x: lesion.x + x, y: lesion.y + y, db }));
  const { focus, looks } = view;
  return compress(
    speckleEnvelope(random, { strength, size, pixel, focus, looks, sparse, reflectors }),
    size,
    view,
  );
}

/** Gives the power ratio of a level in dB. */
function decibels(level: number): number {
  return Math.exp((Math.LN10 / 10) * level);
}

/** The level in dB of an amplitude, by the leading 16 bits of its 32-bit float; it is exact to 0.03 dB. */
const levels = Float32Array.from({ length: 1 << 15 }, (_, bits) => {
  const [amplitude] = new Float32Array(Uint32Array.of((bits << 16) + (1 << 15)).buffer);
  return (20 / Math.LN10) * Math.log(amplitude!);
});

/**
 * Averages the axial rows of each pixel, compresses logarithmically to the screen's gray values, and filters speckle.
 */
function compress(
  envelope: Float32Array,
  size: number,
  { gainDb, dynamicRangeDb, gamma, fieldOfView }: View,
): Uint8Array<ArrayBuffer> {
  const gray = new Float32Array(size * size);
  const curve = Float32Array.from(
    { length: curveSteps + 1 },
    (_, i) => 255 * (i / curveSteps) ** (grayCurve * gamma),
  );
  const floats = new Int32Array(envelope.buffer);
  const darkest = headroomDb - dynamicRangeDb - gainDb;
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) {
      let sum = 0;
      for (let a = 0; a < axialOversampling; a += 1) {
        const db = levels[floats[(axialOversampling * i + a) * size + j]! >>> 16]!;
        sum += Math.max(0, Math.min(1, (db - darkest) / dynamicRangeDb));
      }
      gray[i * size + j] = curve[Math.round((sum / axialOversampling) * curveSteps)]!;
    }
  }
  const sigma = speckleFilter / (fieldOfView / size);
  const filtered = gaussianBlur(gray, size, size, sigma, sigma);
  const rounded = new Uint8Array(filtered.length);
  for (let at = 0; at < filtered.length; at += 1) rounded[at] = Math.round(filtered[at]!);
  return rounded;
}
