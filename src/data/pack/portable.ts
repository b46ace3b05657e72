/** The facts of a data set and its samples that packs and shards carry beside the pixels. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { AnatomyError } from '../../errors.js';
import { makeTemporary, sweep } from '../cache/cacheFolders.js';
import { pseudonymous, published } from '../pseudonym.js';
import type { Dataset, Sample } from '../sample.js';
import { identityHash, sourceDigests, toldDigest } from '../sourceDigest.js';

export interface PortableOptions {
  /** Whether ids and subjects are replaced by keyed hashes and further columns left out. */
  pseudonyms?: boolean;
  /** Is told of files that are read although they lack something, once for all of a kind. */
  onWarning?: (message: string) => void;
  /** Is called after each image. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export const portableSample = z.strictObject({
  id: z.string(),
  subject: z.string(),
  label: z.string().optional(),
  fold: z.int().min(0).optional(),
  extra: z.record(z.string(), z.string()).optional(),
  /** The told half of the source digest of each image that the sample has. */
  sourceDigests: z.record(z.string(), z.string()),
});
export type PortableSample = z.infer<typeof portableSample>;

/** The facts that all samples share. `preprocess` tells what was done to the pixels and is not to be done again. */
export const portableDataset = z.object({
  name: z.string(),
  modalities: z.array(z.string()).min(1),
  positive: z.string().optional(),
  colourCoded: z.array(z.string()).optional(),
  simulated: z.array(z.string()).optional(),
  generatorVersion: z.number().optional(),
  preprocess: z.record(z.string(), z.unknown()).optional(),
  published: z
    .object({
      name: z.string(),
      counts: z.record(z.string(), z.number()),
      samples: z.number().optional(),
      subjects: z.number().optional(),
      notes: z.array(z.string()),
    })
    .optional(),
  /** The hash of the identity hash: of the names, labels and source images of the data set. */
  sourceHash: z.string(),
});
export type PortableDataset = z.infer<typeof portableDataset>;

/** Makes a data set fit to travel: digests are computed, and names replaced where that is asked for. */
export async function makePortable(
  dataset: Dataset,
  { pseudonyms = false, signal }: PortableOptions,
): Promise<{ common: PortableDataset; samples: PortableSample[] }> {
  const digests: Readonly<Record<string, string>>[] = [];
  for await (const found of sourceDigests(dataset.samples)) {
    signal?.throwIfAborted();
    digests.push(found);
  }
  const hash = identityHash(dataset, digests);
  const named = pseudonyms ? pseudonymous(dataset.samples, hash) : dataset.samples;
  const { name, modalities, positive, colourCoded, simulated, generatorVersion, preprocess } = dataset;
  return {
    common: portableDataset.parse({
      ...{ name, modalities, positive, colourCoded, simulated, generatorVersion, preprocess },
      published: dataset.published,
      sourceHash: published(hash),
    }),
    samples: named.map(({ id, subject, label, fold, extra }, i) => ({
      ...{ id, subject, label, fold, extra },
      sourceDigests: Object.fromEntries(
        Object.entries(digests[i]!).map(([modality, digest]) => [modality, toldDigest(digest)]),
      ),
    })),
  };
}

/** Makes the opened data set of the facts that a pack or shards carry. */
export function fromPortable(common: PortableDataset, samples: readonly Sample[]): Dataset {
  return { ...described.parse(common), samples };
}

const described = portableDataset.omit({ preprocess: true, sourceHash: true });

/** Runs `work` in a new folder beside `target`. The folder is gone afterwards, whatever happens. */
export async function besideTarget<T>(target: string, work: (folder: string) => Promise<T>): Promise<T> {
  const full = path.resolve(target);
  let folder: string;
  try {
    await mkdir(path.dirname(full), { recursive: true });
    await sweep(path.dirname(full));
    folder = await makeTemporary(full);
  } catch (error) {
    throw new AnatomyError(`cannot write ${target}: ${(error as Error).message}`);
  }
  try {
    return await work(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new AnatomyError(
      `${target} does not fit on its disk: nothing was written. Free some space, or choose a smaller --size.`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
