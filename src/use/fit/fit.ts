/** `anatomy fit`: a model that gives class probabilities for new images, from a run and all labelled samples. */

import { ImageLoader } from '../../data/loading/loader.js';
import type { Dataset } from '../../data/sample.js';
import { DEFAULT_FOLDS, makeSplits } from '../../data/splits/splits.js';
import { UsageError } from '../../errors.js';
import type { JudgedDataSpec } from '../../evaluation/encoders/judgedData.js';
import { type JudgedRun, separateModalities } from '../../evaluation/encoders/runEncoders.js';
import { exposureOf } from '../../evaluation/folds/exposure.js';
import { hasGaps } from '../../evaluation/folds/setRounds.js';
import { labelledTask, type Task } from '../../evaluation/folds/task.js';
import { decodeImages, type OpenJudgement, openJudgement } from '../../evaluation/openJudgement.js';
import type { Exposure } from '../../evaluation/results/evaluationResult.js';
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { subjectsPerClass } from '../../evaluation/results/fewSubjects.js';
import { ANY, askedSets, isAny, modalitiesIn, modalityKey } from '../../evaluation/results/modalitySets.js';
import { resampledAuc } from '../../evaluation/summary/rowMetrics.js';
import { FINETUNE_PRESETS } from '../../evaluation/trained/presets.js';
import {
  finetunedProbe,
  type TrainedProbe,
  type TrainingOptions,
} from '../../evaluation/trained/trainedProbe.js';
import { makeFolderOf, refuseToReplace } from '../../files.js';
import { MessageConsole } from '../../log/console.js';
import { classColumn } from '../../metrics/areas/rocAuc.js';
import { bootstrapInterval } from '../../metrics/bootstrap.js';
import { fitTemperature, withTemperature } from '../../metrics/calibration/temperature.js';
import { chooseThreshold, type ThresholdRule } from '../../metrics/thresholds.js';
import { disposeModule } from '../../nn/index.js';
import { describeEncoder } from '../../training/encoderFile.js';
import type { Precision } from '../../training/precision.js';
import { readProvenance } from '../../training/provenance.js';
import { vectorKind } from '../embed/featureKind.js';
import { collectFeatures, type StreamOptions } from '../embed/featureStream.js';
import { openSingleRun, RunNetworks } from '../openEncoder.js';
import { type Finetuned, type FinetuneOptions, fitFinetuned } from './fitFinetuned.js';
import { fitProbe } from './fitProbe.js';
import { type ModelDescription, saveModel } from './modelFile.js';

/** What a fitted model may be used for. Every output says it. */
export const RESEARCH_USE = 'research only: no medical device, must not decide about patients';

export interface FitOptions {
  /** The folder of a run. */
  readonly run: string;
  /** The labelled images; by default the run's own. */
  readonly data?: JudgedDataSpec;
  /** The file of the model. */
  readonly out: string;
  /** `pooled` (default), `head` or `maps`. */
  readonly features?: string;
  /** The modalities in a row, such as `a`, `a+b` or `any`; by default all, or `any` where images are missing. */
  readonly images?: string;
  /** `youden` (default), `half`, `sensitivity=0.9` or `specificity=0.9`; for two classes. */
  readonly threshold?: string;
  /** Trains the encoder with the classifier, as `evaluate finetune` does, and not a probe on the frozen one. */
  readonly finetune?: boolean;
  /** The recipe of finetuning, and settings in the place of its own. */
  readonly training?: TrainingOptions;
  readonly folds?: number;
  readonly seed?: number;
  readonly device?: string;
  readonly precision?: 'auto' | Precision;
  readonly overwrite?: boolean;
  readonly console?: MessageConsole;
  readonly cacheFolder?: string;
}

/**
 * Fits a probe, or finetunes the encoder, on all labelled samples, calibrates it by out-of-fold probabilities, chooses
 * its threshold by a rule, and writes it with its encoder to one file.
 *
 * @returns what is known of the model
 * @throws UsageError when an option does not fit, DataError when the labels or images do not; nothing is written then
 */
