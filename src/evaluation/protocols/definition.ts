/**
 * This room lists the protocols that judge a run. Here is what the file of a protocol exports and the registry lists:
 * its name, help, flags and settings, what it needs, and how it judges.
 */
import type { CrossValidationSources } from '../crossValidate.js';
import type { RowOutcome } from '../probes/probe.js';
import type { RowName } from '../results/evaluationResult.js';
import type { FeatureKinds } from '../results/featureKinds.js';
import type { TrainingPreset } from '../trained/presets.js';
import type { Settings } from './settings.js';

/** The values of settings that were asked for, by name. */
export interface AskedSettings {
  readonly features?: FeatureKinds;
  readonly preset?: string;
  readonly [name: string]: unknown;
}

/** The texts of --help for the flags that every protocol has. */
export interface ProtocolHelp {
  readonly data: string;
  readonly dataConfig: string;
  readonly splits: string;
  readonly setAside: string;
  readonly seed: string;
  readonly out: string;
  /** Example commands, one a line, without the prompt. */
  readonly examples: readonly string[];
  readonly seeAlso: string;
}

interface Definition {
  /** The name on the command line and in an experiment's file. */
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  readonly settings: Settings;
  /** The published recipes that the setting `preset` chooses from. */
  readonly presets?: readonly TrainingPreset[];
  readonly help: ProtocolHelp;
}

/** A protocol that tells classes apart, and so has an AUC. */
export interface LabelProtocol extends Definition {
  readonly judges: 'labels';
  /** Gives the kinds of features that are judged when none are asked for. */
  features(settings: AskedSettings): FeatureKinds;
  /**
   * The sets of modalities that are judged when none are asked for: each modality alone and all together, or only all
   * together.
   */
  readonly images: 'each' | 'together';
  /** True when candidates can be chosen by its inner cross-validation, which knows no test label. */
  readonly validates?: boolean;
  /** True when a row may run off to infinity and then has no value, which is a finding and no error. */
  readonly mayDiverge?: boolean;
  /** True when the names of result files contain the recipe even if it is the default one. */
  readonly namesPreset?: boolean;
  /** The protocol of the paper that its numbers are shown beside; absent when there is none. */
  readonly paper?: 'linear classification' | 'finetuning';
  /** True when the settings train for so many epochs that a trial run should have fewer. */
  shortens?(settings: AskedSettings): boolean;
  /** Finds a setting that does not fit the data. @param fewest the number of training samples in the smallest fold */
  misfit?(settings: AskedSettings, fewest: number): Misfit | undefined;
  /**
   * Reads the settings before anything is opened.
   * @throws UsageError for a value that is not allowed
   */
  probe(settings: AskedSettings): Promise<Probe>;
}

/** A protocol that measures pairs without labels. */
export interface PairsProtocol extends Definition {
  readonly judges: 'pairs';
}

export type ProtocolDefinition = LabelProtocol | PairsProtocol;

/** A setting whose value does not fit the data. */
export interface Misfit {
  readonly setting: string;
  readonly value: number;
  /** The values that would fit, such as `1 to 40`. */
  readonly expected: string;
}

/** A label protocol with its settings, ready to judge. */
export interface Probe {
  /** The name of its recipe. */
  readonly preset?: string;
  /** The precisions of the forward pass in which it cannot work, each with the reason and the fix. */
  readonly refuses?: Readonly<Record<string, string>>;
  judge(rows: readonly RowName[], sources: ProbeSources): Promise<ProbeJudgement>;
}

/** What a probe judges from: images, folds, encoders. */
export type ProbeSources = CrossValidationSources;

export interface ProbeJudgement {
  /** The outcome of each row, by its key. */
  readonly outcomes: ReadonlyMap<string, RowOutcome>;
  /** All settings that decide the numbers except folds and seed, for the result. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Defines a label protocol and adds its help. */
export function defineLabelProtocol(definition: Omit<LabelProtocol, 'judges' | 'help'>): LabelProtocol {
  const { name } = definition;
  return {
    ...definition,
    judges: 'labels',
    help: {
      data: 'what to judge on (default: the data of the run)',
      dataConfig:
        'YAML whose settings under data say what to judge on and how it is read, in place of those of the run',
      splits: 'folds made by anatomy data split (default: those of the run or the data, else drawn)',
      setAside: 'judge what anatomy data split --set-aside kept apart, by what is learned from the rest',
      seed: 'seed of folds, probe and bootstrap',
      out: 'where the results go (default: evaluation/ in the run)',
      examples: [
        `anatomy evaluate ${name} --run runs/first --data pairs.csv`,
        `anatomy evaluate ${name} --run runs/folds --features pooled --json > ${name}.json`,
        `anatomy evaluate ${name} --run runs/first --data Dataset_BUSI_with_GT --out runs/first/busi`,
      ],
      seeAlso: 'anatomy pretrain --fold all, anatomy data split',
    },
  };
}
