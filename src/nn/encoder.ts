import { ops, Random, type Tensor, TensorError } from '../tensor/index.js';
import { Linear } from './layers.js';
import type { Module } from './module.js';
import type { Backbone, ForwardOptions } from './vgg.js';

/**
 * The input of the projection head: the last map flattened (`map`, as in the authors' code), the max-pooled last map
 * flattened (`pool`, VGG's own), or the average over the last map (`gap`, independent of the input size).
 */
export type HeadInput = 'map' | 'pool' | 'gap';

export interface EncoderOutput {
  /** The maps of the stages, [B, C, H, W] each; see BackboneOutput. */
  readonly maps: readonly Tensor[];
  /** The last map averaged over its pixels, [B, C]. */
  readonly features: Tensor;
  /** The head's raw output after its ReLU, not normalised, [B, embeddingSize]. */
  readonly embedding: Tensor;
}

export interface EncoderOptions {
  backbone: Backbone;
  /** The side of the square images in pixels, a multiple of 16 and at least 32. */
  size: number;
  headInput?: HeadInput;
  /** The number of the embedding's components; default: the paper's 500. */
  embeddingSize?: number;
  seed?: number;
}

/** A backbone with the paper's projection head (§3.1): flatten → linear → ReLU. */
export class Encoder implements Module {
  readonly backbone: Backbone;
  /** The length of `embedding`. */
  readonly embeddingSize: number;
  readonly children: Readonly<Record<string, Module>>;
  readonly #head: Linear;
  readonly #headInput: HeadInput;
  readonly #size: number;

  constructor({ backbone, size, headInput = 'pool', embeddingSize = 500, seed = 0 }: EncoderOptions) {
    if (!Number.isInteger(size) || size < 32 || size % 16 !== 0) {
      throw new TensorError(
        `Encoder: size is ${size}, expected a multiple of 16, at least 32 (the last map is a sixteenth)`,
      );
    }
    const channels = backbone.channels.at(-1)!;
    const side = headInput === 'map' ? size / 16 : headInput === 'pool' ? Math.floor(size / 32) : 1;
    this.backbone = backbone;
    this.embeddingSize = embeddingSize;
    this.#size = size;
    this.#headInput = headInput;
    this.#head = new Linear(channels * side * side, embeddingSize, new Random(seed, 'init', 'head'));
    // The backbone keeps torchvision's names, so it gets no prefix.
    this.children = { ...backbone.children, head: this.#head };
  }

  /** @param images [B, 3, size, size], or [B, 1, size, size] for gray */
  forward(images: Tensor, options: ForwardOptions = {}): EncoderOutput {
    if (images.shape[2] !== this.#size || images.shape[3] !== this.#size) {
      throw new TensorError(
        `Encoder: images have shape [${images.shape}], expected [B, 3, ${this.#size}, ${this.#size}]`,
      );
    }
    const { maps, pooled, features } = this.backbone.forward(images, options);
    const input =
      this.#headInput === 'gap'
        ? features
        : ops.flatten(this.#headInput === 'map' ? maps.at(-1)! : pooled, 1, -1);
    return { maps, features, embedding: ops.relu(this.#head.forward(input)) };
  }
}
