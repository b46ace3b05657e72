import { Random } from '../../tensor/random.js';
import { type LesionOutline, sampleOutline } from '../lesionOutline.js';
import { drawFindings, type Findings, severityShift } from './breastSigns.js';

/**
 * One patient's breast and the two scanner settings as numbers: lengths in mm (x across, y down from the probe),
 * stiffness in kPa (Young's modulus), echoes in dB relative to the gland. Nothing here depends on the image size.
 *
 * Echo levels, layer thicknesses and stiffness of normal tissue: glandular tissue 11.3 ± 5.8 kPa and fat 9.2 ± 4.5
 * kPa (Arch Med Sci 2011, n = 101); another series finds several times more (Diagnostics 2020, 10:393), hence the
 * patient's scale.
 */
export interface BreastCase extends Findings {
  readonly label: 'benign' | 'malignant';
  readonly view: View;
  readonly layers: Layers;
  readonly lesion: Lesion;
  readonly stiffness: Stiffness;
  readonly elastogram: Elastogram;
}

/** The B-mode settings. They do not depend on the label. */
export interface View {
  /** The side of the square image, in mm. */
  readonly fieldOfView: number;
  readonly gainDb: number;
  readonly dynamicRangeDb: number;
  readonly gamma: number;
  /** The attenuation that time-gain compensation leaves uncorrected. */
  readonly tgcDbPerMm: number;
  /** The depth of the transmit focus, in mm. */
  readonly focus: number;
  /** The number of envelopes that spatial compounding averages; 1 is none. */
  readonly looks: 1 | 3;
}

export interface Layers {
  /**
   * The side of the breast. The screen shows the patient's right on its left: the lateral side of the left breast is
   * on the right.
   */
  readonly laterality: 'left' | 'right';
  /** The thickness in mm of skin, subcutaneous fat, gland, retromammary fat, pectoral muscle and intercostal muscle. */
  readonly thickness: readonly number[];
  /** The standard deviation of each interface, in mm. */
  readonly waviness: number;
  /** The tilt of the interfaces below the skin, from that of the probe, in rad. */
  readonly tilt: number;
  /** The gain of the gland's thickness from the medial to the lateral edge of the view, in mm. */
  readonly wedge: number;
  /** The amount of fat scattered in the gland, 0 … 1. */
  readonly fatIslands: number;
  readonly ducts: readonly Duct[];
  readonly ribs: readonly { x: number; halfWidth: number }[];
}

/** A milk duct, which runs along the gland. */
export interface Duct {
  /** The mean depth, 0 at the gland's upper and 1 at its lower interface. */
  readonly depth: number;
  /** The place where the duct begins, then the one where it ends, in mm. */
  readonly from: number;
  readonly to: number;
  /** The width in mm. */
  readonly calibre: number;
}

export interface Lesion {
  readonly x: number;
  readonly y: number;
  /** The radius of the circle of equal area. */
  readonly radius: number;
  /** The ratio of height to width before the tilt. */
  readonly aspect: number;
  readonly tilt: number;
  readonly outline: LesionOutline;
  /** The width of the transition at the margin. */
  readonly edge: number;
  readonly echoDb: number;
  readonly textureDb: number;
  /** The attenuation in excess of the surroundings, in dB/cm/MHz. A negative one enhances the tissue behind. */
  readonly attenuation: number;
  /** Bright dots, by their offsets from the centre. */
  readonly calcifications: readonly { x: number; y: number; db: number }[];
}

export interface Stiffness {
  /** The level E of the lesion. */
  readonly lesion: number;
  /** The stiffness of the centre, then of the rim, relative to E; both 1 without a stiff rim. */
  readonly core: number;
  readonly rim: number;
  /** The distance by which the stiff region exceeds the B-mode outline, in mm. */
  readonly growth: number;
  /** The standard deviation of ln E within the lesion. */
  readonly heterogeneity: number;
  /** The factor on the stiffness of all normal tissue. */
  readonly patientScale: number;
  /** Whether this is a cyst in which no shear wave was measured. */
  readonly silentCyst: boolean;
}

/** The settings and artefacts of elastography. They do not depend on the label. */
export interface Elastogram {
  /** The top of the colour scale in kPa: 100 to 300, evenly in its logarithm. */
  readonly scaleKpa: number;
  readonly box: { left: number; right: number; top: number; bottom: number };
  /** The opacity of the colours over the B-mode image. */
  readonly opacity: number;
  /** The width at half maximum of the point spread, in mm. */
  readonly resolution: number;
  /** The factor on the stiffness above 4 mm depth when the probe presses; 1 if it does not. */
  readonly precompression: number;
  /** The push columns that show as vertical stripes. */
  readonly stripes: readonly number[];
}

