import { DataError } from '../errors.js';
import { importEncoder } from '../export/encoder.js';
import { disposeModule, type Encoder, stateDict } from '../nn/index.js';
import type { Device } from '../tensor/index.js';
import { buildEncoder } from '../training/build.js';
import { type EncoderDescription, readEncoderDescription } from '../training/encoderFile.js';

export interface LoadedEncoder {
  /** The network with its weights. `disposeModule` frees it. */
  readonly encoder: Encoder;
  /** What the file says of it: how to feed it, what it was trained on. */
  readonly description: EncoderDescription;
}

/**
 * Loads an encoder from the file that a run or `anatomy export safetensors` wrote, without the run.
 *
 * The encoder takes images [B, 3, size, size], or [B, 1, size, size] for gray, with values 0 … 1, resized as
 * `description.input.resize` says and normalised as `description.input.normalize` says. It gives maps [B, C, H, W],
 * features [B, C] and the embedding [B, embeddingSize].
 *
 * @param path a safetensors file, such as `runs/first/encoder.safetensors`
 * @throws DataError where the file is damaged, says nothing of its encoder, or lacks weights
 */
export function loadEncoder(path: string, { device = 'cpu' }: { device?: Device } = {}): LoadedEncoder {
  const description = readEncoderDescription(path);
  const { model, input } = description;
  const encoder = buildEncoder({ model, data: input, seed: null }, device);
  try {
    const taken = new Set(importEncoder(path, encoder));
    const missing = [...stateDict(encoder).keys()].filter((name) => !taken.has(name));
    if (missing.length === 0) return { encoder, description };
    throw new DataError(
      `${path}: lacks ${missing[0]} (${missing.length} weights in all), which its own description asks for; export it again`,
    );
  } catch (error) {
    disposeModule(encoder);
    throw error;
  }
}
