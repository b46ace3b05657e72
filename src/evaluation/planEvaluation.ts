/** Plans an evaluation by labels. All that can be refused is refused here, the cheapest checks first. */
import type { ImageCache } from '../data/cache/decodedImages.js';
import { UsageError } from '../errors.js';
import { methodNamed } from '../methods/index.js';
import type { JudgedDataSpec } from './encoders/judgedData.js';
import { rowNames } from './features/rowFeatures.js';
import { exposureOf } from './folds/exposure.js';
import { type FoldPlan, planFolds, planUndecoded } from './folds/outerFolds.js';
import { hasGaps, type PlannedSets, planSets } from './folds/setRounds.js';
import { labelledTask, type Task } from './folds/task.js';
import { decodeImages, type JudgementOptions, type OpenJudgement, openJudgement } from './openJudgement.js';
import type { AskedSettings, LabelProtocol, Probe } from './protocols/definition.js';
import type { KnnSettings } from './protocols/knn.js';
import {
  judgedKinds,
  labelProtocolNamed,
  labelProtocols,
  refuseForeign,
  usualImages,
} from './protocols/registry.js';
import { flagName } from './protocols/settings.js';
import type { Exposure, RowName } from './results/evaluationResult.js';
import type { EncoderFeatures, FeatureKinds } from './results/featureKinds.js';
import { askedSets, modalityKey } from './results/modalitySets.js';
import type { TrainingOptions } from './trained/trainedProbe.js';

interface LabelOptions extends JudgementOptions {
  /** The name of a protocol that judges by labels. Its settings are further keys, as `protocols/NAME.ts` lists them. */
  readonly protocol: string;
  /** The number of folds to draw; 5 by default. */
  readonly folds?: number;
  /** The kinds of features to judge; by default those of the protocol. */
  readonly features?: FeatureKinds;
  /** The sets of modalities to judge, such as `['a', 'a+b', 'any']`; by default those of the protocol. */
  readonly images?: readonly string[];
  /** The share of each class's training labels that probes learn from, above 0; by default 1, all. */
  readonly labelFraction?: number;
  /**
   * Judge the same network with random weights beside the run, which takes as long again or longer. True by default.
   */
  readonly untrained?: boolean;
}

/** All options of `evaluate`: the common ones and each protocol's settings. Those of another protocol are refused. */
export type EvaluateOptions = LabelOptions & TrainingOptions & KnnSettings;

export interface EvaluationPlan extends OpenJudgement {
  readonly protocol: LabelProtocol;
  readonly probe: Probe;
  readonly task: Task;
  readonly cache: ImageCache;
  readonly folds: FoldPlan;
  readonly exposure: Exposure;
  readonly labelFraction: number;
  readonly setAside: boolean;
  /** The settings of the protocol that were asked for, with their defaults. */
  readonly asked: Readonly<Record<string, string | number | boolean>>;
  /** The column of the labels and the positive class, where others than the run’s were asked for. */
  readonly chosenLabel?: string;
  readonly chosenPositive?: string;
  /** The kinds of features that are judged. */
  readonly kinds: readonly EncoderFeatures[];
  /** Whether samples of the task lack images. */
  readonly gaps: boolean;
  /** The sets of modalities, each judged on the samples that have its images. */
  readonly sets: PlannedSets;
  readonly rows: readonly RowName[];
}

/**
 * Opens the run and the data and plans the rounds.
 *
 * @throws UsageError when there is no run or the options do not fit it, DataError when the data cannot be judged on
 */
