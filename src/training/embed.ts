/** The encoder on un-augmented images: embeddings of all samples, and the calibration of batch norm. */
import { resample } from '../augment/index.js';
import type { Loader } from '../data/loading/loader.js';
import { joinViews, type Normalization, normalize } from '../methods/index.js';
import { averagedMaps, type Encoder, type EncoderOutput } from '../nn/index.js';
import { autocast, type Device, noGrad, type Tensor, tidy, toChannelsLast } from '../tensor/index.js';
import { autocastDtype, type Precision } from './precision.js';

/** The outputs of an encoder for the images of one modality, row-major: row i belongs to the i-th sample asked for. */
export interface Embeddings {
  /** The head's raw output, [n, embeddingSize]. */
  readonly embedding: Float32Array;
  /** The last map averaged over its pixels, [n, C]. */
  readonly features: Float32Array;
  /** The last three maps, each averaged over its pixels, side by side, [n, ΣC]; there where `maps` asks for them. */
  readonly maps?: Float32Array;
  /** The number of samples, n. */
  readonly rows: number;
}

export interface EmbedOptions {
  encoder: Encoder;
  loader: Loader;
  modality: string;
  /** The positions of the samples in the data set. */
  indices: readonly number[];
  size: number;
  normalization: Normalization;
  precision: Precision;
  device: Device;
  batchSize?: number;
  /** True when the averages of the last three maps are computed too. */
  maps?: boolean;
}

/**
 * Embeds un-augmented images without gradient, in evaluation mode.
 *
 * @param options.indices samples that have an image of the modality
 */
export async function embed({ maps = false, ...options }: EmbedOptions): Promise<Embeddings> {
  const read = (output: EncoderOutput) => ({
    embedding: numbersOf(output.embedding),
    features: numbersOf(output.features),
    maps: maps ? [numbersOf(averagedMaps(output))] : [],
  });
  const chunks = [];
  for await (const chunk of embedBatches(options, read)) chunks.push(chunk);
  return {
    embedding: join(chunks.map((chunk) => chunk.embedding)),
    features: join(chunks.map((chunk) => chunk.features)),
    ...(maps && { maps: join(chunks.flatMap((chunk) => chunk.maps)) }),
    rows: options.indices.length,
  };
}

/**
 * Embeds un-augmented images batch by batch, as {@link embed} does, and gives what `read` takes of each batch's output.
 *
 * @param options.indices samples that have an image of the modality
 */
export function embedBatches<T>(
  { modality, ...options }: Omit<EmbedOptions, 'maps'>,
  read: (output: EncoderOutput) => T,
): AsyncGenerator<T> {
  return forwardAll(options, [modality], { training: false }, read);
}

/** The values of an output in single precision. */
export function numbersOf(output: Tensor): Float32Array {
  return output.to({ dtype: 'f32' }).toArray() as Float32Array;
}

/**
 * Sets batch norm's running statistics to the averages over all given images, by one pass. An untrained encoder needs
 * it for a fair comparison: the same random weights probe at 0.75 AUC with it and at 0.56 without. As in training, a
 * batch holds all images of its samples.
 */
export async function calibrate(
  options: Omit<EmbedOptions, 'modality' | 'maps'>,
  modalities: readonly string[],
): Promise<void> {
  let seen = 0;
  // With a batch's share of all images so far as momentum, the exponential average is a plain one.
  const momentum = (images: number): number => {
    seen += images;
    return images / seen;
  };
  const batches = forwardAll(options, modalities, { training: true, momentum }, () => undefined);
  while (!(await batches.next()).done);
}

/**
 * Passes batches of un-augmented images through the encoder, with the images of all given modalities that a sample has
 * in one batch.
 */
async function* forwardAll<T>(
  options: Omit<EmbedOptions, 'modality' | 'maps'>,
  modalities: readonly string[],
  { training, momentum }: { training: boolean; momentum?: (images: number) => number },
  read: (output: EncoderOutput) => T,
): AsyncGenerator<T> {
  const { encoder, loader, indices, size, normalization, precision, device, batchSize = 64 } = options;
  const dtype = autocastDtype(precision);
  for (let start = 0; start < indices.length; start += batchSize) {
    const chosen = indices.slice(start, start + batchSize);
    await loader.prepare(chosen);
    const forward = () =>
      noGrad(() =>
        tidy(() => {
          const { images: stored } = loader.load(chosen);
          const views = modalities.flatMap((modality) => {
            const images = stored[modality];
            if (images === undefined) {
              throw new RangeError(
                `embed: no modality ${modality}; the data has ${loader.modalities.join(', ')}`,
              );
            }
            return images.size(0) === 0 ? [] : [resample(images, null, { size })];
          });
          if (views.length === 0) return [];
          const images = toChannelsLast(normalize(joinViews(views), normalization));
          return [read(encoder.forward(images, { training, momentum: momentum?.(images.size(0)) }))];
        }),
      );
    yield* dtype === null ? forward() : autocast(dtype, forward, device);
  }
}

function join(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
