/**
 * Traces the judged data in a run's own data: which samples the run has images of, and which of them it kept out of
 * pretraining.
 */
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

/** The overlap of a run's own data with the judged data. The lists go by position in the judged data. */
export interface ImageTrace {
  /** False when the run's own data is not there to compare with. */
  readonly known: boolean;
  /** True where the run's data has an image of the sample. */
  readonly inRun: readonly boolean[];
  /**
   * True where the run's data has the sample's id and subject but none of its images: it is another sample of that
   * name, or the same one saved anew.
   */
  readonly namesake: readonly boolean[];
  /**
   * The fold that kept the sample out of pretraining, or the mark that it was set aside; undefined where the run does
   * not tell.
   */
  readonly keptOut: readonly (Fold | undefined)[];
}

/** The trace before any image has been looked at: nothing is known. */
export function untraced({ samples }: Dataset): ImageTrace {
  return {
    known: false,
    inRun: samples.map(() => false),
    namesake: samples.map(() => false),
    keptOut: samples.map(() => undefined),
  };
}

/**
 * Compares the judged data with the run's own. The same data is recognised by its digest, wherever it lies now. Other
 * data is compared image by image, by the content of the files, so that copies, packs and shards are recognised. An
 * image that was saved anew in other bytes is not recognised.
 *
 * @throws UsageError when the run has folds and its data has changed since, so that nobody knows which fold a sample
 * was in
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
  // Generated samples are named by number, whatever their seed, so their names say nothing. Their images are compared
  // by how they were made.
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

/** The digest of the data in the form in which a run of this config reads it. */
async function dataHashOf(
  dataset: Dataset,
  cache: ImageCache,
  { data }: RunEncoder['config'],
): Promise<string> {
  return data.shuffleBuffer === null ? cache.dataHash : streamHash(dataset, cache.size);
}

/** Makes names for the images of each sample. Two images have the same name when they are the same. */
async function imageNames(samples: readonly Sample[]): Promise<string[][]> {
  const names: string[][] = [];
  for await (const digests of sourceDigests(samples)) names.push(Object.values(digests).map(toldDigest));
  return names;
}

async function openOwnData(config: RunEncoder['config']): Promise<Dataset | undefined> {
  if (config.data.path === null && config.data.folders === undefined) return undefined;
  try {
    // The data is opened in the way pretraining opened it, to which it does not matter which class is positive.
    return await openDataset(datasetSpec(config), { positive: 'optional' });
  } catch (error) {
    // The data was moved or deleted since the run. That is no error of this evaluation, but there is nothing to compare
    // with.
    if (error instanceof AnatomyError) return undefined;
    throw error;
  }
}