export async function planEvaluation(options: EvaluateOptions): Promise<EvaluationPlan> {
  const { labelFraction = 1, setAside = false, untrained = true } = options;
  const protocol = protocolOf(options.protocol);
  const asked: AskedSettings = { ...options };
  refuseForeign(protocol, asked);
  const kinds = judgedKinds(protocol, asked);
  if (!(labelFraction > 0 && labelFraction <= 1)) {
    throw new UsageError(
      `--label-fraction is ${labelFraction}, expected more than 0, at most 1 (0.1 is 10 %)`,
    );
  }
  const probe = await protocol.probe(asked);
  const opened = await openJudgement(options, ({ precision }) => {
    const reason = probe.refuses?.[precision];
    if (reason !== undefined) throw new UsageError(reason);
  });
  const { run, dataset, seed } = opened;
  const task = labelledTask(dataset);
  const { modalities } = dataset;
  const gaps = hasGaps(task, dataset);
  const images = askedSets(modalities, options.images ?? usualImages(protocol, modalities, gaps), gaps);
  const foldOptions = { splits: options.splits, folds: options.folds, seed, labelFraction, setAside };
  const undecoded = await planUndecoded(task, dataset, run, foldOptions);
  refuseMisfit(protocol, asked, undecoded === undefined ? task.ids.length - 1 : fewestTrained(undecoded));
  const setsIn = (plan: FoldPlan): PlannedSets => {
    const misfit = (fewest: number) => misfitOf(protocol, asked, fewest);
    const sets = planSets(task, dataset, plan, images, { seed, labelFraction, misfit });
    if (options.images !== undefined) refuseLeftOut(sets);
    return sets;
  };
  if (undecoded !== undefined) setsIn(undecoded);
  const { cache, trace } = await decodeImages(opened);
  const folds = undecoded ?? (await planFolds(task, dataset, run, trace, foldOptions));
  refuseMisfit(protocol, asked, fewestTrained(folds));
  const exposure = exposureOf(folds, task, trace);
  refuseLearnedLabels(opened, exposure, options.run);
  const sets = setsIn(folds);
  const judgedSets = sets.judged.map((one) => one.modalities);
  const rows = rowNames(kinds, judgedSets).filter(({ source }) => untrained || source !== 'untrained');
  return {
    ...opened,
    ...{ protocol, probe, task, cache, folds, exposure, labelFraction, setAside, kinds, gaps, sets, rows },
    asked: ownSettings(protocol, asked),
    ...chosenLabels(options.data ?? {}, run.encoders[0]!.config.data),
  };
}

/** Settings that a result has in fields of its own. */
const ELSEWHERE = ['features', 'images', 'labelFraction', 'untrained', 'preset'];

function ownSettings({ settings }: LabelProtocol, asked: AskedSettings): EvaluationPlan['asked'] {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, { byDefault }]) => {
      const value = asked[name] ?? byDefault;
      if (ELSEWHERE.includes(name) || value === undefined) return [];
      return [[name, value as string | number | boolean] as const];
    }),
  );
}

/** A file of --data-config says all of the data, and so is not compared with the run. */
function chosenLabels(
  { complete = false, columns, positive }: JudgedDataSpec,
  own: OpenJudgement['run']['encoders'][number]['config']['data'],
): Pick<EvaluationPlan, 'chosenLabel' | 'chosenPositive'> {
  const label = columns?.label ?? undefined;
  return {
    chosenLabel: complete || label === own.columns.label ? undefined : label,
    chosenPositive: complete || positive === own.positive ? undefined : positive,
  };
}

function protocolOf(name: string): LabelProtocol {
  const protocol = labelProtocolNamed(name);
  if (protocol !== undefined) return protocol;
  const known = labelProtocols.map((one) => one.name).join(', ');
  throw new UsageError(`protocol is ${name}, expected one of ${known}`);
}

function refuseMisfit(protocol: LabelProtocol, settings: AskedSettings, fewest: number): void {
  const misfit = misfitOf(protocol, settings, fewest);
  if (misfit !== undefined) throw new UsageError(misfit);
}

/** Says why a setting does not fit rounds of so few training samples; undefined where all settings fit. */
function misfitOf(protocol: LabelProtocol, settings: AskedSettings, fewest: number): string | undefined {
  const misfit = protocol.misfit?.(settings, fewest);
  if (misfit === undefined) return undefined;
  const { setting, value, expected } = misfit;
  return `${flagName(protocol.settings[setting]!)} is ${value}, expected ${expected}: every fold must have so many samples to train on`;
}

/** Refuses sets that were asked for and that too few samples have. By default they are left out with a note. */
function refuseLeftOut({ leftOut: [first] }: PlannedSets): void {
  if (first === undefined) return;
  throw new UsageError(
    `--images has ${modalityKey(first.modalities)}, which cannot be judged: ${first.reason}; leave it out`,
  );
}

/** Refuses a supervised encoder that saw the test samples, since it knows their labels. */
function refuseLearnedLabels({ run }: OpenJudgement, exposure: Exposure, folder: string): void {
  const { name } = run.encoders[0]!.config.method;
  if (!methodNamed(name)!.usesLabels || exposure.seenTestSamples === 0) return;
  throw new UsageError(
    `${folder}: ${name} learned from the labels of ${exposure.seenTestSamples} of the ${exposure.testSamples} test samples, so its numbers would mean nothing; pretrain it with --splits and --fold all`,
  );
}

function fewestTrained({ rounds }: FoldPlan): number {
  return Math.min(...rounds.map(({ train }) => train.length));
}
