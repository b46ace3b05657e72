/** `anatomy fit`: a model that gives class probabilities for new images, from a run and all labelled samples. */

import { ImageLoader } from '../../data/loading/loader.js';
import type { Dataset } from '../../data/sample.js';
import { DEFAULT_FOLDS, makeSplits } from '../../data/splits/splits.js';
import { UsageError } from '../../errors.js';
import type { JudgedDataSpec } from '../../evaluation/encoders/judgedData.js';
import { separateModalities } from '../../evaluation/encoders/runEncoders.js';
import { exposureOf } from '../../evaluation/folds/exposure.js';
import { labelledTask, type Task } from '../../evaluation/folds/task.js';
import { decodeImages, openJudgement } from '../../evaluation/openJudgement.js';
import { ANY, askedSets, isAny, modalityKey } from '../../evaluation/results/modalitySets.js';
import { resampledAuc } from '../../evaluation/summary/rowMetrics.js';
import { makeFolderOf, refuseToReplace } from '../../files.js';
import { MessageConsole } from '../../log/console.js';
import { classColumn } from '../../metrics/areas/rocAuc.js';
import { bootstrapInterval } from '../../metrics/bootstrap.js';
import { fitTemperature, withTemperature } from '../../metrics/calibration/temperature.js';
import { chooseThreshold, type ThresholdRule } from '../../metrics/thresholds.js';
import { describeEncoder } from '../../training/encoderFile.js';
import type { Precision } from '../../training/precision.js';
import { readProvenance } from '../../training/provenance.js';
import { vectorKind } from '../embed/featureKind.js';
import { collectFeatures, type StreamOptions } from '../embed/featureStream.js';
import { openSingleRun, RunNetworks } from '../openEncoder.js';
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
  readonly folds?: number;
  readonly seed?: number;
  readonly device?: string;
  readonly precision?: 'auto' | Precision;
  readonly overwrite?: boolean;
  readonly console?: MessageConsole;
  readonly cacheFolder?: string;
}

/**
 * Fits a probe on all labelled samples, calibrates it by out-of-fold probabilities, chooses its threshold by a rule,
 * and writes it with its encoder to one file.
 *
 * @returns what is known of the model
 * @throws UsageError when an option does not fit, DataError when the labels or images do not; nothing is written then
 */
export async function fitModel(options: FitOptions): Promise<ModelDescription> {
  const {
    out,
    overwrite = false,
    folds = DEFAULT_FOLDS,
    console = new MessageConsole({ quiet: true }),
  } = options;
  refuseToReplace([out], out, overwrite);
  const rule = thresholdRule(options.threshold);
  const kind = vectorKind(options.features ?? 'pooled');
  openSingleRun(options.run, (message) => console.warn(message));
  const judgement = await openJudgement({ ...options, console });
  const { run, forwarding, dataset, seed } = judgement;
  const { modalities } = dataset;
  const all = labelledTask(dataset);
  if (rule !== undefined && options.threshold !== undefined && all.classes.length > 2) {
    throw new UsageError(
      `--threshold is ${options.threshold}, but there are ${all.classes.length} classes (${all.classes.join(', ')}), of which the most probable is called; leave it out, or name the positive one with --positive`,
    );
  }
  const gaps = all.positions.some((position) =>
    modalities.some((modality) => dataset.samples[position]!.images[modality] === undefined),
  );
  const usual = gaps && modalities.length > 1 ? ANY : modalityKey(modalities);
  const [set] = askedSets(modalities, [options.images ?? usual], gaps) as [readonly string[]];
  const task = completeTask(all, dataset, set);
  const foldOf = foldsOf(task, dataset, folds, seed);
  const { cache, trace } = await decodeImages(judgement);
  const networks = new RunNetworks(run, forwarding.device);
  try {
    const loader = new ImageLoader(cache, forwarding.device);
    const { config } = networks;
    const stream: StreamOptions = {
      ...{ encoderFor: (modality) => networks.of(modality), loader, cache, modalities, set },
      ...{ kind: { name: kind }, indices: task.positions, size: config.data.size },
      ...{ normalization: config.data.normalize, ...forwarding },
    };
    const features = await collectFeatures(stream, console, 'embedding').finally(() => loader.dispose());
    const { probe, outOfFold } = fitProbe(features, task, foldOf, seed);
    const classes = task.classes.length;
    const temperature = fitTemperature(outOfFold.probabilities, task.labels, classes);
    const calibrated = withTemperature(outOfFold.probabilities, classes, temperature);
    const encoder = run.encoders[0]!;
    const exposure = exposureOf({ rounds: [{ test: [...task.positions.keys()], encoder }] }, task, trace);
    const separate = separateModalities(encoder);
    const { dataHash, modalities: trainedOn } = readProvenance(options.run);
    const description: ModelDescription = {
      format: 1,
      encoder: {
        ...describeEncoder(config, { modalities: trainedOn, dataHash }),
        input: {
          ...describeEncoder(config, { modalities: trainedOn }).input,
          preprocess: { ...dataset.preprocess },
        },
      },
      encoders: [
        modalities.filter((name) => !separate.includes(name)),
        ...separate.filter((name) => modalities.includes(name)).map((name) => [name]),
      ],
      classes: [...task.classes],
      features: kind,
      images: [...set],
      precision: forwarding.precision,
      C: probe.C,
      temperature,
      ...(classes === 2 && { threshold: thresholdOf(calibrated, task, rule) }),
      data: {
        name: dataset.name,
        samples: task.ids.length,
        subjects: new Set(task.subjects).size,
        perClass: task.classes.map((_, c) => task.labels.filter((label) => label === c).length),
        incomplete: all.ids.length - task.ids.length,
      },
      outOfFold: {
        ...{ folds: new Set(foldOf).size, seed },
        transductive: exposure.kind === 'unknown' ? 'unknown' : exposure.seenTestSamples > 0 ? 'yes' : 'no',
        auc: aucOf(calibrated, task, seed),
        logLoss: {
          before: logLoss(outOfFold.probabilities, task),
          after: logLoss(calibrated, task),
        },
      },
      use: RESEARCH_USE,
    };
    const encoders = description.encoders.map(([first]) => networks.of(first ?? modalities[0]!));
    makeFolderOf(out);
    saveModel(out, { description, probe, heldOut: outOfFold.distances.slice().sort(), encoders });
    return description;
  } finally {
    networks.dispose();
  }
}

/** The samples of the task that have every image of the set. @throws DataError where a class is left without two subjects */
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
