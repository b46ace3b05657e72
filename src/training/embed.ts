import { resample } from '../augment/index.js';
import type { ImageLoader } from '../data/loader.js';
import { type Normalization, normalize } from '../methods/index.js';
import type { Encoder } from '../nn/index.js';
import { autocast, type Device, noGrad, tidy, toChannelsLast } from '../tensor/index.js';
import { autocastDtype, type Precision } from './precision.js';

/** What an encoder makes of one modality: row i belongs to sample i, row-major. */
export interface Embeddings {
  /** The head's raw output, [n, embeddingSize]. */
  readonly embedding: Float32Array;
  /** The last map averaged over its pixels, [n, C]. */
  readonly features: Float32Array;
  readonly rows: number;
}

export interface EmbedOptions {
  encoder: Encoder;
  loader: ImageLoader;
  modality: string;
  /** Positions of the samples in the data set. */
  indices: readonly number[];
  size: number;
  normalization: Normalization;
  precision: Precision;
  device: Device;
  batchSize?: number;
  /** Batch norm uses each batch's statistics and records them, for `calibrate`. */
  recordStatistics?: { momentum: (rows: number) => number };
}

/** Embeds un-augmented images without gradient, in evaluation mode. */
export function embed(options: EmbedOptions): Embeddings {
  const { encoder, loader, modality, indices, size, normalization, precision, device } = options;
  const { batchSize = 64, recordStatistics } = options;
  const chunks: { embedding: Float32Array; features: Float32Array }[] = [];
  for (let start = 0; start < indices.length; start += batchSize) {
    const chosen = indices.slice(start, start + batchSize);
    const forward = () =>
      noGrad(() =>
        tidy(() => {
          const stored = loader.images(chosen)[modality];
          if (stored === undefined) {
            throw new RangeError(
              `embed: no modality ${modality}; the data has ${loader.modalities.join(', ')}`,
            );
          }
          const images = toChannelsLast(normalize(resample(stored, null, { size }), normalization));
          const momentum = recordStatistics?.momentum(chosen.length);
          const { embedding, features } = encoder.forward(images, {
            training: momentum !== undefined,
            momentum,
          });
          return {
            embedding: embedding.to({ dtype: 'f32' }).toArray() as Float32Array,
            features: features.to({ dtype: 'f32' }).toArray() as Float32Array,
          };
        }),
      );
    const dtype = autocastDtype(precision);
    chunks.push(dtype === null ? forward() : autocast(dtype, forward, device));
  }
  return {
    embedding: join(chunks.map((chunk) => chunk.embedding)),
    features: join(chunks.map((chunk) => chunk.features)),
    rows: indices.length,
  };
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

/**
 * Sets batch norm's running statistics to the averages over all given images of all modalities, by one pass: what an
 * untrained encoder needs before it can be compared fairly (the same random weights probe at 0.56 or 0.75 AUC without and
 * with it).
 */
export function calibrate(
  options: Omit<EmbedOptions, 'modality' | 'recordStatistics'>,
  modalities: readonly string[],
): void {
  let seen = 0;
  for (const modality of modalities) {
    // A batch's share of all images so far makes the exponential average a plain one.
    const momentum = (rows: number) => {
      seen += rows;
      return rows / seen;
    };
    embed({ ...options, modality, recordStatistics: { momentum } });
  }
}
