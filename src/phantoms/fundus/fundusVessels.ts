import type { Random } from '../../tensor/random.js';
import { apertureRadius, clamp, type Eye, fieldOfView, type Point } from './fundusCase.js';

/**
 * The retina's arteries and veins as trees of short segments. Trunks leave the disc: two arcades around the fovea,
 * two to the nasal side, two thin ones towards the fovea. Widths at a bifurcation follow Murray's law, wᵞ = w₁ᵞ +
 * w₂ᵞ, and angles its minimum of power: cos θ₁ = (w⁴ + w₁⁴ − w₂⁴) / 2w²w₁². A vessel never meets another one of its
 * kind.
 */
export interface VesselTree {
  readonly segments: readonly Segment[];
  readonly bifurcations: readonly Bifurcation[];
}

/** A straight piece of a vessel, in mm. Pieces of one branch follow each other. */
export interface Segment {
  readonly from: Point;
  readonly to: Point;
  readonly width: number;
  readonly branch: number;
}

/** The widths in mm of a parent and of the two vessels that it divides into, and their deflections in rad. */
export interface Bifurcation {
  readonly parent: number;
  readonly large: number;
  readonly small: number;
  readonly largeAngle: number;
  readonly smallAngle: number;
}

export type VesselKind = 'artery' | 'vein';

/** Murray's exponent: 3 in theory, 2.5 to 3 as measured in the retina. */
export const murrayExponent = 2.7;
/** The widths in mm where the trunks leave the disc, arteries to veins about as 2 to 3. */
const trunkWidth: Readonly<Record<VesselKind, number>> = { artery: 0.095, vein: 0.13 };
/** The width in mm below which vessels are capillaries, which are not drawn one by one. */
const thinnest = 0.018;
/** The greatest width, in mm, of a vessel that runs through the macula. */
const widestMacular = 0.06;
const step = 0.12;
/** The mean distance between two bifurcations, in mm. */
const bifurcationSpacing = 0.9;
/** The sharpest bend, in rad/mm. */
const largestCurvature = 0.8;

/** The course that a vessel steers: around the fovea, straight on, to the fovea, or away from the posterior pole. */
type Course = 'arcade' | 'straight' | 'macular' | 'peripheral';

/** A growing tip. Position and heading are in the frame of disc (origin) and fovea (on the positive first axis). */
interface Tip {
  u: number;
  v: number;
  heading: number;
  width: number;
  readonly course: Course;
  /** The half of the retina: 1 above the line through disc and fovea, −1 below. */
  readonly half: 1 | -1;
  readonly branch: number;
  readonly parent: number;
  /** The length in mm that is left to grow. */
  reach: number;
}

export function growVessels(random: Random, kind: VesselKind, eye: Eye): VesselTree {
  return new Growth(random, kind, eye).grow();
}

class Growth {
  readonly #random: Random;
  readonly #eye: Eye;
  readonly #kind: VesselKind;
  /** The distance from the disc to the fovea. */
  readonly #distance: number;
  readonly #axis: Point;
  readonly #centre: { u: number; v: number };
  readonly #occupied = new Occupancy();
  readonly #segments: Segment[] = [];
  readonly #bifurcations: Bifurcation[] = [];
  readonly #tips: Tip[] = [];
  /** The height of each arcade over the fovea. */
  readonly #arcade: Readonly<Record<1 | -1, number>>;
  #branches = 0;

  constructor(random: Random, kind: VesselKind, eye: Eye) {
    this.#random = random;
    this.#kind = kind;
    this.#eye = eye;
    const [dx, dy] = [eye.fovea.x - eye.disc.x, eye.fovea.y - eye.disc.y];
    this.#distance = Math.hypot(dx, dy);
    this.#axis = { x: dx / this.#distance, y: dy / this.#distance };
    const [cx, cy] = [fieldOfView / 2 - eye.disc.x, fieldOfView / 2 - eye.disc.y];
    this.#centre = this.#toFrame(cx, cy);
    this.#arcade = { 1: random.uniform(2.9, 3.9), [-1]: random.uniform(2.9, 3.9) };
  }

