import { Random } from '../../tensor/random.js';

/**
 * One eye and its two examinations as numbers: lengths in mm on the retina, x to the right, y down from the corner of a
 * field with a side of `fieldOfView` mm. Nothing here depends on the image size.
 *
 * Distance of disc and fovea 4.76 ± .34 mm (3.76 … 6.53; Beijing Eye Study, PMC4577126), disc 1.88 × 1.77 mm (Quigley
 * 1990). Rates of signs: the order of magnitude that textbooks give; pathologic myopia after META-PM (category 2,
 * diffuse atrophy, or more, or a plus sign: lacquer cracks, neovascularisation, Fuchs' spot), AMD after AREDS (soft
 * drusen, geographic atrophy, neovascularisation).
 */
export interface FundusCase {
  readonly condition: FundusCondition;
  readonly signs: FundusSigns;
  /** The severity of the disease among eyes of the same condition, in standard deviations. */
  readonly severity: number;
  readonly eye: Eye;
  readonly camera: Camera;
  readonly angiography: Angiography;
}

export const fundusConditions = ['normal', 'amd', 'high-myopia', 'pathologic-myopia'] as const;
export type FundusCondition = (typeof fundusConditions)[number];

/** The side of the square image in mm. The round aperture within it has the radius `apertureRadius`. */
export const fieldOfView = 12.9;
export const apertureRadius = 6.35;

/** The rates of signs, P(sign | condition), in the order of `fundusConditions`. */
export const fundusSignRates = {
  /** Atrophy beside the disc on its temporal side. */
  crescent: [0.3, 0.3, 0.7, 0.8],
  /** Oval disc, its long axis turned. */
  tiltedDisc: [0.08, 0.08, 0.35, 0.5],
  /** Ill-defined yellowish pallor of the posterior pole. */
  diffuseAtrophy: [0.08, 0.08, 0.22, 0.57],
  /** Well-defined gray-white patches. */
  patchyAtrophy: [0, 0, 0.03, 0.3],
  /** Thin yellowish lines: breaks of Bruch's membrane. */
  lacquerCracks: [0, 0, 0.05, 0.25],
  /** Pigmented scar of a myopic neovascularisation. */
  fuchsSpot: [0, 0, 0.01, 0.1],
  /** Choroidal neovascularisation, which leaks. */
  neovascularisation: [0, 0.35, 0.01, 0.12],
  /** Haemorrhage where vessels have not grown: it says little. */
  haemorrhage: [0.03, 0.06, 0.04, 0.06],
  /** A few drusen below 63 µm: AREDS category 1. */
  smallDrusen: [0.45, 0.85, 0.3, 0.25],
  /** Drusen of 63 µm and more. */
  softDrusen: [0.08, 0.72, 0.05, 0.05],
  geographicAtrophy: [0, 0.3, 0, 0],
  /** Clumps of pigment in the macula. */
  pigmentClumps: [0.04, 0.45, 0.05, 0.2],
} as const satisfies Record<string, readonly [number, number, number, number]>;

export type FundusSign = keyof typeof fundusSignRates;
export type FundusSigns = Readonly<Record<FundusSign, boolean>>;
const signNames = Object.keys(fundusSignRates) as FundusSign[];

/** The means, by condition, of the tessellation, 0 … 1, and of the crescent's width over the disc's radius. */
const tessellationMeans = [0.3, 0.28, 0.48, 0.56] as const;
const crescentMeans = [0.35, 0.35, 0.6, 0.8] as const;
/** The share of the variance of each sign's threshold that all signs of an eye have in common. */
const sharedVariance = 0.3;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Eye {
  readonly side: 'left' | 'right';
  readonly disc: Disc;
  readonly fovea: Point;
  /** The degree to which the choroid's vessels show, 0 … 1. */
  readonly tessellation: number;
  /** The pigment of the whole fundus, 0 … 1: light to dark people. */
  readonly pigment: number;
  /** The colour of the fundus from 0, tan, to 1, red. */
  readonly redness: number;
  /** The radius of the capillary-free zone. */
  readonly fovealZone: number;
  /** The factor on the vessels' wandering. Axial stretching straightens them. */
  readonly tortuosity: number;
}

