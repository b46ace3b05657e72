import { resample } from '../../../augment/index.js';
import type { Loader } from '../../../data/loading/loader.js';
import { makeViews, type Normalization, normalize, type ViewOptions } from '../../../methods/index.js';
import { disposeModule, type Encoder, type EncoderOutput } from '../../../nn/index.js';
import { autocast, type Device, noGrad, type Tensor, tidy, toChannelsLast } from '../../../tensor/index.js';
import { autocastDtype, type Precision } from '../../../training/precision.js';

/** The number of pairs in one forward pass. */
const AT_ONCE = 32;

export interface PairEncoderOptions {
  readonly loader: Loader;
  /** The names of A and B. */
  readonly modalities: readonly [string, string];
  /** The sample ids by position, which key the augmentations. */
  readonly ids: readonly string[];
  readonly size: number;
  readonly normalization: Normalization;
  readonly precision: Precision;
  readonly device: Device;
}

/** Runs one encoder for each modality, or the same for both, over pairs, in evaluation mode and without gradient. */
export class PairEncoder {
  readonly #encoders: readonly [Encoder, Encoder];
  readonly #options: PairEncoderOptions;

  constructor(encoders: readonly [Encoder, Encoder], options: PairEncoderOptions) {
    this.#encoders = encoders;
    this.#options = options;
  }

  /**
   * Forwards the whole images, some pairs at a time, and collects what `read` makes of the outputs. The caller frees
   * tensors in its result.
   */
  async whole<T>(
    positions: readonly number[],
    read: (a: EncoderOutput, b: EncoderOutput, positions: readonly number[]) => T,
  ): Promise<T[]> {
    const { modalities, size, normalization } = this.#options;
    return this.#inChunks(positions, (stored, some) => {
      const [a, b] = modalities.map((modality, m) => {
        const images = normalize(resample(stored[modality]!, null, { size }), normalization);
        return this.#encoders[m]!.forward(toChannelsLast(images));
      });
      return read(a!, b!, some);
    });
  }

  /**
   * The raw head embeddings of Â and B̂, row-major, one array for each chunk of pairs. The views depend only on ids and
   * seed.
   */
  async augmented(
    positions: readonly number[],
    view: Pick<ViewOptions, 'augmentation' | 'colourCoded' | 'seed'>,
  ): Promise<{ a: Float32Array; b: Float32Array }[]> {
    const { modalities, ids, size, normalization } = this.#options;
    return this.#inChunks(positions, (images, some) => {
      const batch = { images, ids: some.map((at) => ids[at]!), rows: [...some], epoch: 0 };
      const [a, b] = modalities.map((modality, m) => {
        const views = makeViews(batch, [{ modality, look: 0 }], { ...view, size, normalization });
        return embeddingOf(this.#encoders[m]!.forward(views.images));
      });
      return { a: a!, b: b! };
    });
  }

  async #inChunks<T>(
    positions: readonly number[],
    body: (stored: Record<string, Tensor>, positions: readonly number[]) => T,
  ): Promise<T[]> {
    const { loader, precision, device } = this.#options;
    const dtype = autocastDtype(precision);
    const results: T[] = [];
    for (let start = 0; start < positions.length; start += AT_ONCE) {
      const some = positions.slice(start, start + AT_ONCE);
      await loader.prepare(some);
      const forward = () => noGrad(() => tidy(() => body(loader.load(some).images, some)));
      results.push(dtype === null ? forward() : autocast(dtype, forward, device));
      // A forward pass is one synchronous call. This lets the terminal have its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return results;
  }

  dispose(): void {
    for (const encoder of new Set(this.#encoders)) disposeModule(encoder);
  }
}

/** The head's raw output, row-major. */
export function embeddingOf({ embedding }: Pick<EncoderOutput, 'embedding'>): Float32Array {
  return embedding.to({ dtype: 'f32' }).toArray() as Float32Array;
}
