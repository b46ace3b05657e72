/** What a protocol's file exports and the registry lists: name, help, flags, settings, what it needs and how it judges. */
import type { MessageConsole } from '../../log/console.js';
import type { FeatureSources } from '../features/rowFeatures.js';
import type { RowOutcome } from '../probes/probe.js';
import type { RowName } from '../results/evaluationResult.js';
import type { TrainingPreset } from '../trained/presets.js';
import type { Settings } from './settings.js';

export type FeatureKinds = 'pooled' | 'head' | 'both';

/** Values of settings as they were asked for, by name. */
export interface AskedSettings {
  readonly features?: FeatureKinds;
  readonly preset?: string;
  readonly [name: string]: unknown;
}

/** What --help says of the flags that every protocol has. */
export interface ProtocolHelp {
  readonly data: string;
  readonly dataConfig: string;
  readonly splits: string;
  readonly setAside: string;
  readonly seed: string;
  readonly out: string;
  /** Commands, a line each, without the prompt. */
  readonly examples: readonly string[];
  readonly seeAlso: string;
}

interface Definition {
  /** As on the command line and in an experiment's file. */
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  readonly settings: Settings;
  /** Published recipes that the setting `preset` chooses from. */
  readonly presets?: readonly TrainingPreset[];
  readonly help: ProtocolHelp;
}

/** A protocol that tells classes apart, and so has an AUC. */
export interface LabelProtocol extends Definition {
  readonly judges: 'labels';
  /** Kinds of features that are judged where none are asked for. */
  features(settings: AskedSettings): FeatureKinds;
  /** Sets of modalities that are judged where none are asked for: each alone and all together, or only all together. */
  readonly images: 'each' | 'together';
  /** Whether candidates can be chosen by its inner cross-validation, which knows no test label. */
  readonly validates?: boolean;
  /** Whether a row may run off to infinity and so have no value: a finding, no error. */
  readonly mayDiverge?: boolean;
  /** Whether the recipe is named in the names of result files although it is the one by default. */
  readonly namesPreset?: boolean;
  /** Which of the paper's protocols its numbers stand beside; absent: none. */
  readonly paper?: 'linear classification' | 'finetuning';
  /** Whether so many epochs are trained with these settings that a trial run should have fewer. */
  shortens?(settings: AskedSettings): boolean;
  /** The setting that does not fit the data, where there is one. @param fewest training samples in the smallest fold */
  misfit?(settings: AskedSettings, fewest: number): Misfit | undefined;
  /**
   * Reads the settings before anything is opened.
   * @throws UsageError for a value that cannot be
   */
  probe(settings: AskedSettings): Promise<Probe>;
}

/** A protocol that measures pairs without labels. */
export interface PairsProtocol extends Definition {
  readonly judges: 'pairs';
}

export type ProtocolDefinition = LabelProtocol | PairsProtocol;

export interface Misfit {
  readonly setting: string;
  readonly value: number;
  /** `1 to 40` */
  readonly expected: string;
}

/** A label protocol with its settings, ready to judge. */
export interface Probe {
  /** Name of its recipe. */
  readonly preset?: string;
  /** Precisions of the forward pass in which it cannot work, with the reason and the fix. */
  readonly refuses?: Readonly<Record<string, string>>;
  judge(rows: readonly RowName[], sources: ProbeSources): Promise<ProbeJudgement>;
}

export interface ProbeSources extends FeatureSources {
  readonly seed: number;
  readonly console: MessageConsole;
}

export interface ProbeJudgement {
  /** By row key. */
  readonly outcomes: ReadonlyMap<string, RowOutcome>;
  /** Everything that decides the numbers but folds and seed, for the result. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Keeps the types of a definition together. */
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
