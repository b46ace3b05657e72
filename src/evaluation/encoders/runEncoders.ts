/** This room opens what is judged: a run's encoders, their weights, and the data to judge them on. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type Config, configDifferences, readConfig } from '../../config/index.js';
import { UsageError } from '../../errors.js';
import { importEncoder } from '../../export/encoder.js';
import { readSafetensors } from '../../export/safetensors.js';
import { disposeModule, type Encoder, loadState, stateDict } from '../../nn/index.js';
import type { Device } from '../../tensor/index.js';
import { buildEncoder } from '../../training/build.js';
import { type Checkpoint, latestCheckpoint, readCheckpoint } from '../../training/checkpoint.js';
import { encoderPath, readRunConfig, runPaths } from '../../training/runFolder.js';

/** An encoder that a run has made, before its weights are loaded. */
export interface RunEncoder {
  readonly root: string;
  readonly config: Config;
  /** The fold that was kept out of its pretraining. */
  readonly fold: number | 'none';
  /** The checkpoint to load while the run is unfinished. */
  readonly checkpoint?: Checkpoint;
}

/** What is judged: one run, or a folder of runs with one for each fold. */
export interface JudgedRun {
  readonly root: string;
  readonly name: string;
  /** The encoders, ordered by fold; at least one. */
  readonly encoders: readonly RunEncoder[];
}

/**
 * Opens what `--run` names: a run, or the folder of `pretrain --fold all` with its `fold-0`, `fold-1`, …. Folds that
 * have no weights yet are left out.
 *
 * @throws UsageError where there is no run, or none with weights, or the folds were pretrained with different settings
 */
export function openRun(root: string, onWarning: (message: string) => void): JudgedRun {
  const single = existsSync(runPaths(root).config);
  const isFolder = statSync(root, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const entries = isFolder ? readdirSync(root).filter((entry) => /^fold-\d+$/.test(entry)) : [];
  const folds = entries.map((fold) => join(root, fold)).filter((fold) => existsSync(runPaths(fold).config));
  const folders = single ? [root] : folds;
  if (folders.length === 0) {
    throw new UsageError(
      `${root}: no run here (neither config.yaml nor fold-0/config.yaml); expected the --out folder of anatomy pretrain`,
    );
  }
  const encoders = folders
    .flatMap((folder) => encoderOf(folder, onWarning) ?? [])
    .sort((a, b) => Number(a.fold) - Number(b.fold));
  const [first, ...others] = encoders;
  if (first === undefined) {
    throw new UsageError(
      `${root}: has neither encoder.safetensors nor a checkpoint yet; let anatomy pretrain come to its first checkpoint`,
    );
  }
  for (const other of others) refuseOtherSettings(first, other);
  return { root, name: basename(resolve(root)), encoders };
}

function encoderOf(root: string, onWarning: (message: string) => void): RunEncoder | undefined {
  const config = readRunConfig(root);
  const paths = runPaths(root);
  // A stored run keeps out one fold or none: `all` is resolved before a run is made.
  const fold = config.data.fold === 'all' ? 'none' : config.data.fold;
  if (existsSync(paths.encoder)) return { root, config, fold };
  const checkpoint = latestCheckpoint(paths.checkpoints, onWarning);
  return checkpoint && { root, config, fold, checkpoint };
}

/** Refuses folds that were pretrained with different settings, since they would be judged as one. */
function refuseOtherSettings(first: RunEncoder, other: RunEncoder): void {
  // The settings are compared in their stored form, where a path is relative to its run's folder, so that two folds
  // have the same path for the same data.
  const [before, after] = [first, other].map(({ root }) => readConfig(runPaths(root).config));
  const differences = configDifferences(before!, after!).filter(
    (difference) => !difference.startsWith('data.fold:'),
  );
  if (differences.length === 0) return;
  throw new UsageError(
    `${other.root}: was pretrained with other settings than ${first.root}; judge them one by one:\n  ${differences.join('\n  ')}`,
  );
}

/**
 * Loads the weights that were trained for a modality into a network made by `emptyEncoder`, over those it has. A
 * modality without an encoder of its own gets the weights of the first.
 *
 * @param needsHead whether anything is read from the head
 * @throws UsageError where the head is needed and the run's file has none
 */
export function loadWeights(
  { root, checkpoint }: RunEncoder,
  network: Encoder,
  modality: string,
  { needsHead = true } = {},
): void {
  if (checkpoint === undefined) {
    const own = encoderPath(root, modality);
    const names = importEncoder(existsSync(own) ? own : runPaths(root).encoder, network);
    if (!needsHead || names.some((name) => name.startsWith('head.'))) return;
    throw new UsageError(
      `${root}: its encoder has no head; it can only be evaluated, with --features pooled or maps`,
    );
  }
  const { model, velocities } = readCheckpoint(checkpoint);
  try {
    // A checkpoint may hold more than this encoder: another modality's encoder, banks and queues.
    const prefix = `encoder.${modality}.`;
    const separate = [...model.keys()].some((name) => name.startsWith(prefix));
    const names = [...stateDict(network).keys()];
    const own = names.flatMap((name) => {
      const tensor = model.get(separate ? prefix + name : name);
      return tensor === undefined ? [] : [[name, tensor] as const];
    });
    loadState(network, new Map(own));
  } finally {
    for (const tensor of [...model.values(), ...velocities.values()]) tensor.dispose();
  }
}

/** Makes the network of a run with the weights that were trained for a modality. @throws UsageError as `loadWeights` */
export function trainedEncoder(run: RunEncoder, modality: string, device: Device): Encoder {
  const network = emptyEncoder(run.config, device);
  try {
    loadWeights(run, network, modality);
    return network;
  } catch (error) {
    disposeModule(network);
    throw error;
  }
}

/** Finds the modalities that have an encoder of their own, beside the first one's. */
export function separateModalities({ root, checkpoint }: RunEncoder): string[] {
  const [names, pattern] =
    checkpoint === undefined
      ? [readdirSync(root), /^encoder-(.+)\.safetensors$/]
      : [readSafetensors(checkpoint.file).tensors.keys(), /^model\.encoder\.(.+?)\.head\.(?:0\.)?weight$/];
  const found = [...names].flatMap((name) => pattern.exec(name)?.[1] ?? []);
  // Names of files are encoded; see encoderPath.
  return checkpoint === undefined ? found.map(decodeURIComponent) : found;
}

/**
 * Builds the encoder with random weights from the run's seed: as it was before pretraining, or would have been without
 * `model.initFrom`.
 */
export function untrainedEncoder(config: Config, device: Device): Encoder {
  return buildEncoder({ ...config, model: { ...config.model, initFrom: null } }, device);
}

/** Builds the encoder for weights that are loaded next; until then they are zero. */
export function emptyEncoder(config: Config, device: Device): Encoder {
  return buildEncoder({ ...config, seed: null, model: { ...config.model, initFrom: null } }, device);
}
