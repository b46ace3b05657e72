/** From a config to a trained encoder: data, cache, method, loop. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Config } from '../config/index.js';
import { openDataset } from '../data/dataset.js';
import { type BatchPlan, batchAt, heldAt, stepsPerEpoch } from '../data/loader.js';
import { published } from '../data/pseudonym.js';
import type { Dataset } from '../data/sample.js';
import { loadSplits, makeSplits } from '../data/splits.js';
import { DataError, UsageError } from '../errors.js';
import { exportEncoder } from '../export/encoder.js';
import type { MessageConsole } from '../log/console.js';
import { type Method, methodNamed } from '../methods/index.js';
import { Sgd } from '../optim/index.js';
import { setThreads, tidy } from '../tensor/index.js';
import { batchFault } from './batchFault.js';
import { buildMethod, checkMethod, pairOf } from './build.js';
import { fingerprint, latestCheckpoint } from './checkpoint.js';
import { datasetSpec } from './datasetSpec.js';
import { calibrate } from './embed.js';
import { openLoader, streamOf } from './imageCache.js';
import { type LoopOutcome, train } from './loop.js';
import { resolveMicroBatch } from './microBatch.js';
import { COLLAPSE, monitor, planMonitors } from './monitors.js';
import { resolveDevice, resolvePrecision } from './precision.js';
import {
  checkRunFolder,
  encoderPath,
  openRunFolder,
  runPaths,
  writeFolds,
  writeProvenance,
} from './runFolder.js';
import { trainingStep } from './step.js';

export interface PretrainOptions {
  readonly out: string;
  readonly console: MessageConsole;
  readonly overwrite?: boolean;
  readonly allowInexact?: boolean;
}

/** Opens the config's data and decodes nothing. Labels only serve a monitor here, so unusable ones are no error. */
export async function openData(config: Config, console: MessageConsole): Promise<Dataset> {
  const onWarning = (message: string) => console.warn(message);
  return openDataset(datasetSpec(config), { onWarning, positive: 'optional' });
}

/**
 * Pretrains, or goes on with an unfinished run of the same config; `fold: all` trains one encoder a fold in `fold-K`.
 * @throws UsageError when the folder holds another run, DataError when the data is wrong
 */
export async function pretrain(config: Config, options: PretrainOptions): Promise<LoopOutcome> {
  if (config.data.fold !== 'all') return pretrainOne(config, options);
  if (existsSync(runPaths(options.out).config)) {
    throw new UsageError(
      `${options.out} holds a run of one encoder, and data.fold is all: one a fold; choose another --out`,
    );
  }
  const dataset = await openData(config, options.console);
  const { k } = await foldsOf(config, dataset);
  let outcome: LoopOutcome | undefined;
  for (let fold = 0; fold < k; fold += 1) {
    options.console.info(`fold ${fold} of ${k}`);
    const one = { ...config, data: { ...config.data, fold } };
    outcome = await pretrainOne(one, { ...options, out: join(options.out, `fold-${fold}`) });
    if (outcome.kind !== 'finished') break;
  }
  return outcome!;
}

async function foldsOf(config: Config, dataset: Dataset) {
  const { splits } = config.data;
  if (splits !== null) return loadSplits(splits, dataset.samples);
  if (dataset.samples.every(({ fold }) => fold !== undefined)) return makeSplits(dataset);
  throw new UsageError(
    'data.fold asks for folds, and the data publishes none; make some with `anatomy data split --out splits.json` and give --splits',
  );
}

