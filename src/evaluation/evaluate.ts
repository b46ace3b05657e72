/**
 * The judgement of a run: what a simple probe reads from its frozen features, beside the same from the untrained encoder and
 * from thumbnails.
 */
import { quickAudit, repeatsAcrossFolds } from '../data/audit/quickAudit.js';
import { published } from '../data/pseudonym.js';
import { UsageError } from '../errors.js';
import { MessageConsole } from '../log/console.js';
import { methodNamed } from '../methods/index.js';
import { openImages } from '../training/imageCache.js';
import type { Precision } from '../training/precision.js';
import { packageVersion } from '../version.js';
import { type JudgedDataSpec, openJudgedData } from './encoders/judgedData.js';
import { openRun } from './encoders/runEncoders.js';
import { forwardingOf, runSummary } from './encoders/runSummary.js';
import { rowNames } from './features/rowFeatures.js';
import { THUMBNAIL } from './features/thumbnails.js';
import { exposureOf } from './folds/exposure.js';
import { traceImages } from './folds/imageTrace.js';
import { type FoldPlan, planFolds, planUndecoded } from './folds/outerFolds.js';
import { labelledTask } from './folds/task.js';
import { judge } from './judge.js';
import { NEIGHBOURS, type Protocol } from './probes/probe.js';
import { DEFAULT_RIDGE_GRID } from './probes/ridge.js';
import type { EvaluationResult, EvaluationRow, PatientResult, RowName } from './results/evaluationResult.js';
import { askedSets, modalityKey } from './results/modalitySets.js';
import { differences } from './summary/differences.js';
import { flatNotes, notesOf } from './summary/notes.js';
import { noPatients, patientLevel } from './summary/patients.js';
import { type Judged, metricNames, summarizeRow, undefinedSummary } from './summary/rowMetrics.js';
import { type TrainedProbe, type TrainingOptions, trainedProbe } from './trained/trainedProbe.js';

export interface EvaluateOptions extends TrainingOptions {
  /** A run's folder, or that of `pretrain --fold all`. */
  readonly run: string;
  readonly protocol: Protocol;
  /** What to judge on; the run's own data where left out. */
  readonly data?: JudgedDataSpec;
  /** A splits file; else the run's folds, else published ones, else drawn by subject. */
  readonly splits?: string;
  /** Number of folds to draw. Default 5. */
  readonly folds?: number;
  /** Default: both; of finetuning, what the preset reads. */
  readonly features?: 'head' | 'pooled' | 'both';
  /** Sets of modalities to judge, such as `['a', 'a+b']`; each alone and all together where left out. */
  readonly images?: readonly string[];
  /** Share of each class's training labels that probes learn from, above 0; default 1, all. */
  readonly labelFraction?: number;
  /** Judge the samples that the splits set aside, once, by what is learned from all others. */
  readonly setAside?: boolean;
  /** Whether the same network with random weights is judged beside the run, which takes as long again or longer. Default true. */
  readonly untrained?: boolean;
  /** Of kNN. */
  readonly k?: number;
  readonly temperature?: number;
  /** Of folds, probes and bootstrap. */
  readonly seed?: number;
  /** Draws of the bootstrap over subjects. */
  readonly replicates?: number;
  readonly device?: string;
  /** Precision of the forward pass; default: that of the run's training. */
  readonly precision?: 'auto' | Precision;
  readonly console?: MessageConsole;
  /** Folder for decoded images. */
  readonly cacheFolder?: string;
}

const CONFIDENCE = 0.95;

