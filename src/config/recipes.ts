/**
 * Named sets of settings. A recipe overrides the defaults; a config file and --set override the recipe. Its settings of
 * a method belong to the method that it names, or else to the paper's. PAPER.md says what the paper leaves open and how
 * each number was chosen.
 */
import { recipes as augmentations } from '../augment/recipes.js';
import { anatomy } from '../methods/anatomy/anatomy.js';
import type { Config } from './schema.js';

export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

function augmentation(name: keyof typeof augmentations): Config['augment'] {
  const { crop, jitter, blur, ...rest } = augmentations[name];
  return {
    ...rest,
    grayscaleFirst: rest.grayscaleFirst ?? false,
    crop: crop && { scale: [...crop.scale], ratio: [...crop.ratio] },
    jitter: jitter && { ...jitter },
    blur: blur && { ...blur, sigma: [...blur.sigma] },
  };
}

/**
 * The paper to the letter (§3.1). It does not state momentum, schedule and the numbers of the augmentation; these are
 * ours.
 */
export const defaults: Config = {
  recipe: 'paper-us-swe',
  seed: 0,
  data: {
    path: null,
    pathB: null,
    columns: {},
    positive: null,
    classes: null,
    drop: null,
    preprocess: {},
    volumes: { axis: 'axial', from: null, to: null, step: 1, content: 0 },
    shuffleBuffer: null,
    size: 224,
    cacheSize: null,
    cacheFolder: null,
    normalize: 'none',
    colourCoded: null,
    splits: null,
    fold: 'none',
  },
  model: { backbone: 'vgg16_bn', width: 1, headInput: 'pool', embeddingSize: 500, initFrom: null },
  method: anatomy.defaults,
  augment: augmentation('paper'),
  training: {
    epochs: 200,
    steps: null,
    batchSize: 128,
    microBatch: null,
    dropLast: false,
    learningRate: 0.03,
    momentum: 0.9,
    weightDecay: 1e-4,
    nesterov: false,
    schedule: { kind: 'cosine', minimum: 0 },
    warmupSteps: 0,
    precision: 'auto',
    device: 'auto',
    threads: null,
    checkpointEvery: 100,
    keepCheckpoints: 2,
  },
  monitor: { every: 100, pairs: 256, neighbours: 20 },
};

export const recipes: Readonly<Record<string, DeepPartial<Config>>> = {
  'paper-us-swe': {},
  'paper-fundus-ffa': { training: { epochs: 2000 } },
  // The authors' snapshot (MathewCrespo/MM_unsupervised), quirks included: the schedule is stepped per iteration.
  authors: {
    data: { colourCoded: [] },
    model: { width: 0.25, headInput: 'map' },
    method: {
      windows: 'adaptive',
      normalize: 'pixel',
      distance: 'frobenius',
      reduction: 'sum',
      positive: 'twice',
      crossModal: 'clean-and-augmented',
    },
    augment: augmentation('authors'),
    training: {
      momentum: 0,
      weightDecay: 0,
      schedule: { kind: 'multistep', milestones: [10, 30, 50, 70], gamma: 0.5, unit: 'step' },
    },
  },
  // What our own study found near the best on every data set: docs/results/both-kinds.md. One branch keeps what a single
  // modality shows, the other what both do; two halves of a network cost half of a whole one.
  recommended: {
    model: { branches: 2, width: 0.5 },
    method: { name: 'anatomy', consistencyWeight: 0, common: {}, mask: 'subject' },
    augment: { crop: { scale: [0.2, 1] } },
  },
};

/** The augmentations that `--set augment=NAME` stands for. */
export const augmentationRecipes = Object.fromEntries(
  Object.keys(augmentations).map((name) => [name, augmentation(name as keyof typeof augmentations)]),
);
