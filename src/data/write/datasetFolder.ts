/** The room `data/write` writes data sets as folders of files: phantoms, and pairs simulated from photographs. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AnatomyError, UsageError } from '../../errors.js';
import { isSystemError, writeFileAtomic } from '../../files.js';
import { csv } from '../../text/csv.js';
import { replaceFolder } from '../cache/cacheFolders.js';
import { encodePng } from '../images/encodePng.js';
import { CARD_FILE, type DatasetCard } from '../open/datasetCard.js';
import { besideTarget } from '../pack/portable.js';
import type { Raster, Sample } from '../sample.js';

/**
 * A data set to be written as a folder: `manifest.csv`, `dataset.json`, a folder of PNGs for each modality, and
 * `masks/`.
 */
export interface DatasetToWrite {
  readonly card: DatasetCard;
  readonly modalities: readonly string[];
  readonly samples: readonly Sample[];
  /** Makes the pixels of one sample when its turn comes. */
  readonly draw: (sample: Sample, index: number) => Promise<DrawnSample> | DrawnSample;
}

export interface DrawnSample {
  /** The images by modality; one that is missing has an empty cell. */
  readonly images: Readonly<Record<string, Raster>>;
  /** Label maps by name, with values as they are. A map without any label is not written. */
  readonly masks?: Readonly<Record<string, Raster>>;
  /** Further columns of the manifest, beside those of the sample. */
  readonly columns?: Readonly<Record<string, string>>;
}

export interface WriteOptions {
  /** Whether a data set that was written before is replaced. */
  overwrite?: boolean;
  onProgress?: (done: number) => void;
  signal?: AbortSignal;
}

/**
 * Checks that the folder may be written.
 *
 * @throws UsageError if something stands there that must not be replaced
 */
export async function checkOutFolder(out: string, overwrite = false): Promise<void> {
  if (!existsSync(out)) return;
  const entries = await readdir(out).catch(() => undefined);
  if (entries === undefined) throw new UsageError(`${out} is a file; choose a folder for --out`);
  if (entries.length === 0) return;
  if (!overwrite) throw new UsageError(`${out} exists; choose another --out, or --overwrite it`);
  if (!entries.includes(CARD_FILE)) {
    throw new UsageError(
      `${out} holds files but no ${CARD_FILE}; --overwrite only replaces what this command wrote, delete it yourself`,
    );
  }
}

/**
 * Writes the data set beside `out` and gives it its name when it is complete. Nobody ever sees a part of it, and an
 * interruption or failure leaves nothing behind.
 *
 * @throws UsageError as `checkOutFolder` does; AnatomyError if the disk refuses; the signal's reason if aborted
 */
export async function writeDatasetFolder(
  out: string,
  dataset: DatasetToWrite,
  { overwrite, onProgress, signal }: WriteOptions = {},
): Promise<void> {
  await checkOutFolder(out, overwrite);
  try {
    await besideTarget(out, async (folder) => {
      const complete = path.join(folder, 'complete');
      await mkdir(complete);
      await fillDatasetFolder(complete, dataset, { onProgress, signal });
      await replaceFolder(out, complete);
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AnatomyError(`cannot write ${out}: ${error.message}`, { cause: error });
  }
}

/** Writes the data set into a folder that is there and empty. */
export async function fillDatasetFolder(
  folder: string,
  { card, modalities, samples, draw }: DatasetToWrite,
  { onProgress, signal }: Pick<WriteOptions, 'onProgress' | 'signal'>,
): Promise<void> {
  const rows: Map<string, string>[] = [];
  // Samples come one after the other, so that nothing is still being written when an interruption takes the folder
  // away.
  for (const [index, sample] of samples.entries()) {
    signal?.throwIfAborted();
    rows.push(await writeSample(folder, modalities, sample, await draw(sample, index)));
    onProgress?.(rows.length);
  }
  signal?.throwIfAborted();
  const header = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const lines = rows.map((row) => header.map((column) => row.get(column) ?? ''));
  writeFileAtomic(path.join(folder, 'manifest.csv'), csv([header, ...lines]));
  writeFileAtomic(path.join(folder, CARD_FILE), `${JSON.stringify(card, null, 2)}\n`);
}

/** Writes the images that were drawn of a sample, and its masks. Gives its line of the manifest, by column. */
async function writeSample(
  folder: string,
  modalities: readonly string[],
  { id, subject, label, fold, extra }: Sample,
  { images, masks = {}, columns = {} }: DrawnSample,
): Promise<Map<string, string>> {
  const name = `${encodeURIComponent(id)}.png`;
  const has = (modality: string) => Object.hasOwn(images, modality);
  const row = new Map([
    ['id', id],
    ['subject', subject],
    ...modalities.map((modality): [string, string] => [modality, has(modality) ? `${modality}/${name}` : '']),
  ]);
  for (const modality of modalities.filter(has))
    await writePng(path.join(folder, modality, name), images[modality]!);
  if (label !== undefined) row.set('label', label);
  if (fold !== undefined) row.set('fold', String(fold));
  for (const [column, value] of Object.entries({ ...extra, ...columns })) {
    if (!taken.has(column) && !row.has(column)) row.set(column, value);
  }
  for (const [mask, raster] of Object.entries(masks)) {
    if (raster.data.some((value) => value > 0))
      await writePng(path.join(folder, 'masks', mask, name), raster);
  }
  return row;
}

/** The names of columns that mean something to a manifest's reader. */
const taken = new Set(['label', 'fold']);

async function writePng(file: string, image: Raster): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, await encodePng(image));
}