export async function fitModel(options: FitOptions): Promise<ModelDescription> {
  const { out, overwrite = false, console = new MessageConsole({ quiet: true }) } = options;
  refuseToReplace([out], out, overwrite);
  const plan = await planFit({ ...options, console });
  const { judgement, task, foldOf, set, kind, finetuning } = plan;
  const { run, forwarding, dataset, seed } = judgement;
  const { cache, trace } = await decodeImages(judgement);
  const encoder = run.encoders[0]!;
  const { modalities } = dataset;
  const common = { task, foldOf, cache, modalities, set, kind, seed, console, ...forwarding };
  const fitted =
    finetuning === undefined
      ? await fitFrozen(run, common)
      : await fitFinetuned({ ...common, encoder, probe: finetuning });
  try {
    const exposure = exposureOf({ rounds: [{ test: [...task.positions.keys()], encoder }] }, task, trace);
    const description = describe(plan, fitted, exposure);
    const { probe, outOfFold, encoders } = fitted;
    const heldOut = outOfFold.distances.slice().sort();
    makeFolderOf(out);
    saveModel(out, { description, probe, heldOut, encoders: encoders.map((one) => one.encoder) });
    return description;
  } finally {
    for (const { encoder: one } of fitted.encoders) disposeModule(one);
  }
}

interface FitPlan {
  readonly judgement: OpenJudgement;
  /** The labelled samples that have the images of the set. */
  readonly task: Task;
  /** The number of labelled samples that lack some. */
  readonly incomplete: number;
  readonly foldOf: readonly number[];
  readonly set: readonly string[];
  readonly kind: EncoderFeatures;
  readonly rule: ThresholdRule;
  readonly finetuning?: TrainedProbe;
}

/** Refuses what can be refused before an image is decoded. */
async function planFit(options: FitOptions & { readonly console: MessageConsole }): Promise<FitPlan> {
  const { folds = DEFAULT_FOLDS, console } = options;
  const rule = thresholdRule(options.threshold);
  const finetuning = options.finetune
    ? finetunedProbe('finetune', FINETUNE_PRESETS, options.training ?? {})
    : undefined;
  const kind = vectorKind(options.features ?? finetuning?.finetune?.features ?? 'pooled');
  openSingleRun(options.run, (message) => console.warn(message));
  const judgement = await openJudgement(options);
  const { forwarding, dataset, seed } = judgement;
  if (finetuning !== undefined && forwarding.precision === 'fp16') {
    throw new UsageError(
      'precision is fp16, in which small gradients vanish; finetune with --precision bf16 or fp32',
    );
  }
  const { modalities } = dataset;
  const all = labelledTask(dataset);
  if (options.threshold !== undefined && all.classes.length > 2) {
    throw new UsageError(
      `--threshold is ${options.threshold}, but there are ${all.classes.length} classes (${all.classes.join(', ')}), of which the most probable is called; leave it out, or name the positive one with --positive`,
    );
  }
  const gaps = hasGaps(all, dataset);
  const usual = gaps && modalities.length > 1 ? ANY : modalityKey(modalities);
  const [set] = askedSets(modalities, [options.images ?? usual], gaps) as [readonly string[]];
  const task = completeTask(all, dataset, set);
  const foldOf = foldsOf(task, dataset, folds, seed);
  const incomplete = all.ids.length - task.ids.length;
  return { judgement, task, incomplete, foldOf, set, kind, rule, finetuning };
}

function describe(
  { judgement, task, incomplete, foldOf, set, kind, rule, finetuning }: FitPlan,
  { probe, outOfFold, encoders }: Finetuned,
  exposure: Exposure,
): ModelDescription {
  const { run, forwarding, dataset, seed } = judgement;
  const { root, config } = run.encoders[0]!;
  const classes = task.classes.length;
  const temperature = fitTemperature(outOfFold.probabilities, task.labels, classes);
  const calibrated = withTemperature(outOfFold.probabilities, classes, temperature);
  const { dataHash, modalities } = readProvenance(root);
  const encoder = describeEncoder(config, { modalities, dataHash });
  return {
    format: 1,
    encoder: { ...encoder, input: { ...encoder.input, preprocess: { ...dataset.preprocess } } },
    encoders: encoders.map((one) => [...one.modalities]),
    classes: [...task.classes],
    features: kind,
    images: [...set],
    precision: forwarding.precision,
    ...(probe.C !== undefined && { C: probe.C }),
    ...(finetuning !== undefined && { finetuned: finetuning.preset.name }),
    temperature,
    ...(classes === 2 && { threshold: thresholdOf(calibrated, task, rule) }),
    data: {
      name: dataset.name,
      samples: task.ids.length,
      subjects: new Set(task.subjects).size,
      subjectsPerClass: subjectsPerClass(task.subjects, task.labels, classes),
      perClass: task.classes.map((_, c) => task.labels.filter((label) => label === c).length),
      incomplete,
    },
    outOfFold: {
      ...{ folds: new Set(foldOf).size, seed },
      transductive: exposure.kind === 'unknown' ? 'unknown' : exposure.seenTestSamples > 0 ? 'yes' : 'no',
      auc: aucOf(calibrated, task, seed),
      logLoss: { before: logLoss(outOfFold.probabilities, task), after: logLoss(calibrated, task) },
    },
    use: RESEARCH_USE,
  };
}

