/**
 * Draws the signs that a breast lesion shows. Every sign is drawn through a severity z ~ N(±0.9, 1) (malignant +,
 * benign −): P(sign | z) = 1 / (1 + exp(−slope·z − offset)). Signs therefore go together, and the classes overlap as
 * they do in patients. Slope and offset are solved for numerically, so that P(sign | class) is the table's.
 *
 * Rates of shape, orientation and margin: Hong et al., AJR 2005 (403 masses, 141 malignant), from their counts. The
 * others are general knowledge with the literature's order of magnitude; shadowing is a weak sign (BMC Med Imaging
 * 2022: 72 of 117 masses with shadowing were benign). Stiff rim: the order of Xu 2021.
 */
import type { Random } from '../../tensor/random.js';

/** The rate of a sign in each class, P(sign | class). */
export interface SignRate {
  readonly malignant: number;
  readonly benign: number;
}

export const signRates = {
  /** Sharp margin all around. */
  circumscribed: { malignant: 18 / 141, benign: 160 / 262 },
  /** Thin lines radiating from the margin; never circumscribed, always irregular. */
  spiculated: { malignant: 19 / 141, benign: 3 / 262 },
  /** Neither oval nor round. */
  irregular: { malignant: 102 / 141, benign: 62 / 262 },
  /** Taller than wide. */
  nonParallel: { malignant: 75 / 141, benign: 34 / 262 },
  /** Echogenic halo instead of an abrupt boundary; never with a circumscribed margin. */
  halo: { malignant: 0.35, benign: 0.05 },
  shadowing: { malignant: 0.35, benign: 0.1 },
  /** Posterior enhancement; never with shadowing. */
  enhancement: { malignant: 0.15, benign: 0.3 },
  /** Markedly hypoechoic, darker than fat. */
  markedlyHypoechoic: { malignant: 0.6, benign: 0.2 },
  /** Nearly as bright as the gland. */
  isoechoic: { malignant: 0.03, benign: 0.15 },
  microcalcifications: { malignant: 0.3, benign: 0.05 },
  /** Simple cyst: oval, circumscribed, anechoic. */
  cyst: { malignant: 0, benign: 0.1 },
  /** Shell stiffer than the core on elastography. */
  stiffRim: { malignant: 0.7, benign: 0.15 },
} as const satisfies Record<string, SignRate>;

export type Sign = keyof typeof signRates;
export type Signs = Readonly<Record<Sign, boolean>>;

/** The distance of each class's mean severity from 0, in standard deviations. */
export const severityShift = 0.9;
/**
 * The correlation, within a class, of the severities that B-mode and elastography show: partly shared, partly their
 * own.
 */
const severityCorrelation = 0.5;
/** The share of irregular lesions among circumscribed ones. */
const irregularIfCircumscribed = 0.05;
/** The share of cysts with posterior enhancement. */
const enhancementIfCyst = 0.6;

/** A probability as a function of severity and class. */
type Chance = (severity: number, malignant: boolean) => number;

