import { type LesionOutline, outlineRadii } from '../lesionOutline.js';
import { drawField, noiseField } from '../noise.js';
import { clamp, type FundusCase, fieldOfView, fundusStream, type Point } from './fundusCase.js';
import { growChoroid } from './fundusChoroid.js';
import { type FundusLesions, type Patch, type Spot, sampleLesions } from './fundusLesions.js';
import { growVessels } from './fundusVessels.js';
import { drawStrokes } from './strokes.js';

/** The tissue that both cameras look at: maps of size × size values, row-major, 0 … 1 unless said otherwise. */
export interface FundusTissue {
  readonly size: number;
  /** The side of a pixel in mm. */
  readonly pixel: number;
  readonly lesions: FundusLesions;
  /** The share of the pixel that vessels cover, with more weight on thick ones. */
  readonly artery: Float32Array;
  readonly vein: Float32Array;
  /** The light stripe along the arteries. */
  readonly reflex: Float32Array;
  readonly choroid: Float32Array;
  /** Noise of zero mean and unit variance: fine grain, and broad unevenness. */
  readonly grain: Float32Array;
  readonly broad: Float32Array;
  /** The melanin and the macular pigment, 0 or more. */
  readonly melanin: Float32Array;
  /** The distance from the fovea in mm. */
  readonly fromFovea: Float32Array;
  /** The distance from the disc's centre over that of its margin in the same direction. */
  readonly discRadius: Float32Array;
  readonly crescent: Float32Array;
  readonly drusen: Float32Array;
  readonly atrophy: Float32Array;
  readonly diffuse: Float32Array;
  readonly membrane: Float32Array;
  readonly blood: Float32Array;
  readonly exudate: Float32Array;
  readonly clumps: Float32Array;
  readonly cracks: Float32Array;
}

/** Draws the tissue of an eye. Any size is drawn from the same random streams; only the sampling density differs. */
export function drawFundus(fundus: FundusCase, seed: number, index: number, size: number): FundusTissue {
  const { eye } = fundus;
  const pixel = fieldOfView / size;
  const stream = (stage: string) => fundusStream(seed, index, stage);
  const lesions = sampleLesions(stream('lesions'), fundus);
  const arteries = growVessels(stream('arteries'), 'artery', eye).segments;
  const veins = growVessels(stream('veins'), 'vein', eye).segments;
  const texture = stream('texture');
  const extent = { width: fieldOfView, height: fieldOfView };
  const grain = drawField(
    noiseField(texture, { ...extent, cellX: 0.35, cellY: 0.35, octaves: 2 }),
    size,
    pixel,
  );
  const broad = drawField(
    noiseField(texture, { ...extent, cellX: 1.8, cellY: 1.8, octaves: 3 }),
    size,
    pixel,
  );
  const thickness = (width: number) => Math.min(1, 0.45 + 4.5 * width);
  const fromFovea = distances(eye.fovea, size, pixel);
  const discRadius = ellipticRadius(fundus, size, pixel);
  return {
    size,
    pixel,
    lesions,
    artery: drawStrokes(arteries, size, pixel, { softness: 0.015, peak: thickness }),
    vein: drawStrokes(veins, size, pixel, { softness: 0.015, peak: thickness }),
    reflex: drawStrokes(
      arteries.filter(({ width }) => width > 0.05),
      size,
      pixel,
      { share: 0.3 },
    ),
    choroid: drawStrokes(growChoroid(stream('choroid'), eye), size, pixel, { softness: 0.13 }),
    grain,
    broad,
    melanin: Float32Array.from(
      fromFovea,
      (r, at) =>
        Math.max(0, 0.06 * broad[at]!) +
        0.55 * Math.exp(-((r / 0.9) ** 2)) +
        0.15 * Math.exp(-((r / 2.2) ** 2)),
    ),
    fromFovea,
    discRadius,
    crescent: drawCrescent(fundus, lesions.crescentOutline, discRadius, size, pixel),
    drusen: drawSpots(lesions.drusen, size, pixel),
    atrophy: drawPatches(lesions.atrophy, size, pixel, 0.03),
    diffuse: drawDiffuse(lesions, broad, size, pixel),
    membrane: drawPatches(lesions.membranes, size, pixel, 0.12),
    blood: drawPatches(lesions.haemorrhages, size, pixel, 0.05),
    exudate: drawSpots(lesions.exudates, size, pixel),
    clumps: drawSpots(lesions.pigment, size, pixel),
    cracks: drawStrokes(lesions.cracks, size, pixel, { softness: 0.03 }),
  };
}

/** Calls `each` for the pixels within `reach` mm of a place, with their offsets from it in mm. */
function around(
  { x, y }: Point,
  reach: number,
  size: number,
  pixel: number,
  each: (at: number, dx: number, dy: number) => void,
): void {
  const first = (position: number) => Math.max(0, Math.floor((position - reach) / pixel));
  const last = (position: number) => Math.min(size - 1, Math.floor((position + reach) / pixel));
  for (let i = first(y); i <= last(y); i += 1) {
    for (let j = first(x); j <= last(x); j += 1) {
      each(i * size + j, (j + 0.5) * pixel - x, (i + 0.5) * pixel - y);
    }
  }
}

