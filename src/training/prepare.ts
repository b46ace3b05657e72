/** From a config to all that a run needs: data, images, method, optimiser. */
import type { Config } from '../config/index.js';
import { quickWarnings } from '../data/audit/quickAudit.js';
import { type Fold, type FoldOf, SET_ASIDE } from '../data/fold.js';
import { type BatchPlan, type Loader, stepsPerEpoch } from '../data/loading/loader.js';
import { presentAmong } from '../data/presence.js';
import type { Dataset } from '../data/sample.js';
import type { Splits } from '../data/splits/splits.js';
import { DataError, UsageError } from '../errors.js';
import type { MessageConsole } from '../log/console.js';
import type { Method } from '../methods/index.js';
import { Sgd } from '../optim/index.js';
import { type Device, type ProcessGroup, setThreads, TensorError, tidy } from '../tensor/index.js';
import { batchFault } from './batchFault.js';
import { buildMethod, checkMethod, learnsFrom } from './build.js';
import type { OpenCheckpoint } from './checkpoint.js';
import { calibrate } from './embed.js';
import { streamOf } from './imageCache.js';
import { activationBytes, resolveMicroBatch } from './microBatch.js';
import { monitor, planMonitors, warnOfCollapse } from './monitors.js';
import { type Precision, resolveDevice, resolvePrecision } from './precision.js';
import type { TrainingData } from './trainingData.js';

/** Everything that a run has before its first step; for the training loop and the dry run alike. */
export interface PreparedRun {
  /** The settings of the run; `data.fold` is a number or `none`. */
  readonly config: Config;
  /** All samples of the data, those held out included. */
  readonly dataset: Dataset;
  /**
   * The digest of images, labels and subjects. It is the key of the run's pseudonyms, so no file of the run may hold
   * it.
   */
  readonly dataHash: string;
  /** Faults that a quick look through the images found, a sentence each. */
  readonly faults: readonly string[];
  /** The fold of each sample by its id; absent where every sample is trained on. */
  readonly folds?: ReadonlyMap<string, Fold>;
  /** The number of folds of the data; 1 without folds. */
  readonly foldCount: number;
  /** The positions of the samples trained on, and the order in which batches draw them. */
  readonly plan: BatchPlan;
  /** The number of optimiser steps of the whole run; 0 where the method trains nothing. */
  readonly totalSteps: number;
  /** The networks, losses and banks, with their initial weights on `device`. */
  readonly method: Method;
  /** SGD over the method's parameters, before its first step. */
  readonly optimizer: Sgd;
  /** Gives the images of samples as uint8 [B, C, S, S] on `device`. */
  readonly loader: Loader;
  /** The device that the run computes on; `auto` is resolved. */
  readonly device: Device;
  /** The number format of the forward passes; `auto` is resolved. */
  readonly precision: Precision;
  /** The number of pairs in one forward pass, of all processes together; `auto` is resolved. */
  readonly microBatch: number;
  readonly recompute: 'none' | 'cheap';
  /** The processes that train together; absent where this one is alone. */
  readonly group?: ProcessGroup | undefined;
  /** About how many bytes the activations of a step take at most; 0 where that is not known. */
  readonly stepBytes: number;
  /** The newest checkpoint of the run, where it is one to go on with. The loop frees its state once it is loaded. */
  readonly checkpoint?: OpenCheckpoint;
  /** Looks at the embeddings of some pairs and warns of a collapse. @returns the metrics to log, by name */
  monitor(): Promise<Record<string, number>>;
  /** Sets batch norm's running statistics to those of the pairs trained on, for an encoder that is not trained. */
  calibrate(): Promise<void>;
  /** Frees all that `prepare` was given or has made; later calls do nothing. */
  dispose(): void;
}

export interface PrepareOptions {
  /** The checkpoint to go on from. The run owns it, also if `prepare` throws. */
  readonly checkpoint?: OpenCheckpoint;
  /** Lets `training.microBatch: auto` choose anew, whatever the checkpoint's run has chosen. */
  readonly allowInexact?: boolean;
}

