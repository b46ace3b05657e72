/** Opens the decoded images of a data set: from the cache where they are there and intact, else by decoding them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { AnatomyError, DataError } from '../../errors.js';
import { isSystemError, syncFolder } from '../../files.js';
import { buildCache, type CacheIndex, INDEX_FILE } from '../cache/cacheBuild.js';
import {
  defaultCacheRoot,
  discard,
  makePrivateFolder,
  makeTemporary,
  PRIVATE_FOLDER,
  publish,
  sweep,
} from '../cache/cacheFolders.js';
import { CACHE_FORMAT, cacheKey } from '../cache/cacheKey.js';
import { dataHash } from '../cache/dataHash.js';
import type { ImageCache } from '../cache/decodedImages.js';
import { fileState } from '../cache/unchanged.js';
import { openPackedImages, verifyPacks } from '../pack/pack.js';
import { presentAmong } from '../presence.js';
import type { Dataset } from '../sample.js';

export interface ImageCacheOptions {
  /** The side length asked for, in pixels. */
  size: number;
  /** The folder of all caches, which may be deleted any time; default: that of `defaultCacheRoot`. */
  root?: string;
  /** Is called after each image while a cache is built. */
  onProgress?: (done: number, total: number) => void;
  /** Is told when a damaged cache has to be built again, and of files that are read although they lack something. */
  onWarning?: (message: string) => void;
  signal?: AbortSignal;
}

/**
 * Gives the decoded images of `dataset`, from disk if they are there and intact (lengths and SHA-256 are checked), else
 * decoded now and kept. Images are squashed to squares of one size: the size asked for, or the shorter side of the
 * largest image if that is less.
 *
 * A pack that is no larger than asked for is not copied, but its own file is mapped.
 *
 * Crashes and other processes do no harm: a cache is built in a folder of its own and appears by one rename. Of two
 * processes that build the same cache, the later one uses the earlier one's.
 *
 * @throws DataError listing the images that are missing or cannot be decoded
 */
export async function openImageCache(dataset: Dataset, options: ImageCacheOptions): Promise<ImageCache> {
  const { size, root = defaultCacheRoot(), onWarning, signal } = options;
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`openImageCache: size is ${size}, expected a whole number of pixels from 1`);
  }
  if (dataset.samples.length === 0)
    throw new DataError(`${dataset.name}: has no samples, expected at least one.`);
  const packed = await openPackedImages(dataset, size);
  if (packed !== undefined) return packed;
  const key = await cacheKey(dataset, size);
  const parent = path.join(path.resolve(root), 'images');
  const folder = path.join(parent, key);
  makePrivateFolder(parent);
  await sweep(parent);

  // There is more than one turn only if another process publishes, or damages, the same cache in between.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    signal?.throwIfAborted();
    const stored = await readStored(folder, dataset);
    if (stored.state === 'sound') return describe(stored, folder, dataset);
    if (stored.state === 'damaged') {
      onWarning?.(`The image cache ${folder} is damaged (${stored.problem}); it is built again.`);
      await discard(folder, stored.inode);
    }
    const built = await buildAndPublish(dataset, folder, key, options);
    if (built !== undefined) return describe(built, folder, dataset);
  }
  throw new AnatomyError(`The image cache ${folder} keeps changing. Is another program writing to it?`);
}

