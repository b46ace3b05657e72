/** Writes an alignment as a data set: a manifest that applies it when images are read, or the aligned images. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DataError, UsageError } from '../../errors.js';
import { PRIVATE, writeFileAtomic } from '../../files.js';
import { csv } from '../../text/csv.js';
import { REFERENCE_SIDE } from '../align/search.js';
import { replaceFolder } from '../cache/cacheFolders.js';
import { describeImage } from '../faults.js';
import { intoFrame, readSampleImage } from '../images/readSampleImage.js';
import { ALIGNMENT_FILE, type AlignedImage, type Alignment } from '../open/alignment.js';
import { CARD_FILE, type DatasetCard } from '../open/datasetCard.js';
import { writeDropList } from '../open/dropList.js';
import { besideTarget } from '../pack/portable.js';
import { hasImage } from '../presence.js';
import type { Dataset, FileSource, Raster } from '../sample.js';
import { checkOutFolder, fillDatasetFolder } from './datasetFolder.js';

/** The list of samples of which an image was refused. */
const REFUSED_FILE = 'refused.csv';

export interface AlignedOptions {
  readonly overwrite?: boolean;
  /** Whether aligned images are written, in place of a manifest that names the images there are. */
  readonly write?: boolean;
  /** The page of all decisions, as HTML. */
  readonly page: string;
  /** The command, without paths, for the card. */
  readonly command: string;
  readonly onProgress?: (done: number) => void;
  readonly onWarning?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Checks, before the work, that the folder may be written and nothing is lost by it.
 *
 * @throws UsageError if something stands there that must not be replaced, or the images themselves
 */
export async function checkAlignedOut(out: string, { samples }: Dataset, overwrite = false): Promise<void> {
  await checkOutFolder(out, overwrite);
  if (!existsSync(out)) return;
  const folder = realpathSync(out);
  const inside = samples
    .flatMap(({ images }) => Object.values(images))
    .find((source) => 'path' in source && realpathSync(source.path).startsWith(`${folder}${path.sep}`));
  if (inside !== undefined) {
    throw new UsageError(
      `--out ${out} holds images of the data themselves, which would be replaced. Choose another folder.`,
    );
  }
  if (readdirSync(out).length > 0 && !existsSync(path.join(out, ALIGNMENT_FILE))) {
    throw new UsageError(
      `${out} holds a data set that anatomy data align did not write. Choose another --out, or delete it yourself.`,
    );
  }
}

/** @throws UsageError for data that are aligned already: their images would be resampled twice */
export function checkNotAligned({ samples }: Dataset): void {
  for (const { id, images } of samples) {
    if (!Object.values(images).some((source) => source.kind === 'file' && source.frame !== undefined))
      continue;
    throw new UsageError(`data align: "${id}" is aligned already. Name the data that it was made from.`);
  }
}

/**
 * Checks, before the work, that a manifest can name the images.
 *
 * @throws UsageError where it cannot
 */
export function checkNameable({ samples, preprocess = {}, modalities }: Dataset): void {
  const cropped = modalities.find((modality) => preprocess[modality]?.crop);
  if (cropped !== undefined) {
    throw new UsageError(
      `data align: ${cropped} is cropped, which a manifest cannot say. Say --write, which writes the cropped and aligned images.`,
    );
  }
  for (const { id, images } of samples) {
    for (const [modality, source] of Object.entries(images)) {
      if (source.kind === 'file' && source.part === undefined) continue;
      throw new UsageError(
        `data align: ${modality} of "${id}" is no file of its own, so that no manifest can name it. Say --write, which writes the aligned images.`,
      );
    }
  }
}

/**
 * Writes the data set beside `out` and gives it its name when it is complete.
 *
 * @throws UsageError if something stands there that must not be replaced
 */
export async function writeAlignedFolder(
  out: string,
  dataset: Dataset,
  alignment: Alignment,
  options: AlignedOptions,
): Promise<void> {
  const { overwrite, write, page, command, signal } = options;
  await checkAlignedOut(out, dataset, overwrite);
  const { modalities, simulated, colourCoded, positive, name } = dataset;
  const card: DatasetCard = {
    name,
    ...(modalities.join() === 'a,b' ? {} : { modalities: [...modalities] }),
    ...(simulated && { simulated: [...simulated] }),
    ...(colourCoded && { colourCoded: [...colourCoded] }),
    ...(positive !== undefined && { positive }),
    command,
    ...(!write && { alignment: ALIGNMENT_FILE }),
  };
  await besideTarget(out, async (folder) => {
    const complete = path.join(folder, 'complete');
    await mkdir(complete);
    if (write) await fillAligned(complete, dataset, alignment, card, options);
    else {
      writeFileAtomic(path.join(complete, 'manifest.csv'), manifest(dataset, alignment, out));
      writeFileAtomic(path.join(complete, CARD_FILE), `${JSON.stringify(card, null, 2)}\n`);
    }
    signal?.throwIfAborted();
    writeFileAtomic(path.join(complete, ALIGNMENT_FILE), `${JSON.stringify(alignment, null, 1)}\n`);
    writeDropList(
      path.join(complete, REFUSED_FILE),
      alignment.images
        .filter(({ decision }) => decision === 'refused')
        .map(({ id, modality, reason }) => ({ id, reason: `${modality}: ${reason}` })),
    );
    writeFileAtomic(path.join(complete, 'index.html'), page, { mode: PRIVATE });
    await replaceFolder(out, complete);
  });
}

/** Names the images that there are, from the folder that the manifest will stand in. */
function manifest({ samples, modalities }: Dataset, alignment: Alignment, out: string): string {
  const decisions = decisionsOf(alignment);
  const extra = extraColumns(samples).filter((column) => !ROLES.has(column) && !modalities.includes(column));
  const has = (key: 'label' | 'fold') => samples.some((sample) => sample[key] !== undefined);
  const roles = (['label', 'fold'] as const).filter(has);
  // Where each sample counts as a patient, as none is named, the reader shall say so again.
  const subjects = samples.some(({ id, subject }) => id !== subject) ? ['subject'] : [];
  const from = path.resolve(out);
  const lines = samples.map((sample) => [
    sample.id,
    ...subjects.map(() => sample.subject),
    ...roles.map((role) => String(sample[role] ?? '')),
    ...modalities.map((modality) =>
      hasImage(sample, modality)
        ? path
            .relative(from, (sample.images[modality] as FileSource).path)
            .split(path.sep)
            .join('/')
        : '',
    ),
    ...extra.map((column) => sample.extra?.[column] ?? ''),
    decisions.get(sample.id) ?? '',
  ]);
  const header = ['id', ...subjects, ...roles, ...modalities, ...extra, decisionColumn(samples, modalities)];
  return csv([header, ...lines]);
}

const ROLES = new Set(['id', 'subject', 'label', 'fold']);

function extraColumns(samples: Dataset['samples']): string[] {
  return [...new Set(samples.flatMap((sample) => Object.keys(sample.extra ?? {})))];
}

/** The column that says what became of each other image: `alignment`, with a number where the data has such a one. */
function decisionColumn(samples: Dataset['samples'], modalities: readonly string[]): string {
  const taken = new Set([...extraColumns(samples), ...modalities]);
  let name = 'alignment';
  for (let number = 2; taken.has(name); number += 1) name = `alignment${number}`;
  return name;
}

/** What became of the images of each sample, in a word; of several modalities with their names. */
function decisionsOf({ images }: Alignment): Map<string, string> {
  const found = new Map<string, AlignedImage[]>();
  for (const image of images) found.set(image.id, [...(found.get(image.id) ?? []), image]);
  return new Map(
    [...found].map(([id, all]) => [
      id,
      all.length === 1
        ? all[0]!.decision
        : all.map(({ modality, decision }) => `${modality} ${decision}`).join(', '),
    ]),
  );
}

/** Writes every image at its size, the moved ones in the frame of the reference. */
async function fillAligned(
  folder: string,
  dataset: Dataset,
  alignment: Alignment,
  card: DatasetCard,
  { onProgress, onWarning, signal }: AlignedOptions,
): Promise<void> {
  const decisions = decisionsOf(alignment);
  const column = decisionColumn(dataset.samples, dataset.modalities);
  const moved = new Map(
    alignment.images
      .filter(({ decision }) => decision === 'moved')
      .map((image) => [JSON.stringify([image.id, image.modality]), image]),
  );
  const { samples, modalities } = dataset;
  await fillDatasetFolder(
    folder,
    {
      card,
      modalities,
      samples,
      draw: async (sample) => {
        const images: Record<string, Raster> = {};
        for (const modality of modalities.filter((one) => hasImage(sample, one))) {
          const image = await readOrTell(dataset, sample, modality, onWarning);
          if (image === undefined) continue;
          const { frame, of, transformation } = moved.get(JSON.stringify([sample.id, modality])) ?? {};
          images[modality] =
            frame && of && transformation ? intoFrame(image, { ...frame, of, transformation }, frame) : image;
        }
        return { images, columns: { [column]: decisions.get(sample.id) ?? '' } };
      },
    },
    { onProgress, signal },
  );
}

/** Reads an image; one that cannot be read becomes an empty cell, and is told. */
async function readOrTell(
  dataset: Dataset,
  sample: Dataset['samples'][number],
  modality: string,
  onWarning: AlignedOptions['onWarning'],
): Promise<Raster | undefined> {
  try {
    // Phantoms are written at the side at which they were registered.
    return await readSampleImage(dataset, sample, modality, REFERENCE_SIDE);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    onWarning?.(`${describeImage(sample, modality)}: ${error.message} It is not written.`);
    return undefined;
  }
}
