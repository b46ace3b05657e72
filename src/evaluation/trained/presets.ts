/**
 * Published recipes of probes that are trained by gradient descent, as data. The field `source` names where each comes
 * from.
 */
import type { Schedule } from '../../optim/index.js';
import type { EncoderFeatures } from '../results/featureKinds.js';

export interface TrainingPreset {
  readonly name: string;
  readonly source: string;
  /**
   * Whether plain SGD on whole images is all that it asks for, so that it is computed on features that are read once.
   * Other recipes are trained on images.
   */
  readonly onFeatures?: true;
  readonly optimizer:
    | { readonly kind: 'sgd'; readonly momentum: number; readonly weightDecay: number }
    /**
     * AdamW. Weight decay is on weights of more than one dimension; each layer trains at `layerDecay` times the rate of
     * the one above.
     */
    | {
        readonly kind: 'adamw';
        readonly betas: readonly [number, number];
        readonly weightDecay: number;
        readonly layerDecay: number;
      };
  /** The learning rate as it is printed in the source. */
  readonly learningRate: number;
  /**
   * The batch size that the printed rate is for, where the rate is proportional to the batch. Null: the rate is the
   * same for all batches.
   */
  readonly perBatch: number | null;
  readonly batchSize: number;
  /** True when an epoch leaves out its last batch if it is not full. */
  readonly dropLast: boolean;
  readonly epochs: number;
  /** The schedule of the learning rate. Its milestones are epochs. */
  readonly schedule: Schedule;
  /** The share of the steps in which the rate first rises linearly. */
  readonly warmup: number;
  /** A random resized crop and a flip with probability ½, one for all modalities of a pair. Null: whole images. */
  readonly crop: {
    readonly scale: readonly [number, number];
    readonly ratio: readonly [number, number];
  } | null;
  /**
   * The standard deviation of the linear layer's normal weights, with bias 0. Null draws both from U(±1/√columns), as
   * torch does by default.
   */
  readonly initialDeviation: number | null;
  /** The differences from the source, each with its reason. */
  readonly departures: readonly string[];
}

/** Stands in a departure for the layers of the backbone that is trained. */
export const LAYERS = '{layers}';

/** The name of the recipe that is taken where none is asked for. */
export const DEFAULT_PRESET = 'hu';

export interface FinetunePreset extends TrainingPreset {
  /** With `frozen` batch norm stays in evaluation mode; its weights and biases are trained all the same. */
  readonly batchNorm: 'train' | 'frozen';
  /** The features that the source trains on. */
  readonly features: EncoderFeatures;
}

/** The crop of torchvision's RandomResizedCrop by default. */
const INCEPTION_CROP = { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] } as const;

const WHOLE_TEST_IMAGES = 'test images are taken whole, without the centre crop of 7/8';

const HU = {
  source: 'Hu et al. 2022, snapshot MathewCrespo/MM_unsupervised 35a8acd, lincls_main.py',
  optimizer: { kind: 'sgd', momentum: 0, weightDecay: 0 },
  learningRate: 0.03,
  perBatch: null,
  batchSize: 128,
  dropLast: false,
  epochs: 50,
  schedule: { kind: 'multistep', milestones: [10, 30, 50, 70], gamma: 0.5, unit: 'epoch' },
  warmup: 0,
  crop: null,
  initialDeviation: 0.01,
  departures: ['milestones are epochs, as the paper intends; the snapshot steps its scheduler once a batch'],
} as const;

export const LINEAR_PRESETS: readonly TrainingPreset[] = [
  { name: 'hu', ...HU, onFeatures: true },
  {
    name: 'moco',
    source: 'He et al. 2020, facebookresearch/moco 8976944, main_lincls.py',
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0 },
    learningRate: 30,
    perBatch: null,
    batchSize: 256,
    dropLast: false,
    epochs: 100,
    schedule: { kind: 'multistep', milestones: [60, 80], gamma: 0.1, unit: 'epoch' },
    warmup: 0,
    crop: INCEPTION_CROP,
    initialDeviation: 0.01,
    departures: [WHOLE_TEST_IMAGES],
  },
  {
    name: 'simclr',
    source: 'Chen et al. 2020 as in lightly-ai/lightly e8d317f, linear_eval.py',
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0 },
    learningRate: 0.1,
    perBatch: 256,
    batchSize: 256,
    dropLast: true,
    epochs: 90,
    schedule: { kind: 'cosine', minimum: 0 },
    warmup: 0,
    crop: INCEPTION_CROP,
    initialDeviation: null,
    departures: [WHOLE_TEST_IMAGES],
  },
  {
    name: 'cmc',
    source: 'Tian et al. 2020, HobbitLong/CMC 7b227be, LinearProbing.py with the rate for AlexNet',
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0 },
    learningRate: 0.1,
    perBatch: null,
    batchSize: 256,
    dropLast: false,
    epochs: 60,
    schedule: { kind: 'multistep', milestones: [30, 40, 50], gamma: 0.2, unit: 'epoch' },
    warmup: 0,
    crop: { scale: [0.2, 1], ratio: INCEPTION_CROP.ratio },
    initialDeviation: 0.01,
    departures: [WHOLE_TEST_IMAGES],
  },
  {
    name: 'solo',
    source: 'da Costa et al. 2022, vturrisi/solo-learn 9187ea3, main_linear.py',
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0 },
    learningRate: 1,
    perBatch: 256,
    batchSize: 256,
    dropLast: true,
    epochs: 100,
    schedule: { kind: 'multistep', milestones: [60, 80], gamma: 0.1, unit: 'epoch' },
    warmup: 0,
    crop: INCEPTION_CROP,
    initialDeviation: null,
    departures: [WHOLE_TEST_IMAGES],
  },
];

export const FINETUNE_PRESETS: readonly FinetunePreset[] = [
  { name: 'hu', ...HU, batchNorm: 'frozen', features: 'head' },
  {
    name: 'simclr',
    source: 'Chen et al. 2020 as in lightly-ai/lightly e8d317f, finetune_eval.py',
    optimizer: { kind: 'sgd', momentum: 0.9, weightDecay: 0 },
    learningRate: 0.05,
    perBatch: 256,
    batchSize: 256,
    dropLast: true,
    epochs: 30,
    schedule: { kind: 'cosine', minimum: 0 },
    warmup: 0,
    crop: INCEPTION_CROP,
    initialDeviation: null,
    departures: [WHOLE_TEST_IMAGES],
    batchNorm: 'train',
    features: 'pooled',
  },
  {
    name: 'layer-decay',
    source: 'Zhou et al. 2023, rmaphoh/RETFound_MAE 897d71c, main_finetune.py and util/lr_decay.py',
    optimizer: { kind: 'adamw', betas: [0.9, 0.999], weightDecay: 0.05, layerDecay: 0.65 },
    learningRate: 5e-3,
    perBatch: 256,
    batchSize: 16,
    dropLast: true,
    epochs: 50,
    schedule: { kind: 'cosine', minimum: 1e-6 },
    warmup: 0.1,
    crop: INCEPTION_CROP,
    initialDeviation: 2e-5,
    departures: [
      'random resized crop and flip in place of RandAugment, random erasing and drop path',
      'plain labels: no label smoothing and no mixing of images',
      `layers are ${LAYERS}, the deepest at .65 of the classifier’s rate`,
      '50 epochs, the source names 50 to 100',
      WHOLE_TEST_IMAGES,
    ],
    batchNorm: 'train',
    features: 'pooled',
  },
];