/** Builds the cache and gives its index; undefined if another process published the same cache first. */
async function buildAndPublish(
  dataset: Dataset,
  folder: string,
  key: string,
  { size, onWarning, onProgress, signal }: ImageCacheOptions,
): Promise<Checked | undefined> {
  await verifyPacks(dataset);
  const temporary = await makeTemporary(folder, PRIVATE_FOLDER).catch((error: Error) => {
    throw new AnatomyError(
      `The image cache cannot be written to ${path.dirname(folder)}: ${error.message}. ` +
        'Make the folder writable, or set XDG_CACHE_HOME to one that is.',
    );
  });
  try {
    const index = await buildCache(dataset, size, temporary, { onWarning, onProgress, signal });
    if ((await cacheKey(dataset, size)) !== key) {
      throw new DataError(
        `Images of ${dataset.name} changed while they were read. Run it again when they are at rest.`,
      );
    }
    const states = statesOf(index, temporary);
    if (!(await publish(temporary, folder))) return undefined;
    syncFolder(path.dirname(folder));
    return { index, states };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!isSystemError(error)) throw error;
    if (code !== 'ENOSPC') {
      throw new AnatomyError(`The image cache cannot be written to ${path.dirname(folder)}: ${message}.`);
    }
    throw new AnatomyError(
      `The image cache does not fit on the disk of ${path.dirname(folder)}. Free some space, ` +
        'choose a smaller data.cacheSize, or set XDG_CACHE_HOME to another disk.',
    );
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const indexSchema = z.object({
  format: z.literal(CACHE_FORMAT),
  size: z.int().positive(),
  ids: z.array(z.string()),
  modalities: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      channels: z.union([z.literal(1), z.literal(3)]),
      bytes: z.int(),
      sha256: z.string(),
    }),
  ),
});

/** A cache whose files were checked, with the state of each file just before. */
interface Checked {
  readonly index: CacheIndex;
  readonly states: readonly string[];
}

/** The state of the file of each modality; see `fileState`. */
function statesOf({ modalities }: CacheIndex, folder: string): string[] {
  return modalities.map(({ file }) => fileState(path.join(folder, file)));
}

type Stored =
  | { readonly state: 'absent' }
  | { readonly state: 'damaged'; readonly problem: string; readonly inode: bigint }
  | ({ readonly state: 'sound' } & Checked);

async function readStored(folder: string, dataset: Dataset): Promise<Stored> {
  const found = await stat(folder, { bigint: true }).catch(() => undefined);
  if (found === undefined) return { state: 'absent' };
  try {
    const index = indexSchema.parse(JSON.parse(await readFile(path.join(folder, INDEX_FILE), 'utf8')));
    const states = statesOf(index, folder);
    const problem = await firstFault(index, folder, dataset);
    if (problem === undefined) return { state: 'sound', index, states };
    return { state: 'damaged', problem, inode: found.ino };
  } catch (error) {
    const problem =
      error instanceof z.ZodError || error instanceof SyntaxError ? 'its index is malformed' : String(error);
    return { state: 'damaged', problem, inode: found.ino };
  }
}

/** Compares the index with the data set and the files with the index. Gives the first fault in words. */
async function firstFault(index: CacheIndex, folder: string, dataset: Dataset): Promise<string | undefined> {
  const ids = dataset.samples.map(({ id }) => id);
  const names = index.modalities.map(({ name }) => name);
  if (JSON.stringify([index.ids, names]) !== JSON.stringify([ids, dataset.modalities])) {
    return 'its index is of other samples';
  }
  for (const { file, channels, bytes, sha256 } of index.modalities) {
    const full = path.join(folder, file);
    const { size } = await stat(full);
    if (size !== bytes || bytes !== ids.length * channels * index.size ** 2) {
      return `${file} has ${size} bytes instead of ${ids.length * channels * index.size ** 2}`;
    }
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(full, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
    if (hash.digest('hex') !== sha256) return `the content of ${file} does not match its digest`;
  }
  return undefined;
}

function describe({ index, states }: Checked, folder: string, dataset: Dataset): ImageCache {
  return {
    size: index.size,
    ids: index.ids,
    count: index.ids.length,
    modalities: Object.fromEntries(
      index.modalities.map(({ name, file, channels }, i) => [
        name,
        { file: path.join(folder, file), state: states[i]!, offset: 0, channels },
      ]),
    ),
    present: presentAmong(dataset.samples, dataset.modalities),
    dataHash: dataHash(index, dataset),
  };
}
