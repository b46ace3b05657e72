/**
 * The room `phantoms/fundus` draws a synthetic study of the ocular fundus: for each patient a colour photograph `a`
 * and a fluorescein angiogram `b` (gray) of the same field, and on request its autofluorescence `c` (gray). Vessels, disc, fovea and lesions are shared; vessels are
 * dark in `a` and bright in `b`. Colours of lipid, blood and pigment show in `a` only; filling, leakage and staining
 * in `b` only. Signs overlap between the conditions.
 */
import type { Dataset, Raster, Sample } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import {
  ALIGNED,
  FARTHEST,
  type Misalignment,
  MOTIONS,
  type Motion,
  misalign,
  misalignmentKey,
} from '../misalignment.js';
import { drawAngiogram } from './fundusAngiogram.js';
import { drawAutofluorescence } from './fundusAutofluorescence.js';
import {
  type ConditionShares,
  type FundusCase,
  type FundusCondition,
  fundusCondition,
  fundusConditions,
  fundusStream,
  sampleFundusCase,
} from './fundusCase.js';
import { drawPhotograph } from './fundusPhotograph.js';
import { drawFundus, type FundusTissue } from './fundusTissue.js';

/** The version of the pixels. It is part of every key and raised whenever a pixel changes. */
export const fundusPhantomVersion = 1;

/**
 * The tasks: pathologic myopia (`pm`, as in iChallenge-PM) or age-related macular degeneration (`amd`) against the
 * rest.
 */
export const fundusTasks = ['pm', 'amd'] as const;
export type FundusTask = (typeof fundusTasks)[number];

interface TaskDefinition {
  readonly condition: FundusCondition;
  readonly positive: string;
  readonly negative: string;
  readonly shares: ConditionShares;
}

const tasks: Readonly<Record<FundusTask, TaskDefinition>> = {
  pm: {
    condition: 'pathologic-myopia',
    positive: 'PM',
    negative: 'non-PM',
    shares: { normal: 0.3, amd: 0, 'high-myopia': 0.22, 'pathologic-myopia': 0.48 },
  },
  amd: {
    condition: 'amd',
    positive: 'AMD',
    negative: 'non-AMD',
    shares: { normal: 0.36, amd: 0.4, 'high-myopia': 0.12, 'pathologic-myopia': 0.12 },
  },
};

export interface FundusPhantomOptions {
  pairs: number;
  seed: number;
  task?: FundusTask;
  /**
   * The conditions that take part: the one sought as often as in the task, the others alike; absent: all, with the
   * task's shares.
   */
  classes?: readonly string[];
  /** The number of modalities: 2, the default, or 3 with the autofluorescence `c`. */
  modalities?: number;
  /** The difficulty. 1 overlaps the conditions as in the table of signs; larger is harder. */
  difficulty?: number;
  /** The root-mean-square displacement of `b` against `a`, in pixels of a 224-pixel image, 0 (the default) to 36. */
  misalignment?: number;
  /** What moves: each place by its own way (`elastic`, the default), or the whole image (`rigid`). */
  motion?: Motion;
}

export function fundusPhantom(options: FundusPhantomOptions): Dataset {
  const { pairs, seed } = options;
  requireInteger('pairs', pairs, 1, 1_000_000);
  const settings = check(options);
  const { task, shares, difficulty } = settings;
  const modalities = ['a', 'b', 'c'].slice(0, settings.modalities);
  const drawn = fundusConditions.filter((name) => shares[name] > 0).join('+');
  const key = `fundus-${fundusPhantomVersion}/seed=${seed}/task=${task}/classes=${drawn}/difficulty=${difficulty}`;

  // A loader usually asks for a and b of a pair in turn, so only the latest pair's anatomy is kept.
  let latest: { key: string; scene: Scene } | undefined;
  const sceneOf = (index: number, size: number): Scene => {
    const wanted = `${index}/${size}`;
    if (latest?.key !== wanted) latest = { key: wanted, scene: drawScene({ ...settings, index, size }) };
    return latest.scene;
  };
  const samples = Array.from({ length: pairs }, (_, index): Sample => {
    const number = String(index).padStart(4, '0');
    const condition = fundusCondition(seed, index, shares);
    return {
      id: `fundus-${number}`,
      subject: `patient-${number}`,
      label: labelOf(task, condition),
      extra: { condition },
      images: {
        a: {
          kind: 'generated',
          key: `${key}/index=${index}/a`,
          render: (size) => renderPhotograph(sceneOf(index, size)),
        },
        b: {
          kind: 'generated',
          key: `${key}/index=${index}/${misalignmentKey(settings)}/b`,
          render: (size) => renderAngiogram(sceneOf(index, size)),
        },
        ...(modalities.includes('c') && {
          c: {
            kind: 'generated',
            key: `${key}/index=${index}/${misalignmentKey(settings)}/c`,
            render: (size) => renderAutofluorescence(sceneOf(index, size)),
          },
        }),
      },
    };
  });
  return { name: 'phantom:fundus', modalities, samples, positive: tasks[task].positive };
}

