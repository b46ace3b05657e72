/** Opens the encoder of a run that leaves the product, with all that its user must know. */
import type { Config } from '../config/index.js';
import { openDataset } from '../data/openDataset.js';
import { AnatomyError, UsageError } from '../errors.js';
import { type RunEncoder, separateModalities, trainedEncoder } from '../evaluation/encoders/runEncoders.js';
import { MessageConsole } from '../log/console.js';
import type { Encoder } from '../nn/index.js';
import { datasetSpec } from '../training/datasetSpec.js';
import { describeEncoder, type EncoderDescription } from '../training/encoderFile.js';
import { readProvenance } from '../training/provenance.js';
import { storedDataHash } from '../training/runFolder.js';
import { openSingleRun } from './openEncoder.js';

export interface ExportOptions {
  /** The folder of a run. */
  readonly run: string;
  /** The modality whose encoder is meant, where each has its own. */
  readonly modality?: string;
  readonly console?: MessageConsole;
}

/** An encoder on its way out. */
export interface Exported {
  readonly config: Config;
  /** On the CPU, in f32; the caller frees it. */
  readonly encoder: Encoder;
  /** What suffices to rebuild the encoder and to feed it; nothing of it identifies anybody. */
  readonly description: EncoderDescription;
}

/**
 * Opens the encoder of a run.
 * @throws UsageError where there is no run, or none with weights, or several encoders and none is named
 */
export async function openExported({
  run,
  modality,
  console = new MessageConsole({ quiet: true }),
}: ExportOptions): Promise<Exported> {
  const own = openSingleRun(run, (message) => console.warn(message)).encoders[0]!;
  const { name, all } = await modalityOf(own, modality);
  const { config, checkpoint, root } = own;
  if (checkpoint !== undefined) {
    console.warn(`${run}: is not finished; its checkpoint of step ${checkpoint.step} is exported`);
  }
  const encoder = trainedEncoder(own, name ?? '', 'cpu');
  const facts = { modalities: all, modality: name, dataHash: storedDataHash(root), step: checkpoint?.step };
  return { config, encoder, description: describeEncoder(config, facts) };
}

interface ChosenModality {
  /** Absent where one encoder serves all modalities, and none was named. */
  readonly name?: string;
  /** All modalities of the run, where they are known. */
  readonly all?: readonly string[];
}

async function modalityOf(own: RunEncoder, asked: string | undefined): Promise<ChosenModality> {
  const { data } = own.config;
  const declared =
    readProvenance(own.root).modalities ?? data.modalities ?? (data.folders && Object.keys(data.folders));
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

/** The modalities of the data of a run of an older version, where the data is there. */
async function modalitiesOfData(config: Config): Promise<readonly string[] | undefined> {
  try {
    return (await openDataset(datasetSpec(config))).modalities;
  } catch (error) {
    if (error instanceof AnatomyError) return undefined;
    throw error;
  }
}
