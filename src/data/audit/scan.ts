import { createHash } from 'node:crypto';
import { Random } from '../../tensor/random.js';
import type { Dataset } from '../sample.js';
import { ImageTable } from './measures/imageTable.js';
import { PairTable } from './measures/pairTable.js';
import { isReadable, readPictures } from './measures/readPictures.js';
import { patchRelations, type RelatedPair } from './measures/relations.js';

/** The number of pairs whose patch relations are kept. */
const RELATED_PAIRS = 300;

/**
 * The measures that one pass over the images of a data set leaves: about 650 bytes for each image, whatever its size.
 */
export interface Scan {
  readonly dataset: Dataset;
  /** One table for each modality. */
  readonly images: readonly ImageTable[];
  /** One table for each modality after the first, against the first. */
  readonly pairs: readonly PairTable[];
  readonly unreadable: readonly UnreadableImage[];
  /** Images that are read although their files lack something. */
  readonly noted: readonly NotedImage[];
  /** The patch relations of some pairs of the first two modalities. */
  readonly related: readonly RelatedPair[];
  /** The digest of all ids and pixels. */
  readonly contentHash: string;
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
  /** Whether to leave out the slow measures: near-duplicates, shifts and patch relations. */
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
  const pairs = modalities.slice(1).map(() => new PairTable(samples.length));
  const unreadable: UnreadableImage[] = [];
  const noted: NotedImage[] = [];
  const related: RelatedPair[] = [];
  const sampled = quick ? new Set<number>() : someOf(samples.length, seed);
  const content = createHash('sha256');
  for await (const { position, pictures } of readPictures(dataset, signal)) {
    signal?.throwIfAborted();
    const { id, subject } = samples[position]!;
    content.update(JSON.stringify([id, subject]));
    for (const [i, picture] of pictures.entries()) {
      if (isReadable(picture)) {
        images[i]!.set(position, picture, !quick);
        content.update(picture.digest);
        if (picture.note !== undefined)
          noted.push({ position, modality: modalities[i]!, note: picture.note });
      } else unreadable.push({ position, modality: modalities[i]!, ...picture });
    }
    const [first, ...others] = pictures.map((picture, i) =>
      isReadable(picture) && images[i]!.hasContent(position) ? picture : undefined,
    );
    for (const [i, other] of others.entries()) {
      if (first !== undefined && other !== undefined) pairs[i]!.set(position, first, other, !quick);
    }
    const mate = pairs[0]?.same[position] === 0 ? others[0] : undefined;
    if (sampled.has(position) && first !== undefined && mate !== undefined) {
      related.push({ subject, a: patchRelations(first.gray), b: patchRelations(mate.gray) });
    }
    onProgress?.(position + 1, samples.length);
  }
  return { dataset, images, pairs, unreadable, noted, related, contentHash: content.digest('hex') };
}

function someOf(count: number, seed: number): Set<number> {
  return new Set(new Random(seed, 'related pairs').permutation(count).subarray(0, RELATED_PAIRS));
}