  grow(): VesselTree {
    this.#plantTrunks();
    // The widest tip grows first, so that thin vessels give way.
    while (this.#tips.length > 0) {
      let widest = 0;
      for (const [i, tip] of this.#tips.entries()) if (tip.width > this.#tips[widest]!.width) widest = i;
      this.#extend(this.#tips.splice(widest, 1)[0]!);
    }
    return { segments: this.#segments, bifurcations: this.#bifurcations };
  }

  #plantTrunks(): void {
    const random = this.#random;
    // Artery and vein of a pair leave the disc beside each other.
    const beside = this.#kind === 'artery' ? 0.1 : -0.1;
    for (const half of [1, -1] as const) {
      const width = trunkWidth[this.#kind] * random.uniform(0.9, 1.1);
      const plant = (angle: number, share: number, course: Course) => {
        const heading = half * angle;
        const start = 0.22;
        this.#plant({
          u: start * Math.cos(heading) - 0.1,
          v: start * Math.sin(heading),
          heading,
          width: width * share,
          course,
          half,
          reach: Number.POSITIVE_INFINITY,
          parent: -1,
        });
      };
      plant(random.normal(1.45, 0.12) + beside, 1, 'arcade');
      plant(random.normal(2.35, 0.12) + beside, random.uniform(0.6, 0.85), 'straight');
      plant(random.uniform(0.15, 0.4) + beside, random.uniform(0.32, 0.45), 'macular');
    }
  }

  #plant(tip: Omit<Tip, 'branch'>): void {
    this.#tips.push({ ...tip, branch: this.#branches });
    this.#branches += 1;
  }

  #extend(tip: Tip): void {
    const random = this.#random;
    let grown = 0;
    let sinceBifurcation = 0;
    while (tip.reach > 0 && tip.width >= thinnest) {
      const target = this.#targetHeading(tip);
      const bend = clamp(
        0.35 * turnTo(tip.heading, target),
        -largestCurvature * step,
        largestCurvature * step,
      );
      tip.heading += bend + random.normal(0, 0.07 * this.#eye.tortuosity);
      const free = [0, 0.3, -0.3, 0.6, -0.6].find((evasion) =>
        this.#isFree(tip, tip.heading + evasion, grown),
      );
      if (free === undefined) return;
      tip.heading += free;
      this.#advance(tip);
      grown += step;
      sinceBifurcation += step;
      tip.reach -= step;
      if (this.#isAtEnd(tip)) return;
      const outside = Math.hypot(tip.u, tip.v) > 1;
      if (outside && sinceBifurcation > 0.35 && random.chance(step / bifurcationSpacing)) {
        if (this.#bifurcate(tip)) sinceBifurcation = 0;
      }
    }
  }

  #advance(tip: Tip): void {
    const from = this.#toImage(tip);
    tip.u += step * Math.cos(tip.heading);
    tip.v += step * Math.sin(tip.heading);
    this.#segments.push({ from, to: this.#toImage(tip), width: tip.width, branch: tip.branch });
    this.#occupied.mark(tip, step, tip.branch);
  }

  #targetHeading({ u, v, heading, course, half }: Tip): number {
    const distance = this.#distance;
    switch (course) {
      case 'arcade': {
        // An arcade runs steeply up from the disc, around the fovea (u = L (v/h)²·⁵), then flat; where it strays
        // within, outwards again.
        const out = Math.max(0.05, half * v) / this.#arcade[half];
        const slope = (2.5 * distance * out ** 1.5) / this.#arcade[half];
        const angle = Math.atan2(1, slope) - 0.45 * clamp((u - 0.7 * distance) / distance, 0, 1.2);
        return half * (angle + 0.25 * clamp(u - distance * out ** 2.5, -1, 1));
      }
      case 'macular': {
        const inwards = Math.atan2(-v, distance - u);
        return heading + 0.5 * turnTo(heading, inwards);
      }
      case 'peripheral': {
        const away = Math.atan2(v, u - 0.5 * distance);
        return heading + 0.4 * turnTo(heading, away);
      }
      default:
        return heading;
    }
  }

  #isAtEnd({ u, v, course }: Tip): boolean {
    if (Math.hypot(u - this.#centre.u, v - this.#centre.v) > apertureRadius + 0.1) return true;
    const toFovea = Math.hypot(u - this.#distance, v);
    if (course !== 'macular') return toFovea < 1.3;
    return toFovea < this.#eye.fovealZone + 0.15 || (toFovea < 2 && this.#random.chance(0.1));
  }

  #bifurcate(tip: Tip): boolean {
    const random = this.#random;
    const ratio = 0.2 + 0.75 * beta23(random);
    const parent = tip.width;
    const large = parent * (1 + ratio ** murrayExponent) ** (-1 / murrayExponent);
    const small = ratio * large;
    const largeAngle = deflection(parent, large, small);
    const smallAngle = deflection(parent, small, large);
    const side = this.#sideOfChild(tip);
    const heading = tip.heading + side * smallAngle;
    const child = { ...tip, heading, width: small, parent: tip.branch, branch: -1 };
    if (small >= thinnest && ![0.15, 0.3, 0.45].every((ahead) => this.#isFree(child, heading, 0, ahead))) {
      return false;
    }
    const course = this.#courseOfChild(tip, heading);
    if (course === 'macular' && small > widestMacular) return false;
    this.#bifurcations.push({ parent, large, small, largeAngle, smallAngle });
    tip.width = large;
    tip.heading -= side * largeAngle;
    if (small < thinnest) return true;
    this.#plant({
      ...child,
      course,
      reach: Math.min(tip.reach, small * random.uniform(30, 80)),
    });
    return true;
  }

  /** Chooses the side of the parent's heading on which the child leaves: 1 is towards larger angles. */
  #sideOfChild({ u, v, heading, course }: Tip): 1 | -1 {
    const random = this.#random;
    if (course !== 'arcade') return random.chance(0.5) ? 1 : -1;
    const towardsFovea = turnTo(heading, Math.atan2(-v, this.#distance - u)) > 0 ? 1 : -1;
    return random.chance(0.55) ? towardsFovea : (-towardsFovea as 1 | -1);
  }

  #courseOfChild({ u, v, course }: Tip, heading: number): Course {
    if (course !== 'arcade') return course;
    const inwards = Math.abs(turnTo(heading, Math.atan2(-v, this.#distance - u))) < 1.3;
    return inwards ? 'macular' : 'peripheral';
  }

  /** Tells whether a step in this direction keeps clear of its own kind. At its origin a vessel touches its parent. */
  #isFree({ u, v, width, branch, parent }: Tip, heading: number, grown: number, ahead = 0.17): boolean {
    const place = { u: u + ahead * Math.cos(heading), v: v + ahead * Math.sin(heading) };
    // The trunks stand close on the disc.
    const clearance = Math.hypot(u, v) < 1.1 ? 0.08 : 0.1 + 1.2 * width;
    return this.#occupied.isFree(place, clearance, branch, grown === 0 ? parent : -1);
  }

  #toFrame(dx: number, dy: number): { u: number; v: number } {
    const { x, y } = this.#axis;
    return { u: dx * x + dy * y, v: dx * y - dy * x };
  }

  #toImage({ u, v }: { u: number; v: number }): Point {
    const { x, y } = this.#axis;
    return { x: this.#eye.disc.x + u * x + v * y, y: this.#eye.disc.y + u * y - v * x };
  }
}

