/** Writes packs. */
import { createReadStream, existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../../errors.js';
import { safetensorsHead } from '../../export/safetensors.js';
import { syncFolder } from '../../files.js';
import { buildCache } from '../cache/cacheBuild.js';
import { presentAmong } from '../presence.js';
import type { Dataset } from '../sample.js';
import { PACK_EXTENSION, PACK_VERSION, PACK_VERSION_WITH_GAPS, packMetadata } from './pack.js';
import { besideTarget, makePortable, type PortableOptions } from './portable.js';

export interface PackOptions extends PortableOptions {
  /** The side asked for, in pixels. The packed images are no larger than their sources, as in the cache. */
  size: number;
  overwrite?: boolean;
}

/**
 * Writes `dataset` as a pack, complete or not at all. Memory holds a few images at a time; the disk beside `file`
 * holds twice the pack for a while.
 *
 * @returns the side of the packed images in pixels
 * @throws UsageError if the file exists, DataError listing the images that cannot be read
 */
export async function writePack(
  dataset: Dataset,
  file: string,
  { size, overwrite = false, ...options }: PackOptions,
): Promise<{ size: number }> {
  if (path.extname(file) !== PACK_EXTENSION) {
    throw new UsageError(`--out is ${file}, expected a file name that ends in ${PACK_EXTENSION}`);
  }
  if (existsSync(file) && !overwrite) {
    throw new UsageError(`${file} exists; choose another --out, or --overwrite it`);
  }
  const { signal } = options;
  return besideTarget(file, async (folder) => {
    const index = await buildCache(dataset, size, folder, options);
    const { common, samples } = await makePortable(dataset, options);
    const tensors = index.modalities.map(({ name, channels, sha256 }) => ({ name, channels, sha256 }));
    const complete = presentAmong(dataset.samples, dataset.modalities) === undefined;
    const version = complete ? PACK_VERSION : PACK_VERSION_WITH_GAPS;
    const manifest = { ...common, version, size: index.size, tensors, samples } as const;
    const layout = new Map(
      tensors.map(({ name, channels }) => [
        name,
        { dtype: 'U8' as const, shape: [samples.length, channels, index.size, index.size] },
      ]),
    );
    const { head, names } = safetensorsHead(file, layout, packMetadata(manifest));
    const unfinished = path.join(folder, 'pack');
    const target = await open(unfinished, 'wx');
    try {
      await target.appendFile(head);
      for (const name of names) {
        const planes = path.join(folder, index.modalities.find((modality) => modality.name === name)!.file);
        for await (const chunk of createReadStream(planes, { highWaterMark: 1 << 20 })) {
          signal?.throwIfAborted();
          await target.appendFile(chunk as Buffer);
        }
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(unfinished, file);
    syncFolder(path.dirname(path.resolve(file)));
    return { size: index.size };
  });
}