const malignantShare = 0.42;
/** The ultrasound frequency in MHz. */
export const frequency = 10;

/** Starts the stream of random numbers of a pair and stage, so that a pair depends on nothing but its own index. */
export function stream(seed: number, index: number, stage: string): Random {
  return new Random(seed, 'breast', index, stage);
}

export interface CaseOptions {
  seed: number;
  index: number;
  /** The difficulty. 1 is as published; larger values bring the classes together and raise the noise. */
  difficulty?: number;
}

export function sampleCase({ seed, index, difficulty = 1 }: CaseOptions): BreastCase {
  const malignant = stream(seed, index, 'label').chance(malignantShare);
  const findings = drawFindings(stream(seed, index, 'signs'), malignant, difficulty);
  const view = sampleView(stream(seed, index, 'view'));
  const layers = sampleLayers(stream(seed, index, 'layers'), view);
  const lesion = sampleLesion(stream(seed, index, 'lesion'), malignant, findings, view, layers);
  return {
    label: malignant ? 'malignant' : 'benign',
    ...findings,
    view,
    layers,
    lesion,
    stiffness: sampleStiffness(stream(seed, index, 'stiffness'), malignant, findings, difficulty),
    elastogram: sampleElastogram(stream(seed, index, 'elastogram'), view, lesion),
  };
}

/** Tells the class of pair `index` without sampling the rest. */
export function caseLabel(seed: number, index: number): 'benign' | 'malignant' {
  return stream(seed, index, 'label').chance(malignantShare) ? 'malignant' : 'benign';
}

function sampleView(random: Random): View {
  return {
    fieldOfView: random.uniform(30, 50),
    gainDb: random.normal(0, 2),
    dynamicRangeDb: random.uniform(55, 65),
    gamma: random.uniform(0.9, 1.1),
    tgcDbPerMm: random.normal(-0.15, 0.08),
    focus: random.uniform(15, 25),
    looks: random.chance(0.5) ? 3 : 1,
  };
}

function sampleLayers(random: Random, { fieldOfView }: View): Layers {
  const thickness = [
    random.uniform(1.5, 2),
    random.uniform(4, 9),
    random.uniform(12, 20),
    random.uniform(3, 6),
    random.uniform(6, 10),
    random.uniform(4, 7),
  ];
  const laterality = random.chance(0.5) ? 'left' : 'right';
  const firstRib = random.uniform(-0.1, 0.4) * fieldOfView;
  const ribs = [0, 1].map((i) => {
    const fromMedial = firstRib + i * random.uniform(19, 26);
    return {
      x: laterality === 'left' ? fromMedial : fieldOfView - fromMedial,
      halfWidth: random.uniform(4.5, 6.5),
    };
  });
  const ducts = Array.from({ length: random.below(5) }, () => {
    const from = random.uniform(-0.2, 0.8) * fieldOfView;
    return {
      depth: random.uniform(0.2, 0.8),
      from,
      to: from + random.uniform(8, 25),
      calibre: random.uniform(0.5, 1.1),
    };
  });
  return {
    laterality,
    thickness,
    waviness: random.uniform(0.3, 1.5),
    tilt: random.normal(0, 0.06),
    wedge: random.uniform(0, 4),
    fatIslands: random.uniform(),
    ducts,
    ribs: random.chance(0.2) ? ribs : [],
  };
}

