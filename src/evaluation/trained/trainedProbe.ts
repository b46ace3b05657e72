/** Makes a probe that is trained by gradient descent, from a preset and the settings that replace parts of it. */
import { stepsPerEpoch } from '../../data/loading/loader.js';
import { UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { DEFAULT_PRESET, type FinetunePreset, LAYERS, type TrainingPreset } from './presets.js';

export type ClassWeights = 'none' | 'balanced';

export interface TrainingOptions {
  /** The name of the preset; `hu` by default. */
  readonly preset?: string;
  /** The number of epochs, in place of the preset's. Its milestones and warm-up move in proportion. */
  readonly epochs?: number;
  /**
   * The learning rate, in place of the preset's printed one. It is made proportional to the batch where the preset does
   * so.
   */
  readonly learningRate?: number;
  /** The mode of batch norm in `finetune`; the preset's by default. */
  readonly batchNorm?: FinetunePreset['batchNorm'];
  /**
   * With `balanced` each class has the weight n / (classes · samples of the class), as in scikit-learn. `none` by
   * default.
   */
  readonly classWeights?: ClassWeights;
}

export interface TrainedProbe {
  /** The preset with the epochs and the rate that were asked for. */
  readonly preset: TrainingPreset;
  /** The preset as it was published. */
  readonly published: TrainingPreset;
  readonly classWeights: ClassWeights;
  /** The settings that only finetuning has. */
  readonly finetune?: Pick<FinetunePreset, 'batchNorm' | 'features'>;
}

/**
 * Makes a linear layer on a frozen encoder.
 * @param protocol the name of the protocol, for errors
 * @throws UsageError for an unknown preset, naming the nearest, and for a value that is not allowed
 */
export function trainedProbe(
  protocol: string,
  presets: readonly TrainingPreset[],
  options: TrainingOptions,
): TrainedProbe {
  const { epochs, learningRate, classWeights = 'none' } = options;
  if (epochs !== undefined && !(Number.isInteger(epochs) && epochs >= 1)) {
    throw new UsageError(`--epochs is ${epochs}, expected a whole number from 1`);
  }
  if (learningRate !== undefined && !(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`--learning-rate is ${learningRate}, expected a number above 0`);
  }
  expectOneOf('class-weights', classWeights, ['none', 'balanced']);
  const preset = presetNamed(presets, options.preset ?? DEFAULT_PRESET, protocol);
  return { preset: changed(preset, options), published: preset, classWeights };
}

/** Makes a linear layer that is trained together with its encoder. @throws UsageError like `trainedProbe` */
export function finetunedProbe(
  protocol: string,
  presets: readonly FinetunePreset[],
  options: TrainingOptions,
): TrainedProbe {
  const { batchNorm: ofPreset, features } = presetNamed(presets, options.preset ?? DEFAULT_PRESET, protocol);
  const batchNorm = options.batchNorm ?? ofPreset;
  expectOneOf('batch-norm', batchNorm, ['train', 'frozen']);
  // The settings that only finetuning has are kept apart from the recipe.
  const recipes = presets.map(({ batchNorm: _, features: __, ...preset }) => preset);
  return { ...trainedProbe(protocol, recipes, options), finetune: { batchNorm, features } };
}

function presetNamed<P extends TrainingPreset>(presets: readonly P[], name: string, protocol: string): P {
  const found = presets.find((preset) => preset.name === name);
  if (found !== undefined) return found;
  const names = presets.map((preset) => preset.name);
  const meant = nearest(name, names);
  throw new UsageError(
    `--preset is ${name}, expected one of ${names.join(', ')} for evaluate ${protocol}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
  );
}

function expectOneOf(flag: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new UsageError(`--${flag} is ${value}, expected ${known.join(' or ')}`);
}

/**
 * Changes the epochs and the rate of a preset. Milestones move with the end: one at half of the training stays there,
 * to the nearest epoch.
 */
function changed(
  preset: TrainingPreset,
  { epochs = preset.epochs, learningRate = preset.learningRate }: TrainingOptions,
): TrainingPreset {
  const { schedule } = preset;
  if (schedule.kind !== 'multistep') return { ...preset, epochs, learningRate };
  const milestones = schedule.milestones.map((milestone) => (milestone * epochs) / preset.epochs);
  return { ...preset, epochs, learningRate, schedule: { ...schedule, milestones } };
}

/** The training that a preset gives for a number of training samples. */
export interface TrainingPlan {
  /** The batch size, at most the number of samples. */
  readonly batchSize: number;
  /** The learning rate for this batch size, before the schedule. */
  readonly learningRate: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly warmupSteps: number;
}

export function trainingPlan(preset: TrainingPreset, samples: number): TrainingPlan {
  const batchSize = Math.min(preset.batchSize, samples);
  const indices = Array.from({ length: samples }, (_, i) => i);
  const perEpoch = stepsPerEpoch({ indices, batchSize, dropLast: preset.dropLast, seed: 0 });
  const totalSteps = preset.epochs * perEpoch;
  return {
    batchSize,
    learningRate: preset.learningRate * (preset.perBatch === null ? 1 : batchSize / preset.perBatch),
    stepsPerEpoch: perEpoch,
    totalSteps,
    warmupSteps: Math.round(preset.warmup * totalSteps),
  };
}

/** The weight of each class, n / (classes · samples of the class), where the weights are balanced; else undefined. */
export function weightsOf(
  classWeights: ClassWeights,
  labels: ArrayLike<number>,
  classes: number,
): number[] | undefined {
  if (classWeights === 'none') return undefined;
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i += 1) counts[labels[i]!]! += 1;
  return counts.map((count) => labels.length / (classes * count));
}

/**
 * Collects every setting that decides the numbers, for the result's JSON.
 * @param samples the number of training samples in each judged fold
 * @param layers the layers of the backbone in words
 */
export function trainingSettings(
  { preset, published, classWeights, finetune }: TrainedProbe,
  samples: readonly number[],
  layers: string,
): Record<string, unknown> {
  const { name, departures, crop, onFeatures: _, ...numbers } = preset;
  const asked = [
    ...(preset.epochs === published.epochs
      ? []
      : [`${preset.epochs} epochs in place of ${published.epochs}, milestones and warm-up in proportion`]),
    ...(preset.learningRate === published.learningRate
      ? []
      : [`learning rate ${preset.learningRate} in place of ${published.learningRate}`]),
  ];
  return {
    preset: name,
    ...numbers,
    augmentation: crop === null ? 'none' : { crop, flip: 0.5, geometry: 'shared' },
    classWeights,
    ...(finetune === undefined
      ? { encoder: 'frozen' }
      : { encoder: 'trained', batchNorm: finetune.batchNorm }),
    judgedEpoch: 'last',
    departures: [...departures.map((departure) => departure.replace(LAYERS, layers)), ...asked],
    folds: samples.map((count) => ({ samples: count, ...trainingPlan(preset, count) })),
  };
}
