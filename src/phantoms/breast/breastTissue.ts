import { gaussianBlur } from '../../data/images/gaussianBlur.js';
import type { Random } from '../../tensor/random.js';
import { outlineRadii } from '../lesionOutline.js';
import { drawCurve, drawField, noiseCurve, noiseField } from '../noise.js';
import { type BreastCase, type Duct, frequency, type Lesion, stream } from './breastCase.js';

/** The tissue that both modalities look at: one case drawn on a size × size grid, row-major. */
export interface Tissue {
  readonly size: number;
  /** The side of a pixel in mm. */
  readonly pixel: number;
  /** The layer of each pixel, as an index into `layerNames`. */
  readonly layer: Uint8Array;
  /**
   * The signed distance to the lesion's outline in mm, negative inside. It holds to first order and is rough far
   * away.
   */
  readonly distance: Float32Array;
  /** The level of the scatterers, in dB relative to the gland. */
  readonly echo: Float32Array;
  /** The gain or loss (negative) of the beam on its way, in dB. */
  readonly shadow: Float32Array;
}

export const layerNames = [
  'skin',
  'fat',
  'gland',
  'retromammary fat',
  'pectoralis',
  'intercostal',
  'lung',
] as const;
const [skin, fat, gland, retromammary, pectoralis, intercostal, lung] = [0, 1, 2, 3, 4, 5, 6] as const;

/** Draws the tissue of a case. Any size is drawn from the same random streams; only the sampling density differs. */
export function drawTissue(breast: BreastCase, seed: number, index: number, size: number): Tissue {
  const { fieldOfView } = breast.view;
  const pixel = fieldOfView / size;
  const random = stream(seed, index, 'texture');
  const extent = { width: fieldOfView, height: fieldOfView };
  const strands = noiseField(random, { ...extent, cellX: 2.6, cellY: 1.3, octaves: 3, gain: 0.7 });
  const islands = noiseField(random, { ...extent, cellX: 5, cellY: 2.6, octaves: 2 });
  const curves = breast.layers.thickness.map(() =>
    noiseCurve(random, { length: fieldOfView, spacing: 11, octaves: 3, gain: 0.45 }),
  );
  const courses = breast.layers.ducts.map(() =>
    noiseCurve(random, { length: fieldOfView, spacing: 6, octaves: 2 }),
  );
  const lobules = new FatLobules(random, fieldOfView);

  const texture = drawField(strands, size, pixel);
  const interfaces = drawInterfaces(
    breast,
    curves.map((curve) => drawCurve(curve, size, pixel)),
  );
  const background = drawLayers(breast, pixel, interfaces, texture, drawField(islands, size, pixel), lobules);
  for (const [k, duct] of breast.layers.ducts.entries()) {
    addDuct(duct, drawCurve(courses[k]!, size, pixel), interfaces, pixel, background);
  }
  const distance = drawDistance(breast.lesion, size, pixel);
  addLesion(breast, distance, texture, background.echo);
  const shadow = drawShadow(breast, distance, interfaces, size, pixel);
  return { size, pixel, distance, shadow, ...background };
}

/** Draws the depth, in mm, of the lower edge of each layer at each column. */
function drawInterfaces({ layers, view }: BreastCase, curves: readonly Float32Array[]): Float32Array[] {
  const size = curves[0]!.length;
  const pixel = view.fieldOfView / size;
  const interfaces: Float32Array[] = [];
  const wedge = (layers.laterality === 'left' ? 1 : -1) * (layers.wedge / view.fieldOfView);
  let base = 0;
  for (const [k, thickness] of layers.thickness.entries()) {
    base += thickness;
    // The skin lies flat against the probe, and the layers below it follow the tilt. Fasciae and pleura are smoother
    // than fat.
    const waviness = layers.waviness * (k === skin ? 0.05 : k < retromammary ? 1 : 0.6);
    const slope = k === skin ? 0 : Math.tan(layers.tilt) + (k < gland ? 0 : wedge);
    const above = interfaces[k - 1];
    const depth = new Float32Array(size);
    for (let j = 0; j < size; j += 1) {
      const across = (j + 0.5) * pixel - view.fieldOfView / 2;
      const here = base + slope * across + waviness * curves[k]![j]!;
      depth[j] = Math.max((above?.[j] ?? 0) + 0.4 * thickness, here);
    }
    interfaces.push(depth);
  }
  return interfaces;
}

