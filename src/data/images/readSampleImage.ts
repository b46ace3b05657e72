/**
 * The room `data/images` makes the pixels of a sample ready for use: read, cropped, mapped, resized. This file reads
 * them.
 */
import { DataError } from '../../errors.js';
import { readRange } from '../formats/fileBytes.js';
import { readImageSize, readPixels } from '../formats/index.js';
import type { Pixels } from '../formats/pixels.js';
import type { Dataset, Frame, ImageSource, PackedSource, Raster, Sample } from '../sample.js';
import { mapPixels } from './mapPixels.js';
import { resize } from './resize.js';
import { warp } from './warp.js';

export interface SampleImage extends Raster {
  /** What its file lacks although all of its pixels are there, in words that are the same for all such files. */
  readonly note?: string;
}

type Read = Pick<Dataset, 'preprocess' | 'maxBytes'>;

/**
 * Reads one image of a sample as 8 bits, cropped and mapped as `dataset.preprocess` says, and brought into the frame of
 * the image that it was registered to, if it was.
 *
 * @param size the side at which a generated image is drawn; other images keep their own size, or take their frame's
 * @throws DataError if the image cannot be read
 */
export async function readSampleImage(
  dataset: Read,
  sample: Sample,
  modality: string,
  size: number,
): Promise<SampleImage> {
  const image = await readOwnFrame(dataset, sample, modality, size);
  const frame = frameOf(sample, modality);
  return frame === undefined ? image : intoFrame(image, frame, frame);
}

/**
 * Reads the same image squashed to a square, in one step from the pixels of the file: the image that the cache, packs
 * and streams hold.
 *
 * @param size the side of the square in pixels
 * @throws DataError if the image cannot be read
 */
export async function readSquareImage(
  dataset: Read,
  sample: Sample,
  modality: string,
  size: number,
): Promise<SampleImage> {
  const image = await readOwnFrame(dataset, sample, modality, size);
  const frame = frameOf(sample, modality);
  if (frame !== undefined) return intoFrame(image, frame, { width: size, height: size });
  const { note } = image;
  return { ...resize(image, size, size), ...(note !== undefined && { note }) };
}

function frameOf({ images }: Sample, modality: string): Frame | undefined {
  const source = images[modality]!;
  return source.kind === 'file' ? source.frame : undefined;
}

/** Draws an image in its frame, the whole of which becomes `width` × `height` pixels. */
export function intoFrame(
  image: SampleImage,
  frame: Frame,
  { width, height }: { readonly width: number; readonly height: number },
): SampleImage {
  const [a, b, c, d, e, f] = frame.transformation;
  const [across, down] = [frame.width / width, frame.height / height];
  const drawn = warp(image, [a * across, b * down, c, d * across, e * down, f], width, height);
  return { ...drawn, ...(image.note !== undefined && { note: image.note }) };
}

/** @throws DataError for an image that is not of the size at which it was registered */
async function readOwnFrame(
  dataset: Read,
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
  const of = frameOf(sample, modality)?.of;
  if (of !== undefined && (of.width !== image.width || of.height !== image.height)) {
    throw new DataError(
      `${nameOf(sample.images[modality]!)}: is ${image.width}×${image.height}, but was ${of.width}×${of.height} when it was registered. ` +
        'Run anatomy data align again.',
    );
  }
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
