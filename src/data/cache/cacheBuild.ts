/**
 * The room `data/cache` keeps the decoded images of a data set on disk and names what was decoded. This file decodes
 * them.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DataError, SettingNeeded } from '../../errors.js';
import { PRIVATE, syncFolder } from '../../files.js';
import { describeImage, problemsError } from '../faults.js';
import { ImageNotes } from '../images/imageNotes.js';
import { imageSizeBound, readSquareImage } from '../images/readSampleImage.js';
import { mapOrdered } from '../mapOrdered.js';
import { countImages, hasImage } from '../presence.js';
import type { Dataset, Raster, Sample } from '../sample.js';
import { CACHE_FORMAT } from './cacheKey.js';
import { PlaneFile } from './planeFile.js';

export const INDEX_FILE = 'index.json';

/** The content of `index.json`, which describes the files beside it. */
export interface CacheIndex {
  readonly format: number;
  /** The side S of every image in pixels. */
  readonly size: number;
  readonly ids: readonly string[];
  readonly modalities: readonly {
    readonly name: string;
    /** The path relative to the folder. The file holds the bytes `[N, C, S, S]`. */
    readonly file: string;
    readonly channels: 1 | 3;
    readonly bytes: number;
    readonly sha256: string;
  }[];
}

export interface BuildOptions {
  /** Is told of files that are read although they lack something, once for all of a kind. */
  onWarning?: (message: string) => void;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/**
 * Decodes every image of `dataset`, resizes it to one square size and writes the cache's files into `folder`, which
 * must be empty. It holds a few images in memory at a time.
 *
 * @throws DataError listing every image that cannot be decoded
 */
export async function buildCache(
  dataset: Dataset,
  requestedSize: number,
  folder: string,
  options: BuildOptions,
): Promise<CacheIndex> {
  const size = await chooseSize(dataset, requestedSize);
  const files = new Map<string, PlaneFile>();
  try {
    for (const [i, modality] of dataset.modalities.entries()) {
      // The number keeps names apart that a file system takes for the same, such as A and a.
      const file = path.join(folder, `${i}-${encodeURIComponent(modality)}.u8`);
      files.set(modality, await PlaneFile.create(file, size));
    }
    await writeImages(dataset, size, files, options);
    const modalities: CacheIndex['modalities'][number][] = [];
    for (const [i, modality] of dataset.modalities.entries()) {
      const summary = await files.get(modality)!.finish();
      files.delete(modality);
      modalities.push({ name: modality, file: `${i}-${encodeURIComponent(modality)}.u8`, ...summary });
    }
    const index = { format: CACHE_FORMAT, size, ids: dataset.samples.map(({ id }) => id), modalities };
    await writeFile(path.join(folder, INDEX_FILE), `${JSON.stringify(index)}\n`, {
      flush: true,
      mode: PRIVATE,
    });
    syncFolder(folder);
    return index;
  } finally {
    for (const file of files.values()) await file.abandon();
  }
}

/**
 * Chooses one side length for all images: the one requested, but not above the shorter side of the largest image, as
 * more pixels would hold nothing new. Smaller images beside larger ones are enlarged. Generated images can be drawn
 * at any size and do not limit it.
 */
export async function chooseSize(dataset: Dataset, requested: number): Promise<number> {
  let largest = 0;
  for (const { sample, modality } of images(dataset)) {
    if (!hasImage(sample, modality)) continue;
    if (sample.images[modality]!.kind === 'generated') return requested;
    // An unreadable file is reported, with all others, when it is decoded.
    const found = await imageSizeBound(dataset, sample, modality).catch(() => undefined);
    if (found !== undefined) largest = Math.max(largest, Math.min(found.width, found.height));
    if (largest >= requested) return requested;
  }
  return largest === 0 ? requested : largest;
}

async function writeImages(
  dataset: Dataset,
  size: number,
  files: ReadonlyMap<string, PlaneFile>,
  { onWarning, onProgress, signal }: BuildOptions,
): Promise<void> {
  const total = countImages(dataset.samples, dataset.modalities);
  // Decoding runs on libuv's threads and resizing on this one; a few images ahead keep both busy.
  const ahead = Math.min(8, availableParallelism() + 1);
  const problems: string[] = [];
  const notes = new ImageNotes();
  let damaged = false;
  let done = 0;
  const squares = mapOrdered(images(dataset), ahead, (item) => square(dataset, item, size));
  for await (const squared of squares) {
    signal?.throwIfAborted();
    if (squared.problem !== undefined) {
      problems.push(squared.problem);
      damaged ||= !squared.sound;
    } else if (problems.length === 0) await files.get(squared.modality)!.append(squared.image);
    if (squared.missing) continue;
    notes.add(squared.note, squared.name);
    done += 1;
    onProgress?.(done, total);
  }
  for (const warning of notes.warnings(total)) onWarning?.(warning);
  if (problems.length === 0) return;
  throw problemsError(
    `${problems.length} of ${total} images of ${dataset.name} ${damaged ? 'cannot be read' : 'need a setting'}`,
    problems,
    damaged
      ? 'Repair or copy these files again, or leave their samples out.'
      : 'Write the settings that the lines name. The files are sound.',
  );
}

interface ImageName {
  readonly sample: Sample;
  readonly modality: string;
}

interface Squared {
  /** The name of the image, for messages. */
  readonly name: string;
  readonly modality: string;
  /** The pixels; absent where the sample has no such image, or where it cannot be read. */
  readonly image?: Raster;
  /** Whether the sample has no such image. */
  readonly missing?: true;
  /** What the file lacks although it is read. */
  readonly note?: string;
  readonly problem?: string;
  /** Whether the file is sound and needs a setting. */
  readonly sound?: boolean;
}

/** Yields all modalities of a sample in turn, missing ones too, so that a generated pair can be drawn once. */
function* images({ samples, modalities }: Dataset): Generator<ImageName> {
  for (const sample of samples) for (const modality of modalities) yield { sample, modality };
}

/**
 * Squashes an image to a square whatever its shape, as the authors do, so that all modalities of a pair keep one
 * geometry.
 */
async function square(dataset: Dataset, { sample, modality }: ImageName, size: number): Promise<Squared> {
  const name = describeImage(sample, modality);
  if (!hasImage(sample, modality)) return { name, modality, missing: true };
  // Drawing is synchronous, so signals and timers get a turn before it.
  if (sample.images[modality]!.kind === 'generated') await nextTurn();
  try {
    const image = await readSquareImage(dataset, sample, modality, size);
    return { name, modality, note: image.note, image };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const problem = `${name}: ${error.message}`;
    return { name, modality, problem, sound: error instanceof SettingNeeded };
  }
}
