import type { Random } from '../../tensor/random.js';
import type { LesionOutline } from '../lesionOutline.js';
import { clamp, type FundusCase, type Point } from './fundusCase.js';
import type { Segment } from './fundusVessels.js';

/** The shapes of the signs of an eye, in mm. */
export interface FundusLesions {
  readonly drusen: readonly Spot[];
  readonly exudates: readonly Spot[];
  readonly pigment: readonly Spot[];
  /** Sharp atrophy: geographic atrophy, and the patches of pathologic myopia. */
  readonly atrophy: readonly Patch[];
  readonly membranes: readonly Patch[];
  readonly haemorrhages: readonly Patch[];
  readonly cracks: readonly Segment[];
  /** The ill-defined pallor; its strength is 0 where there is none. */
  readonly diffuse: Point & { readonly radius: number; readonly strength: number };
  /** Whether a neovascularisation lies too deep to show early, and leaks late and stippled. */
  readonly occult: boolean;
  /** The outline of the crescent at the disc. */
  readonly crescentOutline: LesionOutline;
}

/** A soft, round spot. */
export interface Spot extends Point {
  readonly radius: number;
  readonly strength: number;
}

/** A star-convex patch with an outline around `radius`. */
export interface Patch extends Point {
  readonly radius: number;
  readonly outline: LesionOutline;
}

export function sampleLesions(random: Random, { signs, severity, eye }: FundusCase): FundusLesions {
  const { fovea, disc } = eye;
  const extent = Math.exp(0.2 * clamp(severity, -2, 2));
  const near = (spread: number): Point => ({
    x: fovea.x + random.normal(0, spread),
    y: fovea.y + random.normal(0, spread),
  });
  const patch = (place: Point, low: number, high: number, roughness: number): Patch => ({
    ...place,
    radius: extent * random.uniform(low, high),
    outline: roughOutline(random, roughness),
  });
  const many = <T>(shown: boolean, low: number, high: number, make: () => T): T[] =>
    Array.from({ length: shown ? low + random.below(high - low + 1) : 0 }, make);

  const drusen = [
    ...many(signs.smallDrusen, 2, 5, () => ({
      ...near(1.6),
      radius: random.uniform(0.02, 0.035),
      strength: 0.7,
    })),
    ...many(signs.softDrusen, 18, 70, () => softDruse(random, near(0.85 * extent))),
  ];
  const membranes = many(signs.neovascularisation, 1, 1, () => patch(near(0.5), 0.4, 0.9, 0.16));
  const complicated = membranes.filter(() => random.chance(0.7));
  const bleeding = [
    ...complicated.flatMap(({ x, y, radius }) =>
      many(true, 1, 3, () => patch(around(random, { x, y }, radius), 0.15, 0.45, 0.22)),
    ),
    ...many(signs.haemorrhage, 1, 3, () => patch(near(2.2), 0.08, 0.25, 0.22)),
  ];
  const exudates = membranes
    .filter(() => random.chance(0.55))
    .flatMap(({ x, y, radius }) =>
      many(true, 8, 25, () => ({
        ...around(random, { x, y }, radius * random.uniform(1.1, 1.9)),
        radius: random.uniform(0.025, 0.07),
        strength: 1,
      })),
    );
  const geographic = many(signs.geographicAtrophy, 1, 3, () => patch(near(0.7), 0.4, 0.95, 0.15));
  const patchy = many(signs.patchyAtrophy, 1, 4, () => {
    const place = near(1.9);
    // The patches spare the disc, which has an atrophy of its own.
    const fromDisc = Math.hypot(place.x - disc.x, place.y - disc.y);
    const away = Math.max(1, 1.7 / fromDisc);
    return patch(
      { x: disc.x + away * (place.x - disc.x), y: disc.y + away * (place.y - disc.y) },
      0.25,
      0.75,
      0.18,
    );
  });
  const clumps = [
    ...many(signs.pigmentClumps, 4, 14, () => ({
      ...near(0.9),
      radius: random.uniform(0.03, 0.1),
      strength: random.uniform(0.4, 0.9),
    })),
    ...many(signs.fuchsSpot, 1, 1, () => ({ ...near(0.25), radius: random.uniform(0.2, 0.4), strength: 1 })),
  ];
  const lean = random.uniform(0.1, 0.75);
  return {
    drusen,
    exudates,
    pigment: clumps,
    atrophy: [...geographic, ...patchy],
    membranes,
    haemorrhages: bleeding,
    cracks: signs.lacquerCracks ? crackLines(random, fovea) : [],
    diffuse: {
      x: disc.x + lean * (fovea.x - disc.x),
      y: disc.y + lean * (fovea.y - disc.y),
      radius: extent * random.uniform(1.6, 2.8),
      strength: signs.diffuseAtrophy ? random.uniform(0.35, 0.9) : 0,
    },
    occult: random.chance(0.4),
    crescentOutline: roughOutline(random, 0.1),
  };
}

/** Draws a soft druse. Medium drusen are 63 to 124 µm across, large ones 125 µm and more (AREDS). */
function softDruse(random: Random, place: Point): Spot {
  const large = random.chance(0.4);
  const diameter = large ? random.uniform(0.125, 0.28) : random.uniform(0.063, 0.124);
  return { ...place, radius: diameter / 2, strength: random.uniform(0.5, 1) };
}

function around(random: Random, { x, y }: Point, distance: number): Point {
  const angle = random.uniform(0, 2 * Math.PI);
  return { x: x + distance * Math.cos(angle), y: y + distance * Math.sin(angle) };
}

function roughOutline(random: Random, roughness: number): LesionOutline {
  // k = 1 would only shift the patch.
  const harmonics = Array.from({ length: 10 }, (_, i) => ({
    k: i + 2,
    amplitude: (roughness / (i + 1) ** 1.3) * random.normal(),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  return { harmonics, spicules: [] };
}

/** Draws thin lines across the macula that branch. */
function crackLines(random: Random, { x, y }: Point): Segment[] {
  const lines: Segment[] = [];
  const draw = (from: Point, direction: number, steps: number, width: number) => {
    let [here, heading] = [from, direction];
    for (let i = 0; i < steps; i += 1) {
      heading += random.normal(0, 0.13);
      const to = { x: here.x + 0.15 * Math.cos(heading), y: here.y + 0.15 * Math.sin(heading) };
      lines.push({ from: here, to, width, branch: 0 });
      here = to;
      if (steps > 6 && random.chance(0.1)) {
        const turn = random.uniform(0.4, 0.9) * (random.chance(0.5) ? 1 : -1);
        draw(here, heading + turn, 3 + random.below(4), 0.7 * width);
      }
    }
  };
  const count = 1 + random.below(3);
  for (let i = 0; i < count; i += 1) {
    const from = { x: x + random.normal(0, 1), y: y + random.normal(0, 0.8) };
    draw(from, random.uniform(0, 2 * Math.PI), 8 + random.below(12), random.uniform(0.05, 0.09));
  }
  return lines;
}