export interface Disc extends Point {
  /** The longer half axis; below, the shorter one. */
  readonly long: number;
  readonly short: number;
  /** The direction of the long axis, in rad. */
  readonly angle: number;
  /** The ratio of cup to disc. */
  readonly cup: number;
  /** The greatest width of the atrophy beside the disc; 0 where there is none. */
  readonly crescent: number;
  /** The reach of the crescent, in rad to each side of the temporal direction; π is a ring. */
  readonly crescentReach: number;
}

/** The settings of the colour photograph. They do not depend on the condition. */
export interface Camera {
  readonly gain: readonly [number, number, number];
  /** The place where the flash is brightest. */
  readonly brightest: Point;
  /** The share of the light that is lost one aperture radius away from there. */
  readonly falloff: number;
  /** The standard deviation of the blur by lens and media. */
  readonly blur: number;
  /** The gray-green veil of the media, 0 … 1, thickest at the edge. */
  readonly veil: number;
  /** The crescent of stray light at the aperture's edge: its direction, and its strength or 0. */
  readonly flare: { readonly angle: number; readonly strength: number };
}

/** The settings of the angiogram. They do not depend on the condition. */
export interface Angiography {
  /** The phase: 0 is the arteriovenous one (about 25 s), 1 the late one (about 10 min). */
  readonly phase: number;
  readonly gain: number;
  readonly brightest: Point;
  readonly falloff: number;
  readonly blur: number;
}

/** Starts the stream of random numbers of a pair and stage, so that a pair depends on nothing but its own index. */
export function fundusStream(seed: number, index: number, stage: string): Random {
  return new Random(seed, 'fundus', index, stage);
}

/** The share of each condition among the pairs. Conditions at 0 do not take part. */
export type ConditionShares = Readonly<Record<FundusCondition, number>>;

export interface FundusCaseOptions {
  seed: number;
  index: number;
  shares: ConditionShares;
  /** The difficulty. 1 is as published; larger values bring the conditions together and raise the noise. */
  difficulty?: number;
}

export function sampleFundusCase({ seed, index, shares, difficulty = 1 }: FundusCaseOptions): FundusCase {
  const condition = fundusCondition(seed, index, shares);
  const present = fundusConditions.map((name) => shares[name] > 0);
  const at = fundusConditions.indexOf(condition);
  // The entry of the condition, drawn towards the mean of those that take part.
  const typical = (entries: readonly number[]): number => {
    const taking = entries.filter((_, i) => present[i]);
    const mean = taking.reduce((sum, entry) => sum + entry, 0) / taking.length;
    return mean + (entries[at]! - mean) / difficulty;
  };

  const random = fundusStream(seed, index, 'signs');
  const severity = random.normal();
  const signs = Object.fromEntries(
    signNames.map((sign) => {
      const own = random.normal();
      const threshold = Math.sqrt(sharedVariance) * severity + Math.sqrt(1 - sharedVariance) * own;
      return [sign, upperTail(threshold) < typical(fundusSignRates[sign])];
    }),
  ) as Record<FundusSign, boolean>;
  const tessellation = clamp(typical(tessellationMeans) + random.normal(0, 0.16), 0.05, 0.95);
  const crescentWidth = clamp(typical(crescentMeans) * Math.exp(random.normal(0, 0.4)), 0.15, 1.7);
  return {
    condition,
    signs,
    severity,
    eye: sampleEye(fundusStream(seed, index, 'eye'), signs, tessellation, crescentWidth),
    camera: sampleCamera(fundusStream(seed, index, 'camera')),
    angiography: sampleAngiography(fundusStream(seed, index, 'angiography')),
  };
}