function distances(place: Point, size: number, pixel: number): Float32Array {
  const out = new Float32Array(size * size);
  around(place, 2 * fieldOfView, size, pixel, (at, dx, dy) => {
    out[at] = Math.sqrt(dx * dx + dy * dy);
  });
  return out;
}

function ellipticRadius({ eye: { disc } }: FundusCase, size: number, pixel: number): Float32Array {
  const [cosine, sine] = [Math.cos(disc.angle), Math.sin(disc.angle)];
  const out = new Float32Array(size * size);
  around(disc, 2 * fieldOfView, size, pixel, (at, dx, dy) => {
    const along = (cosine * dx + sine * dy) / disc.long;
    const across = (cosine * dy - sine * dx) / disc.short;
    out[at] = Math.sqrt(along * along + across * across);
  });
  return out;
}

/** Draws the crescent: widest towards the fovea, gone at its ends, and sharp at its outer edge. */
function drawCrescent(
  { eye: { disc, fovea } }: FundusCase,
  outline: LesionOutline,
  discRadius: Float32Array,
  size: number,
  pixel: number,
): Float32Array {
  const out = new Float32Array(size * size);
  if (disc.crescent === 0) return out;
  const towardsFovea = Math.atan2(fovea.y - disc.y, fovea.x - disc.x);
  const radii = outlineRadii(outline, 256);
  const edge = 0.04 + pixel / 2;
  around(disc, disc.long + 1.6 * disc.crescent, size, pixel, (at, dx, dy) => {
    const angle = wrap(Math.atan2(dy, dx) - towardsFovea);
    const ring = disc.crescentReach >= Math.PI;
    const share = ring
      ? 0.6 + 0.4 * Math.cos(angle)
      : Math.sqrt(Math.max(0, Math.cos(((Math.PI / 2) * angle) / disc.crescentReach)));
    if (!ring && Math.abs(angle) >= disc.crescentReach) return;
    const width = disc.crescent * share * radiusAt(radii, angle);
    const distance = (discRadius[at]! - 1) * disc.short;
    out[at] = fall(distance - width, edge) * (1 - fall(distance, edge));
  });
  return out;
}

function drawSpots(spots: readonly Spot[], size: number, pixel: number): Float32Array {
  const out = new Float32Array(size * size);
  for (const spot of spots) {
    // A spot smaller than a pixel keeps its area.
    const radius = Math.hypot(spot.radius, 0.45 * pixel);
    const strength = spot.strength * (spot.radius / radius) ** 2;
    around(spot, 1.8 * radius, size, pixel, (at, dx, dy) => {
      const r2 = (dx * dx + dy * dy) / (radius * radius);
      // The spot is flatter on top than a Gaussian, with soft edges.
      out[at] = Math.max(out[at]!, strength * Math.exp(-(r2 ** 1.5)));
    });
  }
  return out;
}

function drawPatches(patches: readonly Patch[], size: number, pixel: number, softness: number): Float32Array {
  const out = new Float32Array(size * size);
  const edge = softness + pixel / 2;
  for (const patch of patches) {
    const radii = outlineRadii(patch.outline, 256);
    around(patch, 1.8 * patch.radius + edge, size, pixel, (at, dx, dy) => {
      const distance = Math.hypot(dx, dy) - patch.radius * radiusAt(radii, Math.atan2(dy, dx));
      out[at] = Math.max(out[at]!, fall(distance, edge));
    });
  }
  return out;
}

function drawDiffuse(
  { diffuse }: FundusLesions,
  broad: Float32Array,
  size: number,
  pixel: number,
): Float32Array {
  const out = new Float32Array(size * size);
  if (diffuse.strength === 0) return out;
  around(diffuse, 2.5 * diffuse.radius, size, pixel, (at, dx, dy) => {
    const r2 = (dx * dx + 1.3 * dy * dy) / diffuse.radius ** 2;
    out[at] = clamp(diffuse.strength * Math.exp(-(r2 ** 1.3)) * (1 + 0.3 * broad[at]!), 0, 1);
  });
  return out;
}

function radiusAt(radii: Float32Array, angle: number): number {
  const turn = (angle / (2 * Math.PI) + 1) % 1;
  return radii[Math.floor(turn * radii.length) % radii.length]!;
}

/** Falls smoothly from 1 inside (negative distances) to 0 outside, over ± `edge`. */
export function fall(distance: number, edge: number): number {
  return smoothstep(edge, -edge, distance);
}

/** Rises smoothly from 0 at `low` to 1 at `high`. */
export function smoothstep(low: number, high: number, x: number): number {
  const t = clamp((x - low) / (high - low), 0, 1);
  return t * t * (3 - 2 * t);
}

function wrap(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}