/**
 * Prepares one run. Nothing is written but the image cache.
 * @param config with one fold or none: `data.fold` is not `all`
 * @throws UsageError or DataError when the settings, the data or both together make no run; then nothing stays open
 */
export async function prepare(
  config: Config,
  data: TrainingData,
  console: MessageConsole,
  { checkpoint, allowInexact = false }: PrepareOptions = {},
): Promise<PreparedRun> {
  const owned: { dispose(): void }[] = checkpoint === undefined ? [] : [checkpoint];
  const own = <T extends { dispose(): void }>(made: T): T => {
    owned.push(made);
    return made;
  };
  const dispose = () => {
    for (const one of owned.splice(0)) one.dispose();
  };
  try {
    const { training, seed } = config;
    if (training.threads !== null) useThreads(training.threads);
    const device = resolveDevice(training.device);
    const precision = resolvePrecision(training.precision, device);
    checkMethod(config);
    const dataset = await data.dataset();
    const { modalities } = dataset;
    const splits = await splitsFor(config, data, console);
    const foldAt: FoldOf = (position) => splits?.folds[dataset.samples[position]!.id];
    const { trained, heldOut } = divide(config, dataset, foldAt, console);
    const plan: BatchPlan = {
      indices: trained,
      batchSize: training.batchSize,
      dropLast: training.dropLast,
      seed,
      stream: streamOf(dataset, trained, config),
    };
    // Before anything is decoded, as the weights to start from may not fit.
    const samples = trained.map((position) => dataset.samples[position]!);
    const onWarning = (message: string) => console.warn(message);
    const method = own(buildMethod(config, { ...dataset, samples }, device, onWarning));
    const fault = batchFault(plan, method.comparesBatch);
    if (fault !== undefined) console.warn(fault);
    const { dataHash, audit, makeLoader } = await data.images();
    const loader = own(makeLoader(device));
    const { momentum, weightDecay, nesterov } = training;
    const optimizer = own(new Sgd(method.parameters(), { momentum, weightDecay, nesterov }));
    const untrained = method.parameters().size === 0;
    const begun = allowInexact ? undefined : checkpoint?.fingerprint.microBatch;
    const shape = {
      backbone: method.encoderFor(modalities[0]!).backbone,
      size: config.data.size,
      views: await viewsOfAPair(method, loader, dataset, trained[0]!),
      precision,
    };
    const microBatch = resolveMicroBatch({
      ...shape,
      // A resumed run keeps the choice that `auto` made when it began: another one would change its numbers.
      asked: training.microBatch === 'auto' ? (begun ?? 'auto') : training.microBatch,
      batchSize: Math.min(training.batchSize, trained.length),
      device,
    });
    // LibTorch does not tell the memory of a GPU, and untrained encoders keep no activations.
    const stepBytes = untrained || device !== 'cpu' ? 0 : microBatch * activationBytes(shape);
    const embedding = {
      loader,
      size: config.data.size,
      normalization: config.data.normalize,
      precision,
      device,
    };
    return {
      config,
      dataset,
      dataHash,
      faults: audit === undefined ? [] : quickWarnings(audit, foldAt),
      folds: splits && new Map(Object.entries(splits.folds)),
      foldCount: splits?.k ?? 1,
      plan,
      totalSteps: untrained ? 0 : (training.steps ?? training.epochs * stepsPerEpoch(plan)),
      method,
      optimizer,
      loader,
      device,
      precision,
      microBatch,
      recompute: training.recompute ?? 'none',
      stepBytes,
      checkpoint,
      monitor: monitorOf(config, { dataset, trained, heldOut, modalities, method, embedding }, console),
      calibrate: () => {
        const encoder = method.encoderFor(modalities[0]!);
        return calibrate({ ...embedding, encoder, indices: trained }, modalities);
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function useThreads(count: number): void {
  try {
    setThreads(count);
  } catch (error) {
    if (error instanceof TensorError)
      throw new UsageError(error.message.replace('setThreads()', 'training.threads'));
    throw error;
  }
}

/** The folds that the run keeps to; undefined where it trains on every sample. */
async function splitsFor(
  { data: { fold, splits } }: Config,
  data: TrainingData,
  console: MessageConsole,
): Promise<Splits | undefined> {
  if (fold === 'none' && splits === null) return undefined;
  const given = await data.folds();
  if (typeof fold === 'number' && fold >= given.k) {
    throw new UsageError(`data.fold is ${fold}, expected 0 to ${given.k - 1}`);
  }
  if (fold !== 'none' || Object.values(given.folds).includes(SET_ASIDE)) return given;
  console.warn('--splits is given but --fold is none: nothing is held out; say --fold 0, 1, … or all');
  return undefined;
}

/**
 * Positions of the samples to train on and of those held out. Samples set aside are in neither, and those that lack the
 * images that the method compares are not trained on.
 */
function divide(
  { data, method }: Config,
  dataset: Dataset,
  foldAt: FoldOf,
  console: MessageConsole,
): { trained: number[]; heldOut: number[] } {
  const positions = dataset.samples.map((_, position) => position);
  const heldOut = positions.filter((position) => foldAt(position) === data.fold);
  const trained = positions.filter(
    (position) => foldAt(position) !== SET_ASIDE && foldAt(position) !== data.fold,
  );
  if (trained.length < 2) {
    throw new DataError(`${dataset.name}: ${trained.length} pair(s) to train on, expected at least 2`);
  }
  const learns = learnsFrom({ method }, dataset.modalities);
  const used = trained.filter((position) => learns(dataset.samples[position]!));
  // Where none can be used, the method says what it needs.
  if (used.length === trained.length || used.length === 0) return { trained, heldOut };
  const unused = trained.length - used.length;
  const left = `${unused} of the ${trained.length} samples lack images that method ${method.name} compares`;
  if (used.length < 2) throw new DataError(`${dataset.name}: ${left}, so one is left; expected at least 2`);
  console.warn(`${left}; it does not learn from them`);
  return { trained: used, heldOut };
}

/** The number of images that the method makes of a pair. */
async function viewsOfAPair(
  method: Method,
  loader: Loader,
  dataset: Dataset,
  position: number,
): Promise<number> {
  await loader.prepare([position]);
  const ids = [dataset.samples[position]!.id];
  return tidy(() => {
    const loaded = loader.load([position]);
    return method.views({ ...loaded, ids, rows: [0], epoch: 0 }).specs.length;
  });
}

interface Monitored {
  readonly dataset: Dataset;
  readonly trained: readonly number[];
  readonly heldOut: readonly number[];
  readonly modalities: readonly string[];
  readonly method: Method;
  readonly embedding: Omit<Parameters<typeof monitor>[1], 'encoderFor' | 'modalities' | 'present'>;
}

/** The monitor of a run, which also warns of what it sees. */
function monitorOf(
  { monitor: { pairs, neighbours }, seed }: Config,
  { dataset, trained, heldOut, modalities, method, embedding }: Monitored,
  console: MessageConsole,
): PreparedRun['monitor'] {
  const { samples, positive } = dataset;
  const labelled = positive !== undefined && samples.every(({ label }) => label !== undefined);
  const plan = planMonitors({
    trained,
    heldOut,
    subjects: samples.map(({ subject }) => subject),
    labels: labelled ? samples.map(({ label }) => Number(label === positive)) : undefined,
    pairs,
    neighbours,
    seed,
  });
  const encoderFor = (modality: string) => method.encoderFor(modality);
  const collapsed = new Map<string, number>();
  return async () => {
    const present = presentAmong(samples, modalities);
    const found = await monitor(plan, { ...embedding, encoderFor, modalities, present });
    warnOfCollapse(found, collapsed, console);
    if (found.nonFinite !== undefined) {
      console.warn(
        `${found.nonFinite} of the values the encoder gives in evaluation are not finite, so there is nothing to monitor; lower training.learningRate`,
      );
    }
    return found;
  };
}
