import { createHash } from 'node:crypto';
import { Random } from '../../tensor/random.js';
import { type LeveledImage, leveled } from '../align/grayImage.js';
import { hasImage } from '../presence.js';
import type { Dataset } from '../sample.js';
import { ImageTable } from './measures/imageTable.js';
import { PairTable } from './measures/pairTable.js';
import { WORKING_SIDE } from './measures/picture.js';
import { isReadable, readPictures } from './measures/readPictures.js';
import { patchRelations, type RelatedPair } from './measures/relations.js';

/** The number of samples whose patch relations are kept for each pair of modalities. */
const RELATED_PAIRS = 300;

/**
 * The measures that one pass over the images of a data set leaves: about 650 bytes for each image, whatever its size.
 */
export interface Scan {
  readonly dataset: Dataset;
  /** One table for each modality. */
  readonly images: readonly ImageTable[];
  /** The measures of each pair of modalities: of the first and each other one, of the second and each later one, … */
  readonly pairs: readonly ScannedPair[];
  readonly unreadable: readonly UnreadableImage[];
  /** Images that are read although their files lack something. */
  readonly noted: readonly NotedImage[];
  /** The digest of all ids and pixels. */
  readonly contentHash: string;
}

/** What the samples that have both of two modalities measure. */
export interface ScannedPair {
  /** The indices of the two modalities, the lower one first. */
  readonly a: number;
  readonly b: number;
  /** Their measures, `b` against `a`. */
  readonly table: PairTable;
  /** The patch relations of some samples. */
  readonly related: readonly RelatedPair[];
}

export interface UnreadableImage {
  readonly position: number;
  readonly modality: string;
  readonly problem: string;
  /** The setting without which it cannot be used; absent where the file itself is at fault. */
  readonly setting?: string;
}

export interface NotedImage {
  readonly position: number;
  readonly modality: string;
  readonly note: string;
}

export interface ScanOptions {
  /** Whether to leave out the slow measures: near-duplicates, alignment and patch relations. */
  readonly quick?: boolean;
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Decodes every image of a data set once and measures it. */
export async function scan(dataset: Dataset, options: ScanOptions = {}): Promise<Scan> {
  const { quick = false, seed = 0, onProgress, signal } = options;
  const { samples, modalities } = dataset;
  const images = modalities.map(() => new ImageTable(samples.length));
  const pairs = modalities.flatMap((_, a) =>
    modalities.slice(a + 1).map((_, i) => {
      const b = a + 1 + i;
      const sampled = quick ? new Set<number>() : someOf(dataset, [modalities[a]!, modalities[b]!], seed);
      return { a, b, table: new PairTable(samples.length), related: [] as RelatedPair[], sampled };
    }),
  );
  const unreadable: UnreadableImage[] = [];
  const noted: NotedImage[] = [];
  const content = createHash('sha256');
  for await (const { position, pictures } of readPictures(dataset, signal)) {
    signal?.throwIfAborted();
    const sample = samples[position]!;
    const { id, subject } = sample;
    const missing = modalities.filter((modality) => !hasImage(sample, modality));
    content.update(JSON.stringify([id, subject, ...(missing.length === 0 ? [] : [missing])]));
    for (const [i, picture] of pictures.entries()) {
      if (picture === undefined) continue;
      if (isReadable(picture)) {
        images[i]!.set(position, picture, !quick);
        content.update(picture.digest);
        if (picture.note !== undefined)
          noted.push({ position, modality: modalities[i]!, note: picture.note });
      } else unreadable.push({ position, modality: modalities[i]!, ...picture });
    }
    const shown = pictures.map((picture, i) =>
      picture !== undefined && isReadable(picture) && images[i]!.hasContent(position) ? picture : undefined,
    );
    const levels = new Map<number, LeveledImage>();
    const levelsOf = (i: number) => {
      const found = levels.get(i) ?? leveled({ side: WORKING_SIDE, gray: shown[i]!.gray });
      levels.set(i, found);
      return found;
    };
    const relations = new Map<number, Float32Array>();
    const relationsOf = (i: number) => {
      const found = relations.get(i) ?? patchRelations(shown[i]!.gray);
      relations.set(i, found);
      return found;
    };
    for (const { a, b, table, related, sampled } of pairs) {
      if (shown[a] === undefined || shown[b] === undefined) continue;
      table.set(position, shown[a], shown[b], quick ? undefined : () => [levelsOf(a), levelsOf(b)]);
      if (table.same[position] !== 0 || !sampled.has(position)) continue;
      related.push({ subject, a: relationsOf(a), b: relationsOf(b) });
    }
    onProgress?.(position + 1, samples.length);
  }
  return { dataset, images, pairs, unreadable, noted, contentHash: content.digest('hex') };
}

/** Draws positions of samples that have both modalities. */
function someOf({ samples }: Dataset, both: readonly string[], seed: number): Set<number> {
  const order = new Random(seed, 'related pairs').permutation(samples.length);
  const having = order.filter((position) => both.every((modality) => hasImage(samples[position]!, modality)));
  return new Set(having.subarray(0, RELATED_PAIRS));
}
