/**
 * The room `data/images` makes the pixels of a sample ready for use: read, cropped, mapped, resized. This file reads
 * them.
 */
import { DataError } from '../../errors.js';
import { readRange } from '../formats/fileBytes.js';
import { readImageSize, readPixels } from '../formats/index.js';
import type { Pixels } from '../formats/pixels.js';
import type { Dataset, ImageSource, PackedSource, Raster, Sample } from '../sample.js';
import { mapPixels } from './mapPixels.js';

export interface SampleImage extends Raster {
  /** What its file lacks although all of its pixels are there, in words that are the same for all such files. */
  readonly note?: string;
}

/**
 * Reads one image of a sample as 8 bits, cropped and mapped as `dataset.preprocess` says. The cache, the audit and
 * packs see this image.
 *
 * @param size the side at which a generated image is drawn; other images keep their own size
 * @throws DataError if the image cannot be read
 */
export async function readSampleImage(
  dataset: Pick<Dataset, 'preprocess' | 'maxBytes'>,
  sample: Sample,
  modality: string,
  size: number,
): Promise<SampleImage> {
  const preprocessing = dataset.preprocess?.[modality] ?? {};
  const pixels = await pixelsOf(sample.images[modality]!, size, dataset.maxBytes);
  const { crop } = preprocessing;
  const elsewhere = crop?.kind === 'colour-box' && crop.of !== modality ? crop.of : undefined;
  const screen =
    elsewhere === undefined ? undefined : await screenOf(sample, elsewhere, size, dataset.maxBytes);
  const image = mapPixels(pixels, preprocessing, {
    name: nameOf(sample.images[modality]!),
    modality,
    screen,
  });
  return pixels.note === undefined ? image : { ...image, note: pixels.note };
}

/**
 * Finds, from headers alone, the width and height above which one image of a sample holds nothing new: its own, or
 * those of the box that it is cropped to. A crop that is found in the pixels only makes it smaller. Generated images
 * have any size and are not asked.
 */
export async function imageSizeBound(
  dataset: Pick<Dataset, 'preprocess'>,
  sample: Sample,
  modality: string,
): Promise<{ width: number; height: number }> {
  const crop = dataset.preprocess?.[modality]?.crop;
  if (crop?.kind === 'box') return crop;
  const source = sample.images[modality]!;
  if (source.kind === 'packed') return { width: source.side, height: source.side };
  if (source.kind === 'generated') throw new Error('a generated image has any size');
  return readImageSize(source);
}

async function screenOf(
  sample: Sample,
  modality: string,
  size: number,
  maxBytes: number | undefined,
): Promise<Pixels> {
  const source = sample.images[modality];
  if (source !== undefined) return pixelsOf(source, size, maxBytes);
  throw new DataError(
    `"${sample.id}" has no modality "${modality}", in which the crop looks for the coloured box; it has ` +
      `${Object.keys(sample.images).join(', ')}.`,
  );
}

async function pixelsOf(source: ImageSource, size: number, maxBytes: number | undefined): Promise<Pixels> {
  if (source.kind === 'generated') return { ...source.render(size), fullScale: [0, 255] };
  if (source.kind === 'packed') return { ...(await readPacked(source)), fullScale: [0, 255] };
  return readPixels(source, maxBytes);
}

/** Reads the planar bytes of a pack and interleaves them. */
async function readPacked({ path, offset, side, channels }: PackedSource): Promise<Raster> {
  const pixels = side * side;
  const planes = await readRange(path, offset, pixels * channels);
  if (planes.length < pixels * channels) {
    throw new DataError(`${path}: the pack ends within an image. It is truncated: copy it again.`);
  }
  const data = Uint8Array.from(planes, (_, i) => planes[(i % channels) * pixels + Math.floor(i / channels)]!);
  return { width: side, height: side, channels, data };
}

/** Names an image for messages. */
function nameOf(source: ImageSource): string {
  if (source.kind === 'generated') return source.key;
  return source.kind === 'member' ? `${source.path}: ${source.name}` : source.path;
}