/** The side of a cell in mm; below, the extent of the grid to each side of the disc. */
const cell = 0.06;
const gridReach = 14;
const cellsAcross = Math.ceil((2 * gridReach) / cell);

/** A grid over the frame of disc and fovea that knows which branch runs through each cell. */
class Occupancy {
  /** The branch + 1 in each cell; 0 where there is none. */
  readonly #grid = new Uint16Array(cellsAcross ** 2);

  /** Marks the last `length` mm behind a tip. */
  mark({ u, v, heading }: { u: number; v: number; heading: number }, length: number, branch: number): void {
    for (let back = 0; back < length; back += cell / 2) {
      const at = this.#at(u - back * Math.cos(heading), v - back * Math.sin(heading));
      if (at >= 0) this.#grid[at] = branch + 1;
    }
  }

  isFree({ u, v }: { u: number; v: number }, clearance: number, ...own: readonly number[]): boolean {
    const reach = Math.ceil(clearance / cell);
    for (let i = -reach; i <= reach; i += 1) {
      for (let j = -reach; j <= reach; j += 1) {
        if (i * i + j * j > (clearance / cell) ** 2) continue;
        const at = this.#at(u + j * cell, v + i * cell);
        const found = at < 0 ? 0 : this.#grid[at]!;
        if (found !== 0 && !own.includes(found - 1)) return false;
      }
    }
    return true;
  }

  #at(u: number, v: number): number {
    const column = Math.floor((u + gridReach) / cell);
    const row = Math.floor((v + gridReach) / cell);
    return column < 0 || row < 0 || column >= cellsAcross || row >= cellsAcross
      ? -1
      : row * cellsAcross + column;
  }
}

/**
 * Computes the angle by which a branch of width `own` leaves its parent's direction where the other one has width
 * `other`.
 */
function deflection(parent: number, own: number, other: number): number {
  const cosine = (parent ** 4 + own ** 4 - other ** 4) / (2 * parent ** 2 * own ** 2);
  return Math.acos(clamp(cosine, -1, 1));
}

/** Computes the smallest turn from one heading to another, −π … π. */
function turnTo(from: number, to: number): number {
  const turn = (to - from) % (2 * Math.PI);
  return turn > Math.PI ? turn - 2 * Math.PI : turn < -Math.PI ? turn + 2 * Math.PI : turn;
}

/** Draws from Beta(2, 3), as the second smallest of four uniform numbers. */
function beta23(random: Random): number {
  const draws = [random.uniform(), random.uniform(), random.uniform(), random.uniform()];
  return draws.sort((a, b) => a - b)[1]!;
}