async function pretrainOne(config: Config, options: PretrainOptions): Promise<LoopOutcome> {
  const { out, console } = options;
  const paths = runPaths(out);
  const state = checkRunFolder(out, config, options);
  if (state === 'finished') {
    console.success(`${out} is finished; --overwrite would start it anew`);
    const last = latestCheckpoint(paths.checkpoints, (text) => console.warn(text));
    return { kind: 'finished', step: last?.step ?? 0 };
  }
  // What `auto` chose when the run began: another choice now would change its numbers.
  const goesOn = state === 'unfinished' && config.training.microBatch === 'auto' && !options.allowInexact;
  const before = goesOn ? latestCheckpoint(paths.checkpoints, (text) => console.warn(text)) : undefined;
  const run = await prepare(config, console, before?.fingerprint.microBatch);
  try {
    // Not before the data has proved good: a mistyped path must not leave a run behind, nor delete one.
    openRunFolder(out, config, options);
    refuseOtherData(out, run.dataHash);
    console.teeTo(paths.log, { redact: redactor(config, out) });
    const {
      plan,
      dataset,
      ids,
      dataHash,
      method,
      optimizer,
      loader,
      totalSteps,
      device,
      precision,
      microBatch,
      folds,
      monitors,
    } = run;
    writeProvenance(out, {
      data: dataset.name,
      simulated: dataset.simulated,
      generatorVersion: dataset.generatorVersion,
      dataHash,
      pairs: plan.indices.length,
      config,
      device,
      precision,
      microBatch,
    });
    if (folds) writeFolds(out, folds, dataHash);
    for (const line of run.faults) console.warn(line);
    const batch = Math.min(config.training.batchSize, plan.indices.length);
    const chunks = microBatch < batch ? ` (${microBatch} at a time)` : '';
    const work = totalSteps === 0 ? 'nothing is trained' : `${totalSteps} steps of ${batch}${chunks}`;
    console.info(
      `${method.name}: ${plan.indices.length} pairs of ${dataset.name}, ${work}, ${precision} on ${device}`,
    );
    if (methodNamed(method.name)!.usesLabels && config.data.fold === 'none') {
      console.warn(
        `${method.name} learns from the labels of all pairs, so it cannot be judged on them; keep some out with --splits and --fold`,
      );
    }
    const collapsed = new Map<string, number>();
    const outcome = await train({
      method,
      optimizer,
      loader,
      plan,
      ids,
      dataHash: published(dataHash),
      totalSteps,
      learningRate: config.training.learningRate,
      schedule: config.training.schedule,
      warmupSteps: config.training.warmupSteps,
      precision,
      device,
      microBatch,
      fingerprint: fingerprint(device, precision, microBatch),
      allowInexact: options.allowInexact ?? false,
      checkpointEvery: config.training.checkpointEvery,
      keepCheckpoints: config.training.keepCheckpoints,
      inspectEvery: config.monitor.every,
      monitor: async () => {
        const found = await monitors();
        warnOfCollapse(found, collapsed, console);
        if (found.nonFinite !== undefined) {
          console.warn(
            `${found.nonFinite} of the values the encoder gives in evaluation are not finite, so there is nothing to monitor; lower training.learningRate`,
          );
        }
        return found;
      },
      paths,
      console,
    });
    if (outcome.kind === 'finished') {
      // Random weights need statistics before they can be compared; those that were given bring theirs.
      if (totalSteps === 0 && config.model.initFrom === null) await run.calibrate();
      exportEncoders(out, method, dataset.modalities);
    }
    return outcome;
  } finally {
    run.dispose();
  }
}

/** Before anything of the run is written: what its folder says must stay true of what it was trained on. */
function refuseOtherData(root: string, dataHash: string): void {
  const checkpoint = latestCheckpoint(runPaths(root).checkpoints, () => {});
  if (checkpoint === undefined || checkpoint.dataHash === published(dataHash)) return;
  throw new DataError(
    `${root}: the data has changed since step ${checkpoint.step} of this run; give the data it began with, choose another --out, or --overwrite it`,
  );
}

/** The first modality's encoder last: it is what tells that a run is finished. */
function exportEncoders(root: string, method: Method, modalities: readonly string[]): void {
  const [first, ...others] = modalities.map((modality) => [modality, method.encoderFor(modality)] as const);
  for (const [modality, encoder] of others) {
    if (encoder !== first![1]) exportEncoder(encoderPath(root, modality), encoder);
  }
  exportEncoder(runPaths(root).encoder, first![1]);
}

/** Messages name files by paths; the log may be shared, so it tells the last part of each only. */
function redactor({ data, model }: Config, out: string): (text: string) => string {
  const { path, pathB, drop, splits, cacheFolder } = data;
  const named = [path, pathB, drop, splits, cacheFolder, model.initFrom, out].filter((file) =>
    file?.includes('/'),
  );
  return (text) =>
    withoutFolders(named.reduce<string>((shown, file) => shown.replaceAll(file!, basename(file!)), text));
}