/** Fits a probe on the features of the run's own encoders. */
async function fitFrozen(
  run: JudgedRun,
  {
    task,
    foldOf,
    cache,
    modalities,
    set,
    kind,
    seed,
    console,
    ...forwarding
  }: Omit<FinetuneOptions, 'encoder' | 'probe'>,
): Promise<Finetuned> {
  const networks = new RunNetworks(run, forwarding.device);
  try {
    const { data } = networks.config;
    const loader = new ImageLoader(cache, forwarding.device);
    const stream: StreamOptions = {
      ...{ encoderFor: (modality) => networks.of(modality), loader, cache, modalities, set },
      ...{ kind: { name: kind }, indices: task.positions, size: data.size, normalization: data.normalize },
      ...forwarding,
    };
    const features = await collectFeatures(stream, console, 'embedding').finally(() => loader.dispose());
    const separate = separateModalities(run.encoders[0]!);
    const used = modalitiesIn(set, modalities);
    const groups = [
      used.filter((name) => !separate.includes(name)),
      ...used.filter((name) => separate.includes(name)).map((name) => [name]),
    ].filter((group) => group.length > 0);
    const encoders = groups.map((group) => ({ encoder: networks.of(group[0]!), modalities: group }));
    return { ...fitProbe(features, task, foldOf, seed), encoders };
  } catch (error) {
    networks.dispose();
    throw error;
  }
}

/**
 * The samples of the task that have every image of the set.
 * @throws DataError where a class is left without two subjects
 */
function completeTask(task: Task, dataset: Dataset, set: readonly string[]): Task {
  if (isAny(set)) return task;
  const kept = task.positions.filter((position) =>
    set.every((modality) => dataset.samples[position]!.images[modality] !== undefined),
  );
  if (kept.length === task.positions.length) return task;
  const samples = kept.map((position) => dataset.samples[position]!);
  const own = labelledTask({ ...dataset, samples });
  return { ...own, positions: kept };
}

/** The fold of each sample: published with the data, else drawn by subject. */
function foldsOf(task: Task, dataset: Dataset, folds: number, seed: number): number[] {
  const samples = task.positions.map((position) => dataset.samples[position]!);
  const splits = makeSplits({ ...dataset, samples }, { folds, seed });
  return task.ids.map((id) => splits.folds[id] as number);
}

/** Reads `--threshold`. */
function thresholdRule(word: string = 'youden'): ThresholdRule {
  if (word === 'half' || word === 'youden') return { kind: word };
  const [, kind, share] = /^(sensitivity|specificity)=(0?\.\d+|0|1(?:\.0*)?)$/.exec(word) ?? [];
  if (kind !== undefined) return { kind: kind as 'sensitivity' | 'specificity', least: Number(share) };
  throw new UsageError(
    `--threshold is ${word}, expected youden, half, sensitivity=0.9 or specificity=0.9 (a share from 0 to 1)`,
  );
}

function thresholdOf(
  calibrated: Float64Array,
  { labels }: Task,
  rule: ThresholdRule,
): NonNullable<ModelDescription['threshold']> {
  const { threshold, sensitivity, specificity } = chooseThreshold(
    classColumn(calibrated, 2, 1),
    labels,
    rule,
  );
  return { rule, value: threshold, sensitivity, specificity };
}

function aucOf(probabilities: Float64Array, { labels, subjects, classes }: Task, seed: number) {
  const auc = resampledAuc({ probabilities, labels, classes: classes.length });
  const { value, low, high } = bootstrapInterval(auc, subjects, { replicates: 2000, seed });
  return { value, low, high };
}

function logLoss(probabilities: Float64Array, { labels, classes }: Task): number {
  const sum = labels.reduce(
    (total, label, i) =>
      total - Math.log(Math.max(Number.MIN_VALUE, probabilities[i * classes.length + label]!)),
    0,
  );
  return sum / labels.length;
}
