/**
 * The room `data/pack` carries a data set from machine to machine. A pack is a data set decoded at one size, in one
 * file that needs no decoder. It is a safetensors file, so that `safetensors.numpy.load_file` opens it too: for each
 * modality uint8 `[N, C, S, S]`, and under `__metadata__` the manifest. This file reads packs.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { DataError } from '../../errors.js';
import { readSafetensorsHeader } from '../../export/safetensors.js';
import { shellWords } from '../../text/shell.js';
import { dataHash } from '../cache/dataHash.js';
import type { ImageCache } from '../cache/decodedImages.js';
import { fileState } from '../cache/unchanged.js';
import { presentAmong } from '../presence.js';
import type { Dataset, PackedSource, Sample } from '../sample.js';
import { fromPortable, portableDataset, portableSample } from './portable.js';

export const PACK_EXTENSION = '.safetensors';
/**
 * The versions of packs. Version 2 is for samples that lack images, which readers of version 1 would take for black
 * ones; packs without gaps are of version 1 to this day.
 */
export const PACK_VERSION = 1;
export const PACK_VERSION_WITH_GAPS = 2;

const packManifest = portableDataset.extend({
  version: z.union([z.literal(PACK_VERSION), z.literal(PACK_VERSION_WITH_GAPS)]),
  /** The side S in pixels. */
  size: z.int().positive(),
  tensors: z.array(
    z.object({
      name: z.string(),
      channels: z.union([z.literal(1), z.literal(3)]),
      sha256: z.string(),
    }),
  ),
  samples: z.array(portableSample).min(1),
});
export type PackManifest = z.infer<typeof packManifest>;

interface PackFile {
  readonly manifest: PackManifest;
  /** The position in the file of each modality's first byte. */
  readonly begins: Readonly<Record<string, number>>;
}

/** Writes the pack's manifest as the metadata of a safetensors file, with a digest that vouches for it. */
export function packMetadata(manifest: PackManifest): Record<string, string> {
  const text = JSON.stringify(manifest);
  return { 'anatomy-pack': text, sha256: sha256(text) };
}

/**
 * Opens a pack. Its length, layout and manifest are checked here, so that nothing beyond the file's end is ever
 * mapped. The pixels are checked when they are first used.
 *
 * @throws DataError if the file is truncated, damaged, or no pack
 */
export function openPack(file: string): Dataset {
  const { manifest, begins } = readPack(file);
  const { size } = manifest;
  const full = path.resolve(file);
  const samples = manifest.samples.map((sample, i): Sample => {
    const own = manifest.tensors.filter(({ name }) => hasPacked(sample, name));
    const images = own.map(({ name, channels }): [string, PackedSource] => {
      const offset = begins[name]! + i * channels * size ** 2;
      return [name, { kind: 'packed', path: full, offset, side: size, channels }];
    });
    return { ...sample, images: Object.fromEntries(images), origin: `${file}: sample ${i}` };
  });
  return fromPortable(manifest, samples);
}

/** Tells whether the pack has an image for the sample, and not zeros in its place. */
function hasPacked({ sourceDigests }: PackManifest['samples'][number], modality: string): boolean {
  return sourceDigests[modality] !== undefined;
}

function readPack(file: string): PackFile {
  const { metadata, tensors } = readSafetensorsHeader(file);
  const text = metadata['anatomy-pack'];
  if (text === undefined) {
    throw new DataError(
      `${file}: is a safetensors file but no pack of images; make one with anatomy data pack --data DATA --size SIZE --out ${shellWords([file])}.`,
    );
  }
  const damaged = (problem: string) =>
    new DataError(`${file}: the pack is damaged: ${problem}. Copy or make it again.`);
  if (sha256(text) !== metadata.sha256) throw damaged('its manifest does not match its digest');
  const parsed = packManifest.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new DataError(
      `${file}: the pack’s manifest is not one of version ${PACK_VERSION} or ${PACK_VERSION_WITH_GAPS} (${z.prettifyError(parsed.error)}). ` +
        'Use the anatomy-ssl that made it, or make it again.',
    );
  }
  const manifest = parsed.data;
  const { size, samples } = manifest;
  const begins: Record<string, number> = {};
  for (const { name, channels } of manifest.tensors) {
    const found = tensors.get(name);
    const shape = [samples.length, channels, size, size];
    if (found?.dtype !== 'U8' || String(found.shape) !== String(shape)) {
      const got = found === undefined ? 'is not there' : `is ${found.dtype} [${found.shape}]`;
      throw damaged(`the tensor "${name}" ${got}, expected U8 [${shape}]`);
    }
    begins[name] = found.begin;
  }
  return { manifest, begins };
}

/**
 * Checks the pixels of every pack that holds images of these samples.
 *
 * @throws DataError where pixels do not match their digest
 */
export async function verifyPacks({ samples }: Pick<Dataset, 'samples'>): Promise<void> {
  const files = new Set<string>();
  for (const { images } of samples) {
    for (const source of Object.values(images)) if (source.kind === 'packed') files.add(source.path);
  }
  for (const file of files) await verify(file, readPack(file));
}

async function verify(file: string, { manifest: { tensors, samples, size }, begins }: PackFile) {
  for (const { name, channels, sha256: expected } of tensors) {
    const start = begins[name]!;
    const end = start + samples.length * channels * size ** 2 - 1;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file, { start, end, highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
    }
    if (hash.digest('hex') === expected) continue;
    throw new DataError(
      `${file}: the pack is damaged: the pixels of "${name}" do not match their digest. Copy or make it again.`,
    );
  }
}

/**
 * Gives the images straight from the pack that `dataset` is, where nothing is to be done to them. Gives undefined if
 * the data set is not one whole pack or is to be preprocessed further, or if `size` is less than the pack's.
 *
 * @throws DataError if the pixels do not match their digests
 */
export async function openPackedImages(dataset: Dataset, size: number): Promise<ImageCache | undefined> {
  const { samples, modalities, preprocess = {} } = dataset;
  const [first] = Object.values(samples[0]?.images ?? {});
  if (first?.kind !== 'packed' || size < first.side || Object.keys(preprocess).length > 0) return undefined;
  const pack = readPack(first.path);
  const { manifest, begins } = pack;
  const whole = samples.length === manifest.samples.length && modalities.length === manifest.tensors.length;
  const inOrder = modalities.every((modality, m) => {
    const { name, channels } = manifest.tensors[m] ?? {};
    return (
      name === modality &&
      samples.every(({ images }, i) => {
        const source = images[modality];
        if (source === undefined) return !hasPacked(manifest.samples[i]!, modality);
        const offset = begins[modality]! + i * channels! * manifest.size ** 2;
        return source.kind === 'packed' && source.path === first.path && source.offset === offset;
      })
    );
  });
  if (!whole || !inOrder) return undefined;
  const state = fileState(first.path); // before the content is read
  await verify(first.path, pack);
  return {
    size: manifest.size,
    ids: samples.map(({ id }) => id),
    count: samples.length,
    modalities: Object.fromEntries(
      manifest.tensors.map(({ name, channels }) => [
        name,
        { file: first.path, state, offset: begins[name]!, channels },
      ]),
    ),
    present: presentAmong(samples, modalities),
    dataHash: dataHash({ size: manifest.size, modalities: manifest.tensors }, dataset),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
