/** The settings of protocols, each with its form in an experiment's file and on the command line. */
import type { z } from 'zod';
import { FEATURE_WORDS } from '../results/featureKinds.js';
import { DEFAULT_PRESET, type TrainingPreset } from '../trained/presets.js';

export interface Setting {
  /** Makes what checks the setting in an experiment's file. Zod is passed in: `--help` does without loading it. */
  readonly schema: (zod: Zod) => z.ZodType;
  /** The flag on the command line, such as `--epochs <n>`. */
  readonly flag: string;
  readonly help: string;
  /**
   * The way the command line reads the word: as a whole number from `least`, or as any number. When it is absent the
   * word stays as it is.
   */
  readonly number?: { readonly least: number } | 'any';
  /** The default that the command line shows and passes on. */
  readonly byDefault?: string | number;
}

export type Zod = typeof z;

/** Settings by their name in files and in the library. */
export type Settings = Readonly<Record<string, Setting>>;

/** The settings of every protocol that judges by labels. @param words the defaults, for --help */
export function labelSettings(words: { readonly features: string; readonly images: string }): Settings {
  return {
    features: {
      schema: (z) => z.enum(FEATURE_WORDS),
      flag: '--features <kind>',
      help: `pooled (average of the last map), head (its embedding), maps (averages of the last three maps), both (pooled and head) or all (default: ${words.features})`,
    },
    images: {
      schema: (z) => z.array(z.string().min(1)).min(1).describe('Modality sets, such as [a, a+b, any].'),
      flag: '--images <sets...>',
      help: `modalities to judge, alone or side by side, such as a a+b, or any that a sample has (default: ${words.images}; any where images are missing)`,
    },
    labelFraction: {
      schema: (z) => z.number().positive().max(1).describe('Share of the training labels.'),
      flag: '--label-fraction <share>',
      help: 'learn from this share of each class’s training labels, such as 0.01 (default: 1, all)',
      number: 'any',
    },
    untrained: {
      schema: (z) => z.boolean().describe('Also judge the same network with random weights; default true.'),
      flag: '--no-untrained',
      help: 'not the same network with random weights too, which takes as long again or longer',
    },
  };
}

/** The settings of a probe that is trained by gradient descent. @param presets its recipes */
export function trainingSettings(presets: readonly TrainingPreset[]): Settings {
  const names = presets.map(({ name }) => name);
  return {
    preset: {
      schema: (z) => z.string().min(1).describe('Name of a published recipe.'),
      flag: '--preset <name>',
      help: `published recipe: ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`,
      byDefault: DEFAULT_PRESET,
    },
    epochs: {
      schema: (z) => z.int().min(1),
      flag: '--epochs <n>',
      help: 'in place of the preset’s; its milestones move in proportion',
      number: { least: 1 },
    },
    learningRate: {
      schema: (z) => z.number().positive().describe('Replaces the preset’s.'),
      flag: '--learning-rate <rate>',
      help: 'in place of the preset’s',
      number: 'any',
    },
    classWeights: {
      schema: (z) => z.enum(['none', 'balanced']),
      flag: '--class-weights <how>',
      help: 'none, or balanced: every class counts alike',
      byDefault: 'none',
    },
  };
}

/** The name of the flag alone: `--learning-rate` for `--learning-rate <rate>`. */
export function flagName({ flag }: Setting): string {
  return flag.split(' ')[0]!;
}
