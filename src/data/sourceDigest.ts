import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { DataError } from '../errors.js';
import { mapOrdered } from './mapOrdered.js';
import { regularFile } from './regularFile.js';
import type { Dataset, ImageSource, Sample } from './sample.js';

/**
 * Yields, for each sample, the SHA-256 of the content that each image is made from, by modality. By it a pack, shards
 * and a copy of the files elsewhere are recognised as the same images. For images of packs and shards only the told
 * half is known.
 *
 * @throws DataError if a file cannot be read
 */
export async function* sourceDigests(
  samples: readonly Sample[],
): AsyncGenerator<Readonly<Record<string, string>>> {
  // A volume holds many slices, but is read once.
  const files = new Map<string, Promise<string>>();
  const ofFile = (path: string): Promise<string> => {
    const known = files.get(path) ?? digestBytes(path);
    files.set(path, known);
    return known;
  };
  yield* mapOrdered(samples, 8, async ({ images, sourceDigests: known }) => {
    if (known !== undefined) return known;
    const entries = Object.entries(images).map(
      async ([modality, source]) => [modality, await sourceDigest(source, ofFile)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  });
}

async function sourceDigest(source: ImageSource, ofFile: (path: string) => Promise<string>): Promise<string> {
  switch (source.kind) {
    case 'generated':
      return digestText(`generated ${source.key}`);
    case 'file':
      // Any part of a file stands for all of it, as other slices of a volume show the same patient.
      return ofFile(source.path);
    case 'member':
      return digestBytes(source.path, source.offset, source.length);
    case 'packed':
      return digestBytes(source.path, source.offset, source.channels * source.side ** 2);
  }
}

/**
 * Makes a key of the images of a data set: only who has them can make it again. The images of packs and shards count
 * by the told half of their digests, so with these it is the key of whoever has the pack.
 *
 * @throws DataError if a file cannot be read
 */
export async function imagesKey(samples: readonly Sample[]): Promise<string> {
  const hash = createHash('sha256').update('key of images');
  for await (const digests of sourceDigests(samples))
    hash.update(JSON.stringify(Object.entries(digests).sort()));
  return hash.digest('hex');
}

/**
 * Gives the half of a digest that packs and shards tell. The whole one is part of the key of their pseudonyms, so that
 * whoever guesses ids cannot find them without the files.
 */
export function toldDigest(digest: string): string {
  return digest.slice(0, 32);
}

/** Makes the digest of all that decides what the samples are: names, labels and the content of the images. */
export function identityHash(
  { samples, modalities }: Pick<Dataset, 'samples' | 'modalities'>,
  digests: readonly Readonly<Record<string, string>>[],
): string {
  const hash = createHash('sha256').update(JSON.stringify(modalities));
  for (const [i, { id, subject, label }] of samples.entries()) {
    const images = modalities.map((modality) => digests[i]![modality]);
    hash.update(JSON.stringify([id, subject, label ?? null, images]));
  }
  return hash.digest('hex');
}

async function digestBytes(path: string, offset = 0, length = Number.POSITIVE_INFINITY): Promise<string> {
  const hash = createHash('sha256');
  await regularFile(path);
  try {
    const range = { start: offset, end: offset + length - 1, highWaterMark: 1 << 20 };
    for await (const chunk of createReadStream(path, range)) hash.update(chunk as Buffer);
  } catch (error) {
    throw new DataError(
      `${path}: cannot be read: ${(error as Error).message}. Check the path and its permissions.`,
    );
  }
  return hash.digest('hex');
}

function digestText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