function sampleLesion(
  random: Random,
  malignant: boolean,
  { signs }: Findings,
  { fieldOfView }: View,
  { thickness }: Layers,
): Lesion {
  const radius = malignant ? random.uniform(4, 9.5) : random.uniform(3.5, 8);
  // The aspect follows the shape and not the class, as it would else give away more than the signs' rates allow.
  const parallelAspect = signs.irregular ? random.uniform(0.6, 1) : random.uniform(0.45, 0.85);
  const uprightAspect = random.uniform(1, 1.4);
  const aspect = signs.nonParallel ? uprightAspect : parallelAspect;
  const tilt = random.normal(0, signs.irregular ? 0.5 : 0.15);

  // The sonographer keeps the whole lesion in view, and the mass grows in the gland.
  const halfWidth = radius / Math.sqrt(aspect);
  const halfHeight = radius * Math.sqrt(aspect);
  const reach = Math.max(0, fieldOfView / 2 - halfWidth - 2);
  const x = fieldOfView / 2 + reach * random.uniform(-0.8, 0.8);
  const [skin, fat, gland] = thickness as [number, number, number];
  const glandTop = skin + fat;
  const wanted = random.uniform(glandTop + 0.5 * halfHeight, glandTop + gland - 0.5 * halfHeight);
  const y = Math.max(skin + 2 + halfHeight, Math.min(fieldOfView - 3 - halfHeight, wanted));

  const [echoDb, textureDb] = signs.cyst
    ? [-38, 0]
    : signs.markedlyHypoechoic
      ? [random.uniform(-16, -12), random.uniform(1, 2.5)]
      : signs.isoechoic
        ? [random.uniform(-3, -1), random.uniform(0.5, 1.5)]
        : [random.uniform(-10, -5), random.uniform(0.5, 2)];

  const attenuation = signs.shadowing
    ? Math.max(0.35, random.normal(0.9, 0.45))
    : signs.enhancement
      ? Math.min(-0.2, random.normal(-0.4, 0.15))
      : random.normal(0, 0.08);

  const cluster = { x: random.uniform(-0.3, 0.3), y: random.uniform(-0.3, 0.3) };
  const calcifications = Array.from({ length: signs.microcalcifications ? 4 + random.below(9) : 0 }, () => ({
    x: halfWidth * (cluster.x + random.normal(0, 0.22)),
    y: halfHeight * (cluster.y + random.normal(0, 0.22)),
    db: random.uniform(5, 11),
  }));

  return {
    x,
    y,
    radius,
    aspect,
    tilt,
    outline: sampleOutline(random, signs),
    edge: signs.circumscribed ? random.uniform(0.2, 0.35) : random.uniform(0.5, 0.9),
    echoDb,
    textureDb,
    attenuation,
    calcifications,
  };
}

/**
 * Samples the stiffness: ln E ~ N(ln 34, .70) benign, N(ln 92, .58) malignant: means of 43 and 109 kPa, standard
 * deviations of 34 and 69 (PMC9432095, n = 225: 43.4 ± 38.3 and 108.0 ± 70.0 kPa). Rim and core: peritumoral
 * stiffness (Xu 2021; WJCC 2020). The stiff region exceeds the outline by 1.5 mm in malignant and −0.2 mm in benign
 * lesions on average (elastogram-to-B-mode size ratio 1.36 ± .24 and 1.03 ± .30, JMU 2020). All follow the same
 * severity, so that they tell one story, not four.
 */
function sampleStiffness(
  random: Random,
  malignant: boolean,
  { signs, stiffSeverity }: Findings,
  difficulty: number,
): Stiffness {
  const [median, spread] = malignant ? [92, 0.58] : [34, 0.7];
  const middle = Math.log(Math.sqrt(92 * 34));
  const centre = middle + (Math.log(median) - middle) / difficulty;
  const classMean = (malignant ? severityShift : -severityShift) / difficulty;
  const shared = 0.8;
  const deviate = shared * (stiffSeverity - classMean) + Math.sqrt(1 - shared ** 2) * random.normal();
  const core = random.uniform(0.5, 1);
  const rim = Math.exp(random.normal(Math.log(1.45), 0.25));
  return {
    lesion: Math.max(5, Math.min(300, Math.exp(centre + spread * deviate))),
    core: signs.stiffRim ? core : 1,
    rim: signs.stiffRim ? rim : 1,
    growth: 0.65 + 0.94 * stiffSeverity + random.normal(0, 0.4),
    heterogeneity: Math.min(0.6, 0.205 * Math.exp(0.59 * stiffSeverity)),
    patientScale: random.uniform(0.8, 2.5),
    silentCyst: signs.cyst && random.chance(0.7),
  };
}

function sampleElastogram(random: Random, { fieldOfView }: View, lesion: Lesion): Elastogram {
  // The operator usually centres the box on the lesion, but not always.
  const near = random.normal(0, 2);
  const far = random.uniform(4, 8) * (random.chance(0.5) ? 1 : -1);
  const centre = lesion.x + (random.chance(0.2) ? far : near);
  const halfWidth = random.uniform(12, 15);
  const box = {
    left: Math.max(0.5, centre - halfWidth),
    right: Math.min(fieldOfView - 0.5, centre + halfWidth),
    top: random.uniform(2, 4.5),
    bottom: Math.min(fieldOfView - 0.5, random.uniform(27, 34)),
  };
  const pressed = random.chance(0.25);
  const precompression = random.uniform(1.5, 3);
  const striped = random.chance(0.15);
  const firstStripe = box.left + random.uniform(2, 7);
  const stripes = [0, 1, 2].map((i) => firstStripe + 8 * i).filter((x) => x < box.right);
  return {
    scaleKpa: 100 * 3 ** random.uniform(),
    box,
    opacity: random.uniform(0.5, 0.6),
    resolution: random.uniform(1, 2),
    precompression: pressed ? precompression : 1,
    stripes: striped ? stripes : [],
  };
}
