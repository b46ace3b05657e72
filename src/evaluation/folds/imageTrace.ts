/** Which samples of the judged data a run has images of, and which of them it kept out of pretraining. */
import { existsSync } from 'node:fs';
import { streamHash } from '../../data/cache/dataHash.js';
import type { ImageCache } from '../../data/cache/decodedImages.js';
import type { Fold } from '../../data/fold.js';
import { openImageCache } from '../../data/loading/imageCache.js';
import { openDataset } from '../../data/openDataset.js';
import { published } from '../../data/pseudonym.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { sourceDigests, toldDigest } from '../../data/sourceDigest.js';
import { AnatomyError } from '../../errors.js';
import { datasetSpec } from '../../training/datasetSpec.js';
import { cacheSizeOf } from '../../training/imageCache.js';
import { readFolds, runPaths, storedDataHash } from '../../training/runFolder.js';
import type { JudgedRun, RunEncoder } from '../encoders/runEncoders.js';

/** What a run's own data has to do with the judged data. */
export interface ImageTrace {
  /** False when the run's own data is not there to compare with. */
  readonly known: boolean;
  /** By position in the judged data: whether the run's data has an image of the sample. */
  readonly inRun: readonly boolean[];
  /** By position: whether the run's data has the sample's id and subject, but none of its images: another of that name, or the same saved anew. */
  readonly namesake: readonly boolean[];
  /** By position: the fold that kept the sample out of pretraining, or that it was set aside, where the run tells. */
  readonly keptOut: readonly (Fold | undefined)[];
}

/** What is known without a look at the images. */
export function untraced({ samples }: Dataset): ImageTrace {
  return {
    known: false,
    inRun: samples.map(() => false),
    namesake: samples.map(() => false),
    keptOut: samples.map(() => undefined),
  };
}

/**
 * Compares the judged data with the run's own: the same data by its digest, wherever it lies now; other data image by
 * image, by the content of what they are made from, so that copies, packs and shards are recognised. An image that was
 * saved anew in other bytes is not.
 *
 * @throws UsageError when the run has folds and its data has changed since, so that nobody knows who was in which
 */
export async function traceImages(
  { encoders }: JudgedRun,
  dataset: Dataset,
  cache: ImageCache,
  cacheFolder: string | undefined,
): Promise<ImageTrace> {
  const { root, config } = encoders[0]!;
  const { samples } = dataset;
  const dataHash = await dataHashOf(dataset, cache, config);
  if (storedDataHash(root) === published(dataHash)) {
    const folds = readFolds(root, cache.ids, dataHash);
    return {
      known: true,
      inRun: samples.map(() => true),
      namesake: samples.map(() => false),
      keptOut: samples.map(({ id }) => folds?.get(id)),
    };
  }
  const own = await openOwnData(config);
  if (own === undefined) return untraced(dataset);
  const ownNames = await imageNames(own.samples).catch((error: unknown) => {
    if (error instanceof AnatomyError) return undefined;
    throw error;
  });
  if (ownNames === undefined) return untraced(dataset);
  const names = await imageNames(samples);
  const ownId = new Map<string, string>();
  for (const [i, { id }] of own.samples.entries()) for (const name of ownNames[i]!) ownId.set(name, id);
  const idInRun = names.map((images) => images.map((name) => ownId.get(name)).find((id) => id !== undefined));
  const inRun = idInRun.map((id) => id !== undefined);
  // What is generated is named by number, whatever its seed, and its image is known by how it was made.
  const files = own.samples.filter(({ images }) =>
    Object.values(images).some(({ kind }) => kind !== 'generated'),
  );
  const subjects = new Map(files.map(({ id, subject }) => [id, subject]));
  let folds: ReadonlyMap<string, Fold> | undefined;
  if (inRun.includes(true) && existsSync(runPaths(root).folds)) {
    const ownCache = await openImageCache(own, { size: cacheSizeOf(config), root: cacheFolder });
    folds = readFolds(root, ownCache.ids, await dataHashOf(own, ownCache, config));
  }
  return {
    known: true,
    inRun,
    namesake: samples.map(({ id, subject }, i) => !inRun[i] && subjects.get(id) === subject),
    keptOut: idInRun.map((id) => (id === undefined ? undefined : folds?.get(id))),
  };
}

/** The digest of data as a run of this config takes it. */
async function dataHashOf(
  dataset: Dataset,
  cache: ImageCache,
  { data }: RunEncoder['config'],
): Promise<string> {
  return data.shuffleBuffer === null ? cache.dataHash : streamHash(dataset, cache.size);
}

/** Names for the images of each sample, equal where the images are the same. */
async function imageNames(samples: readonly Sample[]): Promise<string[][]> {
  const names: string[][] = [];
  for await (const digests of sourceDigests(samples)) names.push(Object.values(digests).map(toldDigest));
  return names;
}

async function openOwnData(config: RunEncoder['config']): Promise<Dataset | undefined> {
  if (config.data.path === null) return undefined;
  try {
    // As pretraining opened it: which class is positive is nothing to it.
    return await openDataset(datasetSpec(config), { positive: 'optional' });
  } catch (error) {
    // Moved or deleted since the run: not an error of this evaluation, but nothing to compare with either.
    if (error instanceof AnatomyError) return undefined;
    throw error;
  }
}
