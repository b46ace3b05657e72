/** From a config to all that a run needs: data, cache, method, optimiser. */
import type { Config } from '../config/index.js';
import { type Fold, SET_ASIDE } from '../data/fold.js';
import { type BatchPlan, stepsPerEpoch } from '../data/loading/loader.js';
import { openDataset } from '../data/openDataset.js';
import type { Dataset } from '../data/sample.js';
import { loadSplits, makeSplits } from '../data/splits/splits.js';
import { DataError, UsageError } from '../errors.js';
import type { MessageConsole } from '../log/console.js';
import { Sgd } from '../optim/index.js';
import { setThreads, tidy } from '../tensor/index.js';
import { batchFault } from './batchFault.js';
import { buildMethod, checkMethod, pairOf } from './build.js';
import { datasetSpec } from './datasetSpec.js';
import { calibrate } from './embed.js';
import { openLoader, streamOf } from './imageCache.js';
import { resolveMicroBatch } from './microBatch.js';
import { monitor, planMonitors } from './monitors.js';
import { resolveDevice, resolvePrecision } from './precision.js';

/** Opens the config's data and decodes nothing. Labels only serve a monitor here, so unusable ones are no error. */
export async function openData(config: Config, console: Pick<MessageConsole, 'warn'>): Promise<Dataset> {
  const onWarning = (message: string) => console.warn(message);
  return openDataset(datasetSpec(config), { onWarning, positive: 'optional' });
}

/** The folds of the data. @throws UsageError where none are given or published */
export async function foldsOf(config: Config, dataset: Dataset) {
  const { splits } = config.data;
  if (splits !== null) return loadSplits(splits, dataset.samples);
  if (dataset.samples.every(({ fold }) => fold !== undefined)) return makeSplits(dataset);
  throw new UsageError(
    'data.fold asks for folds, and the data publishes none; make some with `anatomy data split --out splits.json` and give --splits',
  );
}

/**
 * Everything a run needs before its first step.
 * @param aboutData told what is wrong with the data
 * @param automatic what `training.microBatch: auto` stands for, where that is settled
 */
export async function prepare(
  config: Config,
  console: MessageConsole,
  aboutData: Pick<MessageConsole, 'warn'>,
  automatic?: number,
) {
  const { data, training, seed } = config;
  if (training.threads !== null) setThreads(training.threads);
  const device = resolveDevice(training.device);
  const precision = resolvePrecision(training.precision, device);
  checkMethod(config);
  const dataset = await openData(config, aboutData);
  const modalities = pairOf(dataset.modalities);
  const given = data.fold === 'none' && data.splits === null ? undefined : await foldsOf(config, dataset);
  const setAside = given !== undefined && Object.values(given.folds).includes(SET_ASIDE);
  if (data.splits !== null && data.fold === 'none' && !setAside) {
    console.warn('--splits is given but --fold is none: nothing is held out; say --fold 0, 1, … or all');
  }
  const folds = data.fold === 'none' && !setAside ? undefined : given;
  const positions = dataset.samples.map((_, position) => position);
  const foldAt = (position: number): Fold | undefined => folds?.folds[dataset.samples[position]!.id];
  if (folds !== undefined && typeof data.fold === 'number' && data.fold >= folds.k) {
    throw new UsageError(`data.fold is ${data.fold}, expected 0 to ${folds.k - 1}`);
  }
  const trained = positions.filter(
    (position) => foldAt(position) !== SET_ASIDE && (folds === undefined || foldAt(position) !== data.fold),
  );
  const heldOut = positions.filter((position) => folds !== undefined && foldAt(position) === data.fold);
  if (trained.length < 2)
    throw new DataError(`${dataset.name}: ${trained.length} pair(s) to train on, expected at least 2`);
  const plan: BatchPlan = {
    indices: trained,
    batchSize: training.batchSize,
    dropLast: training.dropLast,
    seed,
    stream: streamOf(dataset, trained, config),
  };
  // Before anything is decoded, as the weights to start from may not fit.
  const samples = trained.map((position) => dataset.samples[position]!);
  const method = buildMethod(config, { ...dataset, samples }, device, (message) => console.warn(message));
  const fault = batchFault(plan, method.comparesBatch);
  if (fault !== undefined) console.warn(fault);
  const { loader, dataHash, faults } = await openLoader(dataset, config, device, console, foldAt).catch(
    (error) => {
      method.dispose();
      throw error;
    },
  );
  const untrained = method.parameters().size === 0;
  const totalSteps = untrained ? 0 : (training.steps ?? training.epochs * stepsPerEpoch(plan));
  const { momentum, weightDecay, nesterov } = training;
  const optimizer = new Sgd(method.parameters(), { momentum, weightDecay, nesterov });
  const dispose = () => {
    optimizer.dispose();
    method.dispose();
    loader.dispose();
  };
  const labelled =
    dataset.positive !== undefined && dataset.samples.every(({ label }) => label !== undefined);
  const monitorPlan = planMonitors({
    trained,
    heldOut,
    subjects: dataset.samples.map(({ subject }) => subject),
    labels: labelled ? dataset.samples.map(({ label }) => Number(label === dataset.positive)) : undefined,
    pairs: config.monitor.pairs,
    neighbours: config.monitor.neighbours,
    seed,
  });
  const encoderFor = (modality: string) => method.encoderFor(modality);
  const looking = {
    encoderFor,
    modalities,
    loader,
    size: data.size,
    normalization: data.normalize,
    precision,
    device,
  };
  const ids = dataset.samples.map(({ id }) => id);
  await loader.prepare([trained[0]!]).catch((error: unknown) => {
    dispose();
    throw error;
  });
  const views = tidy(() => {
    const images = loader.images([trained[0]!]);
    return method.views({ images, ids: [ids[trained[0]!]!], rows: [0], epoch: 0 }).specs.length;
  });
  const microBatch = resolveMicroBatch({
    asked: training.microBatch === 'auto' ? (automatic ?? 'auto') : training.microBatch,
    batchSize: Math.min(training.batchSize, trained.length),
    backbone: method.encoderFor(modalities[0]).backbone,
    size: data.size,
    views,
    precision,
    device,
  });
  return {
    dataset,
    ids,
    dataHash,
    faults,
    plan,
    method,
    loader,
    optimizer,
    totalSteps,
    device,
    precision,
    microBatch,
    folds: folds && new Map(Object.entries(folds.folds)),
    foldCount: folds?.k ?? 1,
    monitors: () => monitor(monitorPlan, looking),
    calibrate: async () => {
      const { encoderFor: _, modalities: __, ...options } = looking;
      await calibrate(
        { ...options, encoder: method.encoderFor(modalities[0]), indices: trained },
        modalities,
      );
    },
    dispose,
  };
}