/** Gives the echo of a bright line at a signed distance of `d` mm from it. */
function line(d: number, db: number, width: number): number {
  const t = d / width;
  return t * t > 9 ? 0 : db * Math.exp(-t * t);
}

function smoothstep(low: number, high: number, x: number): number {
  const t = Math.max(0, Math.min(1, (x - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/** The brightness, in dB, of the line along the lower edge of each layer: fasciae of the gland and of the muscles. */
const fasciaDb = [0, 4, 3, 11, 11, 0];

function drawLayers(
  { layers }: BreastCase,
  pixel: number,
  interfaces: readonly Float32Array[],
  texture: Float32Array,
  islands: Float32Array,
  lobules: FatLobules,
): { layer: Uint8Array; echo: Float32Array } {
  const size = interfaces[0]!.length;
  const layer = new Uint8Array(size * size);
  const echo = new Float32Array(size * size);
  // Islands of fat lie where the field is below this many standard deviations.
  const islandLevel = -1.6 + 1.4 * layers.fatIslands;
  for (let j = 0; j < size; j += 1) {
    const x = (j + 0.5) * pixel;
    const edges = interfaces.map((edge) => edge[j]!) as [number, number, number, number, number, number];
    let k = 0;
    for (let i = 0; i < size; i += 1) {
      const at = i * size + j;
      const y = (i + 0.5) * pixel;
      while (k < lung && y >= edges[k]!) k += 1;
      layer[at] = k;
      const grain = texture[at]!;
      let db: number;
      if (k === skin) {
        db = 3 + line(y - 0.3, 8, 0.25) + line(y - edges[0] + 0.15, 7, 0.25);
      } else if (k === fat || k === retromammary) {
        db = (k === fat ? -10 : -8) + 0.8 * grain + lobules.septum(x, y, islands[at]!);
      } else if (k === gland) {
        const island = smoothstep(islandLevel + 0.35, islandLevel - 0.35, islands[at]!);
        db = 2.2 * grain - 8 * island;
      } else if (k === pectoralis || k === intercostal) {
        const depth = y - edges[k - 1]!;
        // Muscle fibres are fine bright lines along the fascia, broken up by the texture.
        const fibre = Math.sin((2 * Math.PI * depth) / 1.1 + 1.6 * islands[at]! + 0.03 * x);
        db = -6 + 2.5 * fibre + 1.2 * grain;
      } else {
        const depth = y - edges[5];
        // The lung below the pleura shows reverberations that fade.
        db = line(depth - 0.3, 22, 0.4) - 9 - 0.8 * depth + 2 * Math.sin((2 * Math.PI * depth) / 2.4) + grain;
      }
      if (k > skin) db += line(y - edges[k - 1]!, fasciaDb[k - 1]!, 0.35);
      if (k < lung) db += line(y - edges[k]!, fasciaDb[k]!, 0.35);
      echo[at] = db;
    }
    for (const rib of layers.ribs) {
      const off = (x - rib.x) / rib.halfWidth;
      if (off * off >= 1) continue;
      const surface = ribSurface(edges[4], off, rib.halfWidth);
      for (let i = Math.max(0, Math.floor((surface - 1.5) / pixel)); i < size; i += 1) {
        const depth = (i + 0.5) * pixel - surface;
        const at = i * size + j;
        if (depth > 0.4) echo[at] = -14 - depth;
        echo[at]! += line(depth, 30 * (1 - 0.6 * off * off), 0.45);
      }
    }
  }
  return { layer, echo };
}

/** The standard deviation, in mm, by which ducts meander. */
const ductMeander = 0.8;

/** Adds a duct: a dark band along the gland, as wide as the duct, that fades at both ends. */
function addDuct(
  { depth, from, to, calibre }: Duct,
  course: Float32Array,
  interfaces: readonly Float32Array[],
  pixel: number,
  { layer, echo }: { layer: Uint8Array; echo: Float32Array },
): void {
  const size = course.length;
  for (let j = 0; j < size; j += 1) {
    const x = (j + 0.5) * pixel;
    const db = -12 * smoothstep(from, from + 3, x) * smoothstep(to, to - 3, x);
    if (db === 0) continue;
    const [top, bottom] = [interfaces[fat]![j]!, interfaces[gland]![j]!];
    const centre = top + depth * (bottom - top) + ductMeander * course[j]!;
    const [first, last] = [centre - 1.5 * calibre, centre + 1.5 * calibre];
    for (let i = Math.max(0, Math.floor(first / pixel)); i < Math.min(size, last / pixel); i += 1) {
      const at = i * size + j;
      if (layer[at] === gland) echo[at]! += line((i + 0.5) * pixel - centre, db, 0.5 * calibre);
    }
  }
}

/** Gives the depth of a rib's near side. A rib lies within the intercostal layer, under the pectoral muscle. */
function ribSurface(muscleEdge: number, off: number, halfWidth: number): number {
  return muscleEdge + 1 + 0.45 * halfWidth * off * off;
}

/** Fat lobules of 5–10 mm, Worley cells, with Cooper's ligaments as thin bright septa between them. */
class FatLobules {
  static readonly cellX = 7;
  static readonly cellY = 4;
  readonly #columns: number;
  readonly #points: Float32Array;

  constructor(random: Random, fieldOfView: number) {
    this.#columns = Math.ceil(fieldOfView / FatLobules.cellX) + 3;
    const rows = Math.ceil(fieldOfView / FatLobules.cellY) + 3;
    this.#points = Float32Array.from({ length: 2 * this.#columns * rows }, () => random.uniform(0.1, 0.9));
  }

  /** Gives the brightness in dB of the septa at a point in mm. `warp` bends them and lets parts of them fade. */
  septum(x: number, y: number, warp: number): number {
    const u = x / FatLobules.cellX + 1 + 0.1 * warp;
    const v = y / FatLobules.cellY + 1 - 0.12 * warp;
    const column = Math.min(this.#columns - 2, Math.max(1, Math.floor(u)));
    const row = Math.max(1, Math.floor(v));
    let nearest = Number.POSITIVE_INFINITY;
    let second = Number.POSITIVE_INFINITY;
    for (let r = row - 1; r <= row + 1; r += 1) {
      for (let c = column - 1; c <= column + 1; c += 1) {
        const p = 2 * (r * this.#columns + c);
        const du = c + this.#points[p]! - u;
        const dv = r + this.#points[p + 1]! - v;
        const d = du * du + dv * dv;
        if (d < nearest) {
          second = nearest;
          nearest = d;
        } else if (d < second) second = d;
      }
    }
    const gap = (Math.sqrt(second) - Math.sqrt(nearest)) * FatLobules.cellY;
    return line(gap, 13 * smoothstep(-1.5, 0.3, warp), 0.4);
  }
}

/**
 * Draws the signed distance to the outline, to first order: (ρ − R(φ)) / |∇ρ| in the frame where the ellipse is the
 * unit circle.
 */
function drawDistance(lesion: Lesion, size: number, pixel: number): Float32Array {
  const { x, y, radius, aspect, tilt, outline } = lesion;
  const halfWidth = radius / Math.sqrt(aspect);
  const halfHeight = radius * Math.sqrt(aspect);
  const steps = 1024;
  const radii = outlineRadii(outline, steps);
  const cos = Math.cos(tilt);
  const sin = Math.sin(tilt);
  const distance = new Float32Array(size * size);
  for (let i = 0; i < size; i += 1) {
    const dy = (i + 0.5) * pixel - y;
    for (let j = 0; j < size; j += 1) {
      const dx = (j + 0.5) * pixel - x;
      const u = (cos * dx + sin * dy) / halfWidth;
      const v = (cos * dy - sin * dx) / halfHeight;
      const rho = Math.sqrt(u * u + v * v) + 1e-6;
      const steepness = Math.sqrt((u / halfWidth) ** 2 + (v / halfHeight) ** 2) / rho + 1e-6;
      let boundary = 1;
      if (rho < 3) {
        const turn = (Math.atan2(v, u) / (2 * Math.PI) + 1) * steps;
        const whole = Math.floor(turn);
        const part = turn - whole;
        boundary = radii[whole % steps]! * (1 - part) + radii[(whole + 1) % steps]! * part;
      }
      distance[i * size + j] = (rho - boundary) / steepness;
    }
  }
  return distance;
}

/** Gives the share of lesion at a signed distance, for a margin that is `edge` mm wide. */
function coverage(distance: number, edge: number): number {
  return 1 / (1 + Math.exp(distance / (0.5 * edge)));
}

function addLesion(
  { lesion, signs }: BreastCase,
  distance: Float32Array,
  texture: Float32Array,
  echo: Float32Array,
): void {
  const reach = 4 * lesion.edge + 4;
  for (let at = 0; at < echo.length; at += 1) {
    const d = distance[at]!;
    if (d > reach) continue;
    if (signs.halo) echo[at]! += line(d - 1.2, 5, 0.9);
    // A sharp margin has a thin echogenic capsule (Stavros, Radiology 1995).
    if (signs.circumscribed) echo[at]! += line(d - 0.4, 4, 0.4);
    const share = coverage(d, lesion.edge);
    echo[at]! += share * (lesion.echoDb + lesion.textureDb * texture[at]! - echo[at]!);
  }
}

/**
 * Draws the loss along the beam, −2 f ∫ Δα dy, clipped to [−18, 8] dB and widened laterally by 0.4 mm. Streaks of
 * refraction lie below the tangents of smooth lesions, and next to nothing comes back from behind a rib.
 */
function drawShadow(
  { lesion, layers, signs }: BreastCase,
  distance: Float32Array,
  interfaces: readonly Float32Array[],
  size: number,
  pixel: number,
): Float32Array {
  const shadow = new Float32Array(size * size);
  const perPixel = (-2 * frequency * lesion.attenuation * pixel) / 10;
  const passed = new Float64Array(size);
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) {
      const at = i * size + j;
      if (distance[at]! < 3) passed[j]! += perPixel * coverage(distance[at]!, lesion.edge);
      shadow[at] = Math.max(-18, Math.min(8, passed[j]!));
    }
  }
  const blurred = gaussianBlur(shadow, size, size, 0.4 / pixel, 0);

  if (signs.circumscribed && !signs.irregular) {
    const halfWidth =
      (lesion.radius / Math.sqrt(lesion.aspect)) *
      Math.hypot(Math.cos(lesion.tilt), lesion.aspect * Math.sin(lesion.tilt));
    for (const tangent of [lesion.x - halfWidth, lesion.x + halfWidth]) {
      for (let j = 0; j < size; j += 1) {
        const loss = line((j + 0.5) * pixel - tangent, -4, 0.5);
        if (loss === 0) continue;
        for (let i = 0; i < size; i += 1) {
          blurred[i * size + j]! += loss * smoothstep(0, 3, (i + 0.5) * pixel - lesion.y);
        }
      }
    }
  }

  for (const rib of layers.ribs) {
    for (let j = 0; j < size; j += 1) {
      const off = ((j + 0.5) * pixel - rib.x) / rib.halfWidth;
      if (off * off >= 1) continue;
      const surface = ribSurface(interfaces[pectoralis]![j]!, off, rib.halfWidth);
      for (let i = 0; i < size; i += 1) {
        blurred[i * size + j]! -= 25 * smoothstep(0.4, 1.4, (i + 0.5) * pixel - surface);
      }
    }
  }
  return blurred;
}
