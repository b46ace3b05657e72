/**
 * The room `use` is what an encoder is for once it is trained. This file opens the one encoder of a run that leaves the
 * product, with all that its user must know.
 */
import { existsSync } from 'node:fs';
import type { Config } from '../config/index.js';
import { openDataset } from '../data/openDataset.js';
import { AnatomyError, UsageError } from '../errors.js';
import {
  loadWeights,
  openRun,
  type RunEncoder,
  separateModalities,
  untrainedEncoder,
} from '../evaluation/encoders/runEncoders.js';
import { refuseUnwritableFile } from '../files.js';
import type { MessageConsole } from '../log/console.js';
import { disposeModule, type Encoder } from '../nn/index.js';
import { datasetSpec } from '../training/datasetSpec.js';
import { cacheSizeOf } from '../training/imageCache.js';
import { storedDataHash } from '../training/runFolder.js';
import { packageVersion } from '../version.js';

export interface ExportOptions {
  /** The folder of a run. */
  readonly run: string;
  /** The modality whose encoder is meant, where each has its own. */
  readonly modality?: string;
  readonly console: MessageConsole;
}

/** An encoder on its way out. */
export interface Exported {
  readonly config: Config;
  /** On the CPU, in f32; the caller frees it. */
  readonly encoder: Encoder;
  /** What suffices to rebuild the encoder and to feed it, by key; nothing of it identifies anybody. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Opens the encoder of a run.
 * @throws UsageError where there is no run, or none with weights, or several encoders and none is named
 */
export async function openExported({ run, modality, console }: ExportOptions): Promise<Exported> {
  const { encoders } = openRun(run, (message) => console.warn(message));
  const [own] = encoders;
  if (own!.root !== run) {
    throw new UsageError(
      `${run}: holds an encoder for each fold; name the run of one, such as --run ${own!.root}`,
    );
  }
  const chosen = await modalityOf(own!, modality);
  const { config, checkpoint } = own!;
  if (checkpoint !== undefined) {
    console.warn(`${run}: is not finished; its checkpoint of step ${checkpoint.step} is exported`);
  }
  const encoder = untrainedEncoder(config, 'cpu');
  try {
    loadWeights(own!, encoder, chosen.name ?? '');
  } catch (error) {
    disposeModule(encoder);
    throw error;
  }
  return { config, encoder, metadata: metadataOf(own!, chosen) };
}

interface ChosenModality {
  /** Absent where one encoder serves all modalities, and none was named. */
  readonly name?: string;
  /** All modalities of the run, where they are known. */
  readonly all?: readonly string[];
}

async function modalityOf(own: RunEncoder, asked: string | undefined): Promise<ChosenModality> {
  const { data } = own.config;
  const declared = data.modalities ?? (data.folders && Object.keys(data.folders));
  const separate = separateModalities(own);
  if (separate.length === 0 && asked === undefined) return { all: declared };
  const all = declared ?? (await modalitiesOfData(own.config)) ?? [...new Set(['a', ...separate])];
  const names = all.join(', ');
  if (asked === undefined) {
    throw new UsageError(
      `${own.root}: has an encoder of its own for some modalities; name one with --modality: ${names}`,
    );
  }
  if (!all.includes(asked)) {
    throw new UsageError(`--modality ${asked}: the run has no such modality; it has ${names}`);
  }
  return { name: asked, all };
}

/** The modalities of the data of a run, where the data is there. */
async function modalitiesOfData(config: Config): Promise<readonly string[] | undefined> {
  try {
    return (await openDataset(datasetSpec(config))).modalities;
  } catch (error) {
    if (error instanceof AnatomyError) return undefined;
    throw error;
  }
}

function metadataOf(
  { root, config, checkpoint }: RunEncoder,
  { name, all }: ChosenModality,
): Record<string, string> {
  const { data, model, method, recipe } = config;
  const hash = storedDataHash(root);
  return {
    version: packageVersion(),
    recipe,
    method: method.name,
    ...(checkpoint && { step: String(checkpoint.step) }),
    backbone: model.backbone,
    width: String(model.width),
    branches: String(model.branches ?? 1),
    headInput: model.headInput,
    embeddingSize: String(model.embeddingSize),
    size: String(data.size),
    cacheSize: String(cacheSizeOf(config)),
    normalize: data.normalize,
    preprocess: JSON.stringify(data.preprocess),
    ...(name !== undefined && { modality: name }),
    ...(all !== undefined && { modalities: JSON.stringify(all) }),
    ...(hash !== undefined && { dataHash: hash }),
    notice: 'Research software, not a medical device.',
  };
}

/**
 * Checks before the work that its file can be written.
 * @throws UsageError where a file is there that may not be replaced, or the folder cannot be written to
 */
export function refuseTarget(out: string, overwrite: boolean): void {
  refuseUnwritableFile(out, '--out');
  if (!overwrite && existsSync(out)) {
    throw new UsageError(`--out ${out}: exists; choose another name, or replace it with --overwrite`);
  }
}