/** Strips the folders off paths that look like such. */
export function withoutFolders(text: string): string {
  return text.replace(/(^|[\s"'(=])(?:\.{0,2}\/)+(?:[^\s/"']+\/)+/g, '$1');
}

/**
 * Says so once for each modality, at the second look in a row that finds it: batch norm's running statistics lag behind in
 * the first steps, and by them the embeddings of a healthy encoder lie close together for a while.
 * @param collapsed looks in a row, by name
 */
export function warnOfCollapse(
  found: Readonly<Record<string, number>>,
  collapsed: Map<string, number>,
  console: Pick<MessageConsole, 'warn'>,
): void {
  for (const [name, value] of Object.entries(found)) {
    if (!name.startsWith('featureDeviation/')) continue;
    const looks = collapsed.get(name) ?? 0;
    if (looks < 2) collapsed.set(name, value < COLLAPSE ? looks + 1 : 0);
    if (looks !== 1 || value >= COLLAPSE) continue;
    console.warn(
      `the embeddings of ${name.slice('featureDeviation/'.length)} have collapsed: their deviation is ${value.toFixed(4)} of a healthy one; lower the learning rate or raise tau`,
    );
  }
}

/**
 * Everything a run needs before its first step.
 * @param automatic what `training.microBatch: auto` stands for, where that is settled
 */
async function prepare(config: Config, console: MessageConsole, automatic?: number) {
  const { data, training, seed } = config;
  if (training.threads !== null) setThreads(training.threads);
  const device = resolveDevice(training.device);
  const precision = resolvePrecision(training.precision, device);
  checkMethod(config);
  const dataset = await openData(config, console);
  const modalities = pairOf(dataset.modalities);
  if (data.splits !== null && data.fold === 'none') {
    console.warn('--splits is given but --fold is none: nothing is held out; say --fold 0, 1, … or all');
  }
  const folds = data.fold === 'none' ? undefined : await foldsOf(config, dataset);
  const positions = dataset.samples.map((_, position) => position);
  const foldAt = (position: number) => folds?.folds[dataset.samples[position]!.id];
  if (folds !== undefined && typeof data.fold === 'number' && data.fold >= folds.k) {
    throw new UsageError(`data.fold is ${data.fold}, expected 0 to ${folds.k - 1}`);
  }
  const trained = positions.filter(
    (position) => foldAt(position) === undefined || foldAt(position) !== data.fold,
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
  await loader.prepare([trained[0]!]);
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
    dispose: () => {
      optimizer.dispose();
      method.dispose();
      loader.dispose();
    },
  };
}

export interface DryRun {
  readonly pairs: number;
  /** Encoders to train: one, or one a fold. */
  readonly encoders: number;
  /** Of each encoder. */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  readonly secondsPerStep: number;
  readonly secondsInAll: number;
  /** The process's largest resident size so far. */
  readonly peakMemoryBytes: number;
  readonly precision: string;
  readonly device: string;
}

/** Two real steps on real data, the second one timed; nothing is written but the image cache. */
export async function dryRun(config: Config, console: MessageConsole): Promise<DryRun> {
  const fold = config.data.fold === 'all' ? 0 : config.data.fold;
  const run = await prepare({ ...config, data: { ...config.data, fold } }, console);
  try {
    const { plan, method, optimizer, loader, precision, microBatch, device, totalSteps } = run;
    const encoders = config.data.fold === 'all' ? run.foldCount : 1;
    const step = async (number: number): Promise<number> => {
      const { epoch, rows, indices } = batchAt(plan, number);
      await loader.prepare(indices, heldAt(plan, number));
      const began = performance.now();
      const ids = indices.map((index) => run.ids[index]!);
      tidy(() =>
        trainingStep({
          method,
          optimizer,
          batch: { images: loader.images(indices), ids, rows, epoch },
          learningRate: config.training.learningRate,
          precision,
          device,
          microBatch,
        }),
      );
      return (performance.now() - began) / 1000;
    };
    if (totalSteps > 0) await step(0);
    const secondsPerStep = totalSteps > 0 ? await step(1) : 0;
    return {
      pairs: plan.indices.length,
      encoders,
      steps: totalSteps,
      stepsPerEpoch: stepsPerEpoch(plan),
      secondsPerStep,
      secondsInAll: secondsPerStep * totalSteps * encoders,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      precision,
      device,
    };
  } finally {
    run.dispose();
  }
}