export interface FundusPairOptions extends Omit<FundusPhantomOptions, 'pairs'> {
  index: number;
  /** The side of the square images, in pixels. */
  size: number;
}

export interface FundusPair {
  readonly a: Raster;
  readonly b: Raster;
  /** The autofluorescence, where three modalities are asked for. */
  readonly c?: Raster;
  readonly label: string;
  /** Masks, row-major, one byte for each pixel. */
  readonly masks: FundusMasks;
  readonly params: FundusCase;
}

/**
 * The masks by name. In that of vessels 1 is an artery and 2 a vein, in that of the disc 1 is its rim and 2 its cup;
 * in a lesion's 1 is inside.
 */
export type FundusMasks = Readonly<
  Record<'vessels' | 'disc' | 'crescent' | 'diffuse' | 'atrophy' | 'drusen' | 'membrane', Uint8Array> &
    Record<'blood' | 'exudate' | 'clumps' | 'cracks', Uint8Array>
>;

/**
 * Draws a pair, with everything known about it. It is the same for any number of pairs; only its noise depends on
 * `size`.
 */
export function generateFundusPair(options: FundusPairOptions): FundusPair {
  const settings = check(options);
  const scene = drawScene({ ...settings, index: options.index, size: options.size });
  return {
    a: renderPhotograph(scene),
    b: renderAngiogram(scene),
    ...(scene.modalities === 3 && { c: renderAutofluorescence(scene) }),
    label: labelOf(settings.task, scene.fundus.condition),
    masks: masksOf(scene),
    params: scene.fundus,
  };
}

function masksOf({ tissue, fundus }: Scene): FundusMasks {
  const within = (map: Float32Array, least = 0.5) => {
    const mask = new Uint8Array(map.length);
    for (let at = 0; at < map.length; at += 1) mask[at] = map[at]! > least ? 1 : 0;
    return mask;
  };
  return {
    vessels: Uint8Array.from(tissue.artery, (artery, at) => {
      const vein = tissue.vein[at]!;
      return Math.max(artery, vein) < 0.25 ? 0 : artery > vein ? 1 : 2;
    }),
    disc: Uint8Array.from(tissue.discRadius, (radius) =>
      radius > 1 ? 0 : radius > fundus.eye.disc.cup ? 1 : 2,
    ),
    crescent: within(tissue.crescent),
    drusen: within(tissue.drusen, 0.25),
    atrophy: within(tissue.atrophy),
    diffuse: within(tissue.diffuse, 0.2),
    membrane: within(tissue.membrane),
    blood: within(tissue.blood),
    exudate: within(tissue.exudate, 0.25),
    clumps: within(tissue.clumps, 0.25),
    cracks: within(tissue.cracks, 0.25),
  };
}

const lesions = [
  'crescent',
  'diffuse',
  'atrophy',
  'drusen',
  'membrane',
  'blood',
  'exudate',
  'clumps',
  'cracks',
] as const satisfies (keyof FundusMasks)[];

/**
 * Draws a mask that is 1 inside any lesion of a pair, whatever its kind, without an image. Vessels and disc are
 * anatomy and are left out.
 */
export function fundusLesion(options: FundusPairOptions): Uint8Array {
  const masks = masksOf(drawScene({ ...check(options), index: options.index, size: options.size }));
  return Uint8Array.from(masks.disc, (_, at) => (lesions.some((kind) => masks[kind][at] === 1) ? 1 : 0));
}

