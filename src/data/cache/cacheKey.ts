/** Names the folder of a data set’s decoded images, so that changed sources are decoded again. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { describeImage, problemsError } from '../faults.js';
import { decoderVersion } from '../formats/index.js';
import { mapOrdered } from '../mapOrdered.js';
import type { Dataset, ImageSource, Sample } from '../sample.js';

/** The version of the cache. It is raised when the layout changes, or the pixels that the same sources give. */
export const CACHE_FORMAT = 4;

/**
 * Makes the name of the folder that holds this data set at this size: a digest of the cache's format, the decoder,
 * the size, the modalities, the ids in order and, for each image, of whether it is there and of the state that changes when its pixels may have
 * changed. For a file that is path, length, mtime, ctime and inode: `cp -p` and `touch -r` restore the mtime, but
 * nothing restores the ctime.
 *
 * @throws DataError listing the files that are missing
 */
export async function cacheKey(dataset: Dataset, size: number): Promise<string> {
  const hash = createHash('sha256');
  const { modalities, preprocess = {} } = dataset;
  const decodes = dataset.samples.some((sample) => Object.values(sample.images).some(isDecoded));
  const decoder = decodes ? await decoderVersion() : '';
  hash.update(JSON.stringify([CACHE_FORMAT, decoder, size, modalities, preprocess]));
  const problems: string[] = [];
  const states = new Map<string, Promise<string>>();
  const entries = mapOrdered(dataset.samples, 16, async (sample) =>
    Promise.all(dataset.modalities.map((modality) => sourceKey(sample, modality, states))),
  );
  let index = 0;
  for await (const keys of entries) {
    for (const key of keys) if (key !== null && typeof key === 'object') problems.push(key.problem);
    hash.update(JSON.stringify([dataset.samples[index]!.id, keys]));
    index += 1;
  }
  if (problems.length > 0) {
    throw problemsError(
      `${problems.length} ${problems.length === 1 ? 'image is' : 'images are'} missing from ${dataset.name}`,
      problems,
      'Add the files, or leave these samples out.',
    );
  }
  return hash.digest('hex').slice(0, 32);
}

/** Tells whether an image comes through a decoder, whose version then matters. Phantoms and packs do not. */
function isDecoded({ kind }: ImageSource): boolean {
  return kind === 'file' || kind === 'member';
}

async function sourceKey(
  sample: Sample,
  modality: string,
  states: Map<string, Promise<string>>,
): Promise<string | null | { problem: string }> {
  const source: ImageSource | undefined = sample.images[modality];
  if (source === undefined) return null;
  if (source.kind === 'generated') return `generated\n${source.key}`;
  try {
    const { kind, path: file, ...part } = source;
    // A pack or a shard holds many images, but its state is asked for once.
    const state = states.get(file) ?? fileState(file);
    states.set(file, state);
    return [kind, path.resolve(file), JSON.stringify(part), await state].join('\n');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const name = describeImage(sample, modality);
    return { problem: `${name}: ${code === 'ENOENT' ? `no file ${source.path}` : message}` };
  }
}

async function fileState(file: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(file, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join('\n');
}
