/** From a config to a trained encoder. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Config } from '../config/index.js';
import { rememberPlace } from '../data/cache/places.js';
import { published } from '../data/pseudonym.js';
import { DataError, UsageError } from '../errors.js';
import { exportEncoder } from '../export/encoder.js';
import type { MessageConsole } from '../log/console.js';
import { type Method, methodNamed } from '../methods/index.js';
import { fingerprint, latestCheckpoint } from './checkpoint.js';
import { type LoopOutcome, train } from './loop.js';
import { COLLAPSE } from './monitors.js';
import { foldsOf, openData, prepare } from './prepare.js';
import {
  checkRunFolder,
  encoderPath,
  openRunFolder,
  runPaths,
  writeFolds,
  writeProvenance,
} from './runFolder.js';

export interface PretrainOptions {
  readonly out: string;
  readonly console: MessageConsole;
  readonly overwrite?: boolean;
  readonly allowInexact?: boolean;
}

/** Says each thing once: of the data all folds would find the same. */
function warningOnce(console: MessageConsole): Pick<MessageConsole, 'warn'> {
  const said = new Set<string>();
  return {
    warn: (message) => {
      if (said.has(message)) return;
      said.add(message);
      console.warn(message);
    },
  };
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
  const aboutData = warningOnce(options.console);
  const dataset = await openData(config, aboutData);
  const { k } = await foldsOf(config, dataset);
  let outcome: LoopOutcome | undefined;
  for (let fold = 0; fold < k; fold += 1) {
    options.console.info(`fold ${fold} of ${k}`);
    const one = { ...config, data: { ...config.data, fold } };
    outcome = await pretrainOne(one, { ...options, out: join(options.out, `fold-${fold}`) }, aboutData);
    if (outcome.kind !== 'finished') break;
  }
  return outcome!;
}

/** @param aboutData told what is wrong with the data */
async function pretrainOne(
  config: Config,
  options: PretrainOptions,
  aboutData: Pick<MessageConsole, 'warn'> = options.console,
): Promise<LoopOutcome> {
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
  const run = await prepare(config, console, aboutData, before?.fingerprint.microBatch);
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
    rememberPlace(published(dataHash), config.data);
    if (folds) writeFolds(out, folds, dataHash);
    for (const line of run.faults) aboutData.warn(line);
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