/** Tells the condition of pair `index` without sampling the rest. */
export function fundusCondition(seed: number, index: number, shares: ConditionShares): FundusCondition {
  const total = fundusConditions.reduce((sum, name) => sum + shares[name], 0);
  const drawn = total * fundusStream(seed, index, 'condition').uniform();
  const taking = fundusConditions.filter((name) => shares[name] > 0);
  let below = 0;
  for (const name of taking) {
    below += shares[name];
    if (drawn < below) return name;
  }
  return taking.at(-1)!;
}

function sampleEye(random: Random, signs: FundusSigns, tessellation: number, crescentWidth: number): Eye {
  const rightEye = random.chance(0.5);
  // As photographed, the disc of a right eye lies to the right of its fovea.
  const nasal = rightEye ? 1 : -1;
  const distance = clamp(random.normal(4.76, 0.34), 3.76, 6.53);
  const below = random.normal(0.35, 0.15);
  const across = Math.sqrt(distance ** 2 - below ** 2);
  // The photographer aims between fovea and disc.
  const aim = random.uniform(0, 0.45);
  const centre = { x: fieldOfView / 2 + random.normal(0, 0.25), y: fieldOfView / 2 + random.normal(0, 0.3) };
  const fovea = { x: centre.x - nasal * aim * across, y: centre.y + below * aim };
  const axes = [random.normal(0.94, 0.07), random.normal(0.885, 0.07)] as const;
  const flattening = random.uniform(0.68, 0.85);
  const turn = random.normal(0, signs.tiltedDisc ? 0.45 : 0.15);
  const ring = random.chance(0.2);
  const reach = random.uniform(0.9, 1.5);
  const widthLimit = signs.crescent ? crescentWidth : 0;
  return {
    side: rightEye ? 'right' : 'left',
    fovea,
    disc: {
      x: fovea.x + nasal * across,
      y: fovea.y - below,
      long: Math.max(...axes),
      short: Math.min(...axes) * (signs.tiltedDisc ? flattening : 1),
      angle: Math.PI / 2 + turn,
      cup: random.uniform(0.25, 0.5),
      crescent: widthLimit * axes[1],
      crescentReach: ring && crescentWidth > 0.6 ? Math.PI : reach,
    },
    tessellation,
    pigment: random.uniform(),
    redness: random.uniform(),
    fovealZone: random.uniform(0.2, 0.3),
    tortuosity: random.uniform(0.7, 1.5) * (tessellation > 0.5 ? 0.75 : 1),
  };
}

function sampleCamera(random: Random): Camera {
  const exposure = random.uniform(0.8, 1.12);
  const gain = () => exposure * random.uniform(0.92, 1.08);
  const brightest = {
    x: fieldOfView / 2 + random.normal(0, 1.2),
    y: fieldOfView / 2 + random.normal(0, 1.2),
  };
  const flared = random.chance(0.2);
  return {
    gain: [gain(), gain(), gain()],
    brightest,
    falloff: random.uniform(0.15, 0.4),
    blur: random.uniform(0, 0.07),
    veil: random.uniform(0, 0.5) ** 1.5,
    flare: { angle: random.uniform(0, 2 * Math.PI), strength: flared ? random.uniform(0.15, 0.5) : 0 },
  };
}

function sampleAngiography(random: Random): Angiography {
  return {
    phase: random.uniform(),
    gain: random.uniform(0.8, 1.2),
    brightest: {
      x: fieldOfView / 2 + random.normal(0, 1.2),
      y: fieldOfView / 2 + random.normal(0, 1.2),
    },
    falloff: random.uniform(0.15, 0.4),
    blur: random.uniform(0, 0.06),
  };
}

/** Computes P(X > z) of a standard normal X, to 1e-7 (Abramowitz & Stegun 26.2.17). */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const polynomial =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp(-(z ** 2) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
  return z >= 0 ? tail : 1 - tail;
}

export function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}
