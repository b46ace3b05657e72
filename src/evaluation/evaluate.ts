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
import { type Precision, resolveDevice, resolvePrecision } from '../training/precision.js';
import { packageVersion } from '../version.js';
import { crossValidate } from './crossValidate.js';
import { differences } from './differences.js';
import { exposureOf, traceImages } from './exposure.js';
import { type JudgedDataSpec, openJudgedData } from './judgedData.js';
import { DEFAULT_C_GRID } from './logisticProbe.js';
import { notesOf } from './notes.js';
import { type FoldPlan, planFolds, planUndecoded } from './outerFolds.js';
import { noPatients, patientLevel } from './patients.js';
import type { Protocol } from './probe.js';
import { askedSets } from './representations.js';
import type { EvaluationResult, EvaluationRow, PatientResult, RowName } from './result.js';
import { DEFAULT_RIDGE_GRID } from './ridge.js';
import { rowFeatures, rowNames } from './rowFeatures.js';
import { type Judged, metricNames, summarizeRow } from './rowMetrics.js';
import { openRun } from './runEncoders.js';
import { labelledTask } from './task.js';
import { THUMBNAIL } from './thumbnails.js';

export interface EvaluateOptions {
  /** A run's folder, or that of `pretrain --fold all`. */
  readonly run: string;
  readonly protocol: Protocol;
  /** What to judge on; the run's own data where left out. */
  readonly data?: JudgedDataSpec;
  /** A splits file; else the run's folds, else published ones, else drawn by subject. */
  readonly splits?: string;
  /** Number of folds to draw. Default 5. */
  readonly folds?: number;
  readonly features?: 'head' | 'pooled' | 'both';
  /** Sets of modalities to judge, such as `['a', 'a+b']`; each alone and all together where left out. */
  readonly images?: readonly string[];
  /** Share of each class's training labels that probes learn from, above 0; default 1, all. */
  readonly labelFraction?: number;
  /** Judge the samples that the splits set aside, once, by what is learned from all others. */
  readonly setAside?: boolean;
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
  const run = openRun(options.run, (message) => console.warn(message));
  const { config } = run.encoders[0]!;
  const device = resolveDevice(options.device ?? 'auto');
  const asked = options.precision ?? config.training.precision;
  // A run in fp16 on a GPU can be judged without one.
  const precision = resolvePrecision(asked === 'fp16' && device === 'cpu' ? 'auto' : asked, device);
  const dataset = await openJudgedData(options.data ?? {}, config, console);
  const task = labelledTask(dataset);
  const sets = askedSets(dataset.modalities, options.images);
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

  const kinds = featureKinds(options.features);
  const sources = { task, cache, plan, kinds, modalities: dataset.modalities, sets, device, precision };
  const features = await rowFeatures(sources, console);
  const names = rowNames(kinds, sets);
  const crossValidation = { task, plan, protocol, seed, ...probe };
  const { predictions, chosen, validation } = await crossValidate(names, features, crossValidation, console);

  const tested = plan.rounds.flatMap(({ test }) => test).sort((a, b) => a - b);
  const foldOf = new Map(plan.rounds.flatMap(({ fold, test }) => test.map((i) => [i, fold] as const)));
  const shared = {
    labels: tested.map((i) => task.labels[i]!),
    subjects: tested.map((i) => task.subjects[i]!),
    folds: tested.map((i) => foldOf.get(i)!),
    classes: task.classes.length,
  };
  const probabilities = Object.fromEntries(
    names.map(({ key }) => [key, rowsOf(predictions.get(key)!, tested, shared.classes)]),
  );
  const linear = new Set(names.flatMap(({ key, source }) => (source === 'thumbnail' ? [key] : [])));
  const judgedOf = (key: string): Judged => ({
    ...shared,
    probabilities: probabilities[key]!,
    probabilistic: !linear.has(key),
  });
  const judgedFolds = plan.rounds.map(({ fold }) => fold);
  const bootstrap = { replicates, confidence: CONFIDENCE, seed };
  const rows: EvaluationRow[] = names.map((name) => ({
    ...name,
    columns: features(plan.rounds[0]!, name).columns,
    chosen: chosen.get(name.key),
    validation: validation.get(name.key),
    metrics: summarizeRow(judgedOf(name.key), judgedFolds, bootstrap),
  }));
  const withoutPatients = noPatients(shared);
  // What no round tests is trained on in all of them.
  const foldAt = new Map(task.positions.map((position, i) => [position, foldOf.get(i) ?? -1]));
  const repeated = repeatsAcrossFolds(await quickAudit(dataset, cache, cacheFolder), (at) => foldAt.get(at));
  return {
    version: 1,
    tool: `anatomy-ssl ${packageVersion()}`,
    protocol,
    settings: { ...settingsOf(protocol, probe), thumbnail: THUMBNAIL, thumbnailGrid: DEFAULT_RIDGE_GRID },
    run: {
      name: run.name,
      method: config.method.name,
      recipe: config.recipe,
      seed: config.seed,
      size: config.data.size,
      precision,
      device,
      encoders: run.encoders.map(({ fold, checkpoint }) => ({
        fold,
        weights: checkpoint === undefined ? 'final' : 'checkpoint',
        step: checkpoint?.step,
      })),
    },
    data: {
      name: dataset.name,
      dataHash: published(cache.dataHash),
      samples: tested.length,
      subjects: new Set(shared.subjects).size,
      modalities: dataset.modalities,
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
    differences: new Set(shared.subjects).size < 2 ? [] : differences(names, judgedOf, bootstrap),
    patients:
      withoutPatients === undefined ? patientResults(names, judgedOf, judgedFolds, bootstrap) : undefined,
    notes: notesOf({ run, dataset, task, plan, rows, exposure, withoutPatients, repeated }),
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

function featureKinds(asked: EvaluateOptions['features'] = 'both'): ('pooled' | 'head')[] {
  return asked === 'both' ? ['pooled', 'head'] : [asked];
}

interface ProbeSettings {
  readonly k: number;
  readonly temperature: number;
}

/** @param most samples that every fold may have to train on */
function checkProbe({ protocol, k = 20, temperature = 0.07 }: EvaluateOptions, most: number): ProbeSettings {
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

function settingsOf(protocol: Protocol, { k, temperature }: ProbeSettings): Record<string, unknown> {
  switch (protocol) {
    case 'logreg':
      return { standardize: 'training fold', grid: DEFAULT_C_GRID, chosenBy: 'log-loss of the inner folds' };
    case 'linear':
      return { recipe: 'hu-linear', standardize: 'none', epochs: 50, batchSize: 128, learningRate: 0.03 };
    case 'knn':
      return { k, temperature, similarity: 'cosine' };
  }
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
