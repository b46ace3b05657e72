/** A probe that is trained by gradient descent: a preset with what was asked to be otherwise. */
import { stepsPerEpoch } from '../../data/loading/loader.js';
import { UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import type { Protocol } from '../probes/probe.js';
import { FINETUNE_PRESETS, type FinetunePreset, LINEAR_PRESETS, type TrainingPreset } from './presets.js';

export type ClassWeights = 'none' | 'balanced';

export interface TrainingOptions {
  /** Default `hu`. */
  readonly preset?: string;
  /** In place of the preset's; its milestones and warm-up move in proportion. */
  readonly epochs?: number;
  /** In place of the preset's, as printed: before it is made proportional to the batch, where the preset does so. */
  readonly learningRate?: number;
  /** Of `finetune`; default: the preset's. */
  readonly batchNorm?: FinetunePreset['batchNorm'];
  /** `balanced`: each class by n / (classes · samples of the class), as scikit-learn. Default `none`. */
  readonly classWeights?: ClassWeights;
}

export interface TrainedProbe {
  /** With the epochs and the rate that were asked for. */
  readonly preset: TrainingPreset;
  readonly published: TrainingPreset;
  readonly classWeights: ClassWeights;
  /** What finetuning adds. */
  readonly finetune?: Pick<FinetunePreset, 'batchNorm' | 'features'>;
}

/**
 * Undefined for a protocol that is not trained by gradient descent.
 * @throws UsageError for an unknown preset, naming the nearest, and for an option that the protocol does not have
 */
export function trainedProbe(protocol: Protocol, options: TrainingOptions): TrainedProbe | undefined {
  refuseForeign(protocol, options);
  const { preset: name = 'hu', epochs, learningRate, batchNorm, classWeights = 'none' } = options;
  if (epochs !== undefined && !(Number.isInteger(epochs) && epochs >= 1)) {
    throw new UsageError(`--epochs is ${epochs}, expected a whole number from 1`);
  }
  if (learningRate !== undefined && !(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`--learning-rate is ${learningRate}, expected a number above 0`);
  }
  expectOneOf('class-weights', classWeights, ['none', 'balanced']);
  switch (protocol) {
    case 'linear': {
      const preset = presetNamed(LINEAR_PRESETS, name, protocol);
      return { preset: changed(preset, options), published: preset, classWeights };
    }
    case 'finetune': {
      const { batchNorm: ofPreset, features, ...preset } = presetNamed(FINETUNE_PRESETS, name, protocol);
      const mode = batchNorm ?? ofPreset;
      expectOneOf('batch-norm', mode, ['train', 'frozen']);
      return {
        preset: changed(preset, options),
        published: preset,
        classWeights,
        finetune: { batchNorm: mode, features },
      };
    }
    default:
      return undefined;
  }
}

function refuseForeign(protocol: Protocol, options: TrainingOptions): void {
  const finetunes = protocol === 'finetune';
  const trains = finetunes || protocol === 'linear';
  for (const [flag, value, known, whose] of [
    ['preset', options.preset, trains, 'linear and finetune'],
    ['epochs', options.epochs, trains, 'linear and finetune'],
    ['learning-rate', options.learningRate, trains, 'linear and finetune'],
    ['class-weights', options.classWeights, trains, 'linear and finetune'],
    ['batch-norm', options.batchNorm, finetunes, 'finetune'],
  ] as const) {
    if (value === undefined || known) continue;
    throw new UsageError(
      `--${flag} is ${value}, but evaluate ${protocol} has no such setting, only ${whose}; leave it out`,
    );
  }
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

/** Milestones move with the end: what came at half of the training still does, if within an epoch. */
function changed(
  preset: TrainingPreset,
  { epochs = preset.epochs, learningRate = preset.learningRate }: TrainingOptions,
): TrainingPreset {
  const { schedule } = preset;
  if (schedule.kind !== 'multistep') return { ...preset, epochs, learningRate };
  const milestones = schedule.milestones.map((milestone) => (milestone * epochs) / preset.epochs);
  return { ...preset, epochs, learningRate, schedule: { ...schedule, milestones } };
}

/** What a preset comes to with so many samples to train on. */
export interface TrainingPlan {
  /** No more than there are samples. */
  readonly batchSize: number;
  /** Before the schedule, for this batch size. */
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

/** One a class: n / (classes · samples of the class) where balanced, else undefined. */
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
 * Everything that decides the numbers, for the result's JSON.
 * @param samples to train on, of each judged fold
 */
export function trainingSettings(
  { preset, published, classWeights, finetune }: TrainedProbe,
  samples: readonly number[],
): Record<string, unknown> {
  const { name, departures, crop, ...numbers } = preset;
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
    departures: [...departures, ...asked],
    folds: samples.map((count) => ({ samples: count, ...trainingPlan(preset, count) })),
  };
}
