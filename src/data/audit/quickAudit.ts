/** Looks for what spoils a run in images that are decoded already, before each run. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { AnatomyError } from '../../errors.js';
import { isSystemError, PRIVATE, writeFileAtomic } from '../../files.js';
import { defaultCacheRoot, makePrivateFolder } from '../cache/cacheFolders.js';
import type { ImageCache } from '../cache/decodedImages.js';
import type { FoldOf } from '../fold.js';
import type { Dataset } from '../sample.js';
import { BLANK_SHARE, flatShare, isNarrowLevel, topLevel, usesFewLevels } from './measures/picture.js';
import { spreadSetting } from './settingFindings.js';

const count = z.int().min(0);

const quickAuditSchema = z.object({
  /** The number of samples with a blank image. */
  blank: count,
  /**
   * The position of each sample that repeats an image of the same modality, to the pixel, and that of the earlier
   * sample.
   */
  repeats: z.array(z.tuple([count, count])),
  /** The number of such samples that are of another class than the earlier one. */
  contradictions: count,
  /** The number of samples of which two modalities are the same image. */
  same: count,
  /** The modalities most of whose images use a small part of the gray levels, with the highest level of these. */
  narrow: z.array(z.object({ modality: z.string(), images: count, top: count })),
});

/** The findings of a look at decoded images. */
export type QuickAudit = Readonly<z.infer<typeof quickAuditSchema>>;

/**
 * Looks through the cached images for what spoils a run. Nothing is decoded. The findings are kept in the folder of all
 * caches, by `cache.dataHash`, so that the next look costs nothing.
 *
 * @param root the folder of all caches
 */
export async function quickAudit(
  dataset: Dataset,
  cache: ImageCache,
  root = defaultCacheRoot(),
): Promise<QuickAudit> {
  const file = path.join(root, 'audits', `${cache.dataHash}.json`);
  if (existsSync(file)) {
    try {
      return quickAuditSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    } catch {
      // A file that is damaged or of another version is written anew.
    }
  }
  const found = await lookThrough(dataset, cache);
  try {
    makePrivateFolder(path.dirname(file)); // the name is the key of the pseudonyms
    writeFileAtomic(file, `${JSON.stringify(found)}\n`, { mode: PRIVATE });
  } catch (error) {
    // Where the cache cannot be written, the images are looked through each time.
    if (!(error instanceof AnatomyError) && !isSystemError(error)) throw error;
  }
  return found;
}

/** Counts the samples that repeat an image of another fold, to the pixel. */
export function repeatsAcrossFolds({ repeats }: QuickAudit, foldAt: FoldOf): number {
  const torn = repeats.filter(([later, earlier]) => {
    const folds = [foldAt(later), foldAt(earlier)];
    return !folds.includes(undefined) && folds[0] !== folds[1];
  });
  return new Set(torn.map(([later]) => later)).size;
}

/** Words, one line for each modality, which settings would spread the gray levels. */
export function narrowWarnings({ narrow }: QuickAudit): string[] {
  return narrow.map(
    ({ modality, images, top }) =>
      `${images} ${images === 1 ? 'image' : 'images'} of modality ${modality} use the levels 0 to ${top} of 255, so little is ` +
      `left of them: ${spreadSetting(modality)}`,
  );
}

/** Words the findings for the start of a run, one line each; none if nothing was found. */
export function quickWarnings(audit: QuickAudit, foldAt: FoldOf = () => undefined): string[] {
  const { blank, repeats, contradictions, same } = audit;
  const duplicates = new Set(repeats.map(([later]) => later)).size;
  const torn = repeatsAcrossFolds(audit, foldAt);
  const of = (count: number, one: string, many: string) =>
    count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  const lines = [
    ...of(blank, 'sample has a blank image', 'samples have a blank image'),
    ...of(
      duplicates,
      'sample repeats an image of another, to the pixel',
      'samples repeat an image of another, to the pixel',
    ),
    ...of(contradictions, 'of these has another class', 'of these have another class'),
    ...of(same, 'sample has one image for two modalities', 'samples have one image for two modalities'),
  ];
  const told = [...narrowWarnings(audit), ...lines.map((line) => `${line}; anatomy data check tells which`)];
  if (torn > 0)
    told.push(
      `${torn} of the repeated images ${torn === 1 ? 'lies' : 'lie'} in another fold than the first, so test images are seen in training; anatomy data split keeps them together`,
    );
  return told;
}

async function lookThrough({ samples }: Dataset, cache: ImageCache): Promise<QuickAudit> {
  const spoiled = {
    blank: new Set<number>(),
    contradictions: new Set<number>(),
    same: new Set<number>(),
  };
  const repeats = new Map<string, [later: number, earlier: number]>();
  /** The digests of the images of each sample, of the modalities so far. */
  const ownDigests: string[][] = samples.map(() => []);
  const narrow: QuickAudit['narrow'] = [];
  for (const [modality, { file, offset, channels }] of Object.entries(cache.modalities)) {
    const tops: number[] = [];
    // Nearly of one level, which is blank unless the whole modality is dark.
    const dim: number[] = [];
    const firsts = new Map<string, number>();
    const present = cache.present?.[modality] ?? Array.from({ length: cache.count }, (_, i) => i);
    const image = new Uint8Array(channels * cache.size ** 2);
    const handle = await open(file, 'r');
    try {
      for (const [i, position] of present.entries()) {
        // The file is in memory already, so reading hardly waits. Signals get a turn here.
        if (i % 64 === 0) await nextTurn();
        await handle.read(image, 0, image.length, offset + position * image.length);
        const histograms = histogramsOf(image, channels);
        const length = image.length / channels;
        if (histograms.every((histogram) => histogram.includes(length))) {
          spoiled.blank.add(position);
          continue;
        }
        tops.push(Math.max(...histograms.map((histogram) => topLevel(histogram, length))));
        if (histograms.every((histogram) => flatShare(histogram, length) >= BLANK_SHARE)) {
          dim.push(position);
          continue;
        }
        const digest = createHash('sha1').update(image).digest('base64');
        const own = ownDigests[position]!;
        if (own.includes(digest)) spoiled.same.add(position);
        own.push(digest);
        const first = firsts.get(digest);
        if (first === undefined) firsts.set(digest, position);
        else {
          repeats.set(`${position} ${first}`, [position, first]);
          const labels = new Set([first, position].flatMap((one) => samples[one]!.label ?? []));
          if (labels.size > 1) spoiled.contradictions.add(position);
        }
      }
    } finally {
      await handle.close();
    }
    const few = tops.filter(isNarrowLevel);
    if (usesFewLevels(few.length, tops.length)) {
      narrow.push({ modality, images: few.length, top: Math.max(...few) });
      continue;
    }
    for (const position of dim) spoiled.blank.add(position);
  }
  const { blank, contradictions, same } = spoiled;
  return {
    blank: blank.size,
    repeats: [...repeats.values()],
    contradictions: contradictions.size,
    same: same.size,
    narrow,
  };
}

/** @param image planar pixels */
function histogramsOf(image: Uint8Array, channels: number): Uint32Array[] {
  const length = image.length / channels;
  return Array.from({ length: channels }, (_, channel) => {
    const histogram = new Uint32Array(256);
    for (let i = channel * length; i < (channel + 1) * length; i += 1) histogram[image[i]!]! += 1;
    return histogram;
  });
}