function labelOf(task: FundusTask, condition: FundusCondition): string {
  const { condition: sought, positive, negative } = tasks[task];
  return condition === sought ? positive : negative;
}

interface Settings extends Misalignment {
  readonly seed: number;
  readonly task: FundusTask;
  readonly shares: ConditionShares;
  readonly difficulty: number;
  readonly modalities: number;
}

/** An eye drawn at one size, with all that its two images need. */
interface Scene extends Settings {
  readonly index: number;
  readonly size: number;
  readonly fundus: FundusCase;
  readonly tissue: FundusTissue;
}

function drawScene(options: Settings & { index: number; size: number }): Scene {
  const { seed, index, size } = options;
  requireInteger('index', index, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('size', size, 16, 2048);
  const fundus = sampleFundusCase(options);
  return { ...options, fundus, tissue: drawFundus(fundus, seed, index, size) };
}

function renderPhotograph({ fundus, tissue, seed, index, size, difficulty }: Scene): Raster {
  const data = drawPhotograph(fundusStream(seed, index, 'noise a'), fundus, tissue, difficulty);
  return { width: size, height: size, channels: 3, data };
}

function renderAngiogram(scene: Scene): Raster {
  const { fundus, tissue, seed, index, size, difficulty } = scene;
  const data = drawAngiogram(fundusStream(seed, index, 'noise b'), fundus, tissue, difficulty);
  return misalign({ width: size, height: size, channels: 1, data }, scene, seed, 'fundus', index);
}

function renderAutofluorescence(scene: Scene): Raster {
  const { fundus, tissue, seed, index, size, difficulty } = scene;
  const data = drawAutofluorescence(fundusStream(seed, index, 'noise c'), fundus, tissue, difficulty);
  return misalign({ width: size, height: size, channels: 1, data }, scene, seed, 'fundus c', index);
}

function check({
  seed,
  task = 'pm',
  classes,
  difficulty = 1,
  misalignment = ALIGNED.misalignment,
  motion = ALIGNED.motion,
  modalities = 2,
}: Omit<FundusPhantomOptions, 'pairs'>): Settings {
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('modalities', modalities, 2, 3);
  requireNumber('difficulty', difficulty, 0.25, 4, '1 is as in the table of signs');
  requireNumber('misalignment', misalignment, 0, FARTHEST, 'in pixels of a 224-pixel image');
  if (!MOTIONS.includes(motion))
    throw new UsageError(`fundus phantom: motion is "${motion}", expected ${MOTIONS.join(' or ')}`);
  if (!Object.hasOwn(tasks, task))
    throw new UsageError(`fundus phantom: task is "${task}", expected ${fundusTasks.join(' or ')}`);
  return { seed, task, difficulty, misalignment, motion, modalities, shares: sharesOf(task, classes) };
}

function sharesOf(task: FundusTask, classes: readonly string[] | undefined): ConditionShares {
  const { shares, condition } = tasks[task];
  if (classes === undefined) return shares;
  for (const name of classes) {
    if ((fundusConditions as readonly string[]).includes(name)) continue;
    throw new UsageError(
      `fundus phantom: classes has "${name}", expected some of ${fundusConditions.join('+')} joined by +`,
    );
  }
  if (!classes.includes(condition) || classes.every((name) => name === condition)) {
    throw new UsageError(
      `fundus phantom: classes is ${classes.join('+')}, expected ${condition}, which task=${task} looks for, and at least one other`,
    );
  }
  const others = classes.filter((name) => name !== condition);
  const share = (name: FundusCondition): number => {
    if (name === condition) return shares[condition];
    return others.includes(name) ? (1 - shares[condition]) / others.length : 0;
  };
  return Object.fromEntries(fundusConditions.map((name) => [name, share(name)])) as Record<
    FundusCondition,
    number
  >;
}

function requireInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    throw new UsageError(
      `fundus phantom: ${name} is ${value}, expected a whole number from ${low} to ${high}`,
    );
  }
}

function requireNumber(name: string, value: number, low: number, high: number, meaning: string): void {
  if (!(value >= low && value <= high)) {
    throw new UsageError(
      `fundus phantom: ${name} is ${value}, expected a number from ${low} to ${high} (${meaning})`,
    );
  }
}