/** Computes ∫ N(z; ±0.9, 1) f(z) dz by the trapezoid rule, which is exact to rounding for so smooth an integrand. */
function expectation(malignant: boolean, f: (severity: number) => number): number {
  const mean = malignant ? severityShift : -severityShift;
  const step = 0.1;
  let sum = 0;
  for (let i = -60; i <= 60; i += 1) sum += Math.exp(-((i * step) ** 2) / 2) * f(mean + i * step);
  return (sum * step) / Math.sqrt(2 * Math.PI);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/**
 * Finds the logistic curve of severity for which P(eligible and sign | class) = `target` in both classes, by Newton's
 * method on its slope and offset. `eligible` is the chance that earlier signs leave this one open.
 */
function calibrate(target: SignRate, eligible: Chance = () => 1): (severity: number) => number {
  let slope = target.malignant > target.benign ? 1 : -1;
  let offset = 0;
  const residual = (malignant: boolean) => {
    const curve = (z: number) => logistic(slope * z + offset);
    const density = (z: number) => eligible(z, malignant) * curve(z) * (1 - curve(z));
    return {
      gap:
        (malignant ? target.malignant : target.benign) -
        expectation(malignant, (z) => eligible(z, malignant) * curve(z)),
      bySlope: expectation(malignant, (z) => z * density(z)),
      byOffset: expectation(malignant, density),
    };
  };
  for (let iteration = 0; iteration < 60; iteration += 1) {
    const m = residual(true);
    const b = residual(false);
    if (Math.abs(m.gap) + Math.abs(b.gap) < 1e-12) return (z) => logistic(slope * z + offset);
    const determinant = m.bySlope * b.byOffset - m.byOffset * b.bySlope;
    // Steps are kept short, as the curves are too flat for Newton's tangent far from the solution.
    slope += clamp((m.gap * b.byOffset - m.byOffset * b.gap) / determinant, -0.5, 0.5);
    offset += clamp((m.bySlope * b.gap - m.gap * b.bySlope) / determinant, -0.5, 0.5);
  }
  throw new Error(`breast signs: no logistic curve gives the rates ${JSON.stringify(target)}`);
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}

// Below is the tree of signs. The part of a sign that an earlier one brings is taken off its target before its curve is
// solved for.
const r = signRates;
const circumscribed = calibrate(r.circumscribed);
const notCircumscribed: Chance = (z) => 1 - circumscribed(z);
const spiculated = calibrate(r.spiculated, notCircumscribed);
const irregular = calibrate(
  {
    malignant:
      r.irregular.malignant - r.spiculated.malignant - irregularIfCircumscribed * r.circumscribed.malignant,
    benign: r.irregular.benign - r.spiculated.benign - irregularIfCircumscribed * r.circumscribed.benign,
  },
  (z) => (1 - circumscribed(z)) * (1 - spiculated(z)),
);
/** The share of cysts among benign lesions that are oval and circumscribed. */
const cystShare = r.cyst.benign / (r.circumscribed.benign * (1 - irregularIfCircumscribed));
const solid: Chance = (z, malignant) =>
  malignant ? 1 : 1 - cystShare * circumscribed(z) * (1 - irregularIfCircumscribed);
const nonParallel = calibrate(r.nonParallel, solid);
const halo = calibrate(r.halo, notCircumscribed);
const shadowing = calibrate(r.shadowing, solid);
const enhancement = calibrate(
  { malignant: r.enhancement.malignant, benign: r.enhancement.benign - enhancementIfCyst * r.cyst.benign },
  (z, malignant) => solid(z, malignant) * (1 - shadowing(z)),
);
const markedlyHypoechoic = calibrate(r.markedlyHypoechoic, solid);
const isoechoic = calibrate(r.isoechoic, (z, malignant) => solid(z, malignant) * (1 - markedlyHypoechoic(z)));
const microcalcifications = calibrate(r.microcalcifications, solid);
const stiffRim = calibrate(r.stiffRim);

export interface Findings {
  readonly signs: Signs;
  /** The severity behind the B-mode signs. */
  readonly severity: number;
  /** The severity behind the elastographic signs, which correlates with the other one within a class. */
  readonly stiffSeverity: number;
}

/**
 * Draws the findings of a lesion. `difficulty` divides the distance of the classes' mean severities; at 1 the rates
 * are the table's.
 */
export function drawFindings(random: Random, malignant: boolean, difficulty: number): Findings {
  const mean = (malignant ? severityShift : -severityShift) / difficulty;
  const shared = random.normal();
  const own = random.normal();
  const severity = mean + shared;
  const stiffSeverity = mean + severityCorrelation * shared + Math.sqrt(1 - severityCorrelation ** 2) * own;

  // Each sign has one uniform number, drawn whether needed or not, so that the signs stay comparable between
  // difficulties.
  const u = {
    circumscribed: random.uniform(),
    spiculated: random.uniform(),
    irregular: random.uniform(),
    cyst: random.uniform(),
    nonParallel: random.uniform(),
    halo: random.uniform(),
    shadowing: random.uniform(),
    enhancement: random.uniform(),
    markedlyHypoechoic: random.uniform(),
    isoechoic: random.uniform(),
    microcalcifications: random.uniform(),
    stiffRim: random.uniform(),
  };
  const isCircumscribed = u.circumscribed < circumscribed(severity);
  const isSpiculated = !isCircumscribed && u.spiculated < spiculated(severity);
  const isIrregular =
    isSpiculated || u.irregular < (isCircumscribed ? irregularIfCircumscribed : irregular(severity));
  const isCyst = !malignant && isCircumscribed && !isIrregular && u.cyst < cystShare;
  const isShadowing = !isCyst && u.shadowing < shadowing(severity);
  const isMarkedlyHypoechoic = !isCyst && u.markedlyHypoechoic < markedlyHypoechoic(severity);
  const signs: Signs = {
    circumscribed: isCircumscribed,
    spiculated: isSpiculated,
    irregular: isIrregular,
    cyst: isCyst,
    nonParallel: !isCyst && u.nonParallel < nonParallel(severity),
    halo: !isCircumscribed && u.halo < halo(severity),
    shadowing: isShadowing,
    enhancement: !isShadowing && u.enhancement < (isCyst ? enhancementIfCyst : enhancement(severity)),
    markedlyHypoechoic: isMarkedlyHypoechoic,
    isoechoic: !isCyst && !isMarkedlyHypoechoic && u.isoechoic < isoechoic(severity),
    microcalcifications: !isCyst && u.microcalcifications < microcalcifications(severity),
    stiffRim: u.stiffRim < stiffRim(stiffSeverity),
  };
  return { signs, severity, stiffSeverity };
}