/**
 * Judges a run by cross-validation over subjects. Writes nothing; see `saveEvaluation`. The same options give the same
 * numbers, for the same LibTorch, threads and precision.
 *
 * @throws UsageError when there is no run or the options do not fit it, DataError when the data cannot be judged on
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationResult> {
  const {
    protocol,
    seed = 0,
    labelFraction = 1,
    setAside = false,
    replicates = 2000,
    cacheFolder,
    console = new MessageConsole({ quiet: true }),
  } = options;
  const trained = trainedProbe(protocol, options);
  const run = openRun(options.run, (message) => console.warn(message));
  const { config } = run.encoders[0]!;
  const forwarding = forwardingOf(run, options);
  const { device, precision } = forwarding;
  if (protocol === 'finetune' && precision === 'fp16') {
    throw new UsageError(
      'precision is fp16, in which small gradients vanish; finetune with --precision bf16 or fp32',
    );
  }
  const dataset = await openJudgedData(options.data ?? {}, config, console);
  const task = labelledTask(dataset);
  const { modalities } = dataset;
  // Finetuning is dear: all modalities together are what it is for.
  const byDefault = protocol === 'finetune' ? [modalityKey(modalities)] : undefined;
  const sets = askedSets(modalities, options.images ?? byDefault);
  if (!(labelFraction > 0 && labelFraction <= 1)) {
    throw new UsageError(
      `--label-fraction is ${labelFraction}, expected more than 0, at most 1 (0.1 is 10 %)`,
    );
  }
  const foldOptions = { splits: options.splits, folds: options.folds, seed, labelFraction, setAside };
  const planned = await planUndecoded(task, dataset, run, foldOptions);
  checkProbe(options, planned === undefined ? task.ids.length - 1 : fewestTrained(planned));
  const cache = await openImages(dataset, config, cacheFolder, console);
  const trace = await traceImages(run, dataset, cache, cacheFolder);
  const plan = planned ?? (await planFolds(task, dataset, run, trace, foldOptions));
  const probe = checkProbe(options, fewestTrained(plan));

  const exposure = exposureOf(plan, task, trace);
  if (methodNamed(config.method.name)!.usesLabels && exposure.seenTestSamples > 0) {
    throw new UsageError(
      `${options.run}: ${config.method.name} learned from the labels of ${exposure.seenTestSamples} of the ${exposure.testSamples} test samples, so its numbers would mean nothing; pretrain it with --splits and --fold all`,
    );
  }

  const kinds = featureKinds(options.features, trained);
  const { untrained = true } = options;
  const names = rowNames(kinds, sets).filter(({ source }) => untrained || source !== 'untrained');
  const sources = { task, cache, plan, kinds, modalities, sets, device, precision };
  const judgement = await judge(names, { ...sources, protocol, trained, seed, ...probe }, console);

  const tested = plan.rounds.flatMap(({ test }) => test).sort((a, b) => a - b);
  const foldOf = new Map(plan.rounds.flatMap(({ fold, test }) => test.map((i) => [i, fold] as const)));
  const shared = {
    labels: tested.map((i) => task.labels[i]!),
    subjects: tested.map((i) => task.subjects[i]!),
    folds: tested.map((i) => foldOf.get(i)!),
    classes: task.classes.length,
  };
  const probabilities = Object.fromEntries(
    names.map(({ key }) => [key, rowsOf(judgement.rows.get(key)!.predictions, tested, shared.classes)]),
  );
  const linear = new Set(names.flatMap(({ key, source }) => (source === 'thumbnail' ? [key] : [])));
  const judgedOf = (key: string): Judged => ({
    ...shared,
    probabilities: probabilities[key]!,
    probabilistic: !linear.has(key),
  });
  const judgedFolds = plan.rounds.map(({ fold }) => fold);
  const bootstrap = { replicates, confidence: CONFIDENCE, seed };
  const rows: EvaluationRow[] = names.map((name) => {
    const { columns, chosen, validation, paperStyle, diverged } = judgement.rows.get(name.key)!;
    const metrics =
      diverged === undefined
        ? summarizeRow(judgedOf(name.key), judgedFolds, bootstrap)
        : undefinedSummary(shared.classes, judgedFolds);
    return { ...name, columns, chosen, validation, metrics, paperStyle };
  });
  const valued = names.filter(({ key }) => judgement.rows.get(key)!.diverged === undefined);
  const notes = names.flatMap(({ key }) => {
    const { diverged } = judgement.rows.get(key)!;
    return diverged === undefined ? [] : [`${key} has no value. ${diverged}.`];
  });
  const flat = Object.fromEntries(valued.map(({ key }) => [key, probabilities[key]!]));
  notes.push(...flatNotes(flat, shared.folds));
  const withoutPatients = noPatients(shared);
  // What no round tests is trained on in all of them.
  const foldAt = new Map(task.positions.map((position, i) => [position, foldOf.get(i) ?? -1]));
  const repeated = repeatsAcrossFolds(await quickAudit(dataset, cache, cacheFolder), (at) => foldAt.get(at));
  return {
    version: 1,
    tool: `anatomy-ssl ${packageVersion()}`,
    protocol,
    preset: trained?.preset.name,
    settings: { ...judgement.settings, thumbnail: THUMBNAIL, thumbnailGrid: DEFAULT_RIDGE_GRID },
    run: runSummary(run, forwarding),
    data: {
      name: dataset.name,
      dataHash: published(cache.dataHash),
      samples: tested.length,
      subjects: new Set(shared.subjects).size,
      modalities,
      classes: task.classes,
      samplesPerClass: task.classes.map((_, c) => shared.labels.filter((label) => label === c).length),
    },
    folds: { source: plan.source, k: plan.k, judged: judgedFolds, inner: plan.inner, seed },
    setAside,
    labels: {
      fraction: labelFraction,
      samples: plan.rounds.map(({ train }) => train.length),
      subjects: plan.rounds.map(({ train }) => new Set(train.map((i) => task.subjects[i])).size),
    },
    exposure,
    bootstrap,
    metrics: metricNames(shared.classes),
    rows,
    differences: new Set(shared.subjects).size < 2 ? [] : differences(valued, judgedOf, bootstrap),
    patients:
      withoutPatients === undefined ? patientResults(valued, judgedOf, judgedFolds, bootstrap) : undefined,
    notes: [...notes, ...notesOf({ run, dataset, task, plan, rows, exposure, withoutPatients, repeated })],
    predictions: {
      dataHash: cache.dataHash,
      ids: tested.map((i) => task.ids[i]!),
      subjects: shared.subjects,
      folds: shared.folds,
      labels: shared.labels,
      probabilities,
    },
  };
}

function featureKinds(
  features: EvaluateOptions['features'],
  trained: TrainedProbe | undefined,
): ('pooled' | 'head')[] {
  const asked = features ?? trained?.finetune?.features ?? 'both';
  return asked === 'both' ? ['pooled', 'head'] : [asked];
}

interface ProbeSettings {
  readonly k: number;
  readonly temperature: number;
}

/** @param most samples that every fold may have to train on */
function checkProbe(
  { protocol, k = NEIGHBOURS, temperature = 0.07 }: EvaluateOptions,
  most: number,
): ProbeSettings {
  if (protocol === 'knn' && !(Number.isInteger(k) && k >= 1 && k <= most)) {
    throw new UsageError(
      `--k is ${k}, expected 1 to ${most}: every fold must have so many samples to train on`,
    );
  }
  if (!(temperature > 0)) throw new UsageError(`--temperature is ${temperature}, expected more than 0`);
  return { k, temperature };
}

function fewestTrained({ rounds }: FoldPlan): number {
  return Math.min(...rounds.map(({ train }) => train.length));
}

function rowsOf(all: Float64Array, rows: readonly number[], columns: number): Float64Array {
  const chosen = new Float64Array(rows.length * columns);
  for (const [at, row] of rows.entries()) {
    chosen.set(all.subarray(row * columns, (row + 1) * columns), at * columns);
  }
  return chosen;
}

function patientResults(
  names: readonly RowName[],
  judgedOf: (key: string) => Judged,
  folds: readonly number[],
  bootstrap: EvaluationResult['bootstrap'],
): PatientResult[] {
  return (['mean', 'max'] as const).map((aggregation) => {
    const { labels } = patientLevel(judgedOf(names[0]!.key), aggregation);
    return {
      aggregation,
      subjects: labels.length,
      positives: labels.filter((label) => label === 1).length,
      rows: names.map((name) => ({
        ...name,
        metrics: summarizeRow(patientLevel(judgedOf(name.key), aggregation), folds, bootstrap),
      })),
    };
  });
}
