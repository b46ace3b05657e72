import { ops, type Tensor, TensorError } from '../tensor/index.js';
import { type Backbone, type BackboneOutput, type ForwardOptions, mapSides } from './backbone.js';
import { Branches, branchOf } from './branches.js';
import { layerRandom } from './init.js';
import { Linear } from './layers.js';
import type { Module } from './module.js';

/**
 * The input of the projection head: the last map flattened (`map`, as in the authors' code), what the backbone's own
 * classifier reads (`pool`: of VGG the max-pooled last map, flattened, of others its average), or the average over the
 * last map (`gap`, independent of the input size).
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

/**
 * The last three maps of an encoder, each averaged over its pixels, side by side: [B, ΣC] with the channels of maps 2,
 * 3 and 4 (counted from 0) in this order. The last C are `features`.
 */
export function averagedMaps({ maps, features }: Pick<BackboneOutput, 'maps' | 'features'>): Tensor {
  return ops.cat([...maps.slice(-3, -1).map((map) => map.mean([2, 3])), features], 1);
}

export interface EncoderOptions {
  backbone: Backbone;
  /** The side of the square images in pixels, a multiple of 16 and at least 32. */
  size: number;
  headInput?: HeadInput;
  /** The number of the embedding's components; default: the paper's 500. */
  embeddingSize?: number;
  /** The seed of the head's initial weights. Default 0; null leaves them zero, for weights that are loaded next. */
  seed?: number | null;
}

/**
 * A backbone with the paper's projection head (§3.1): flatten → linear → ReLU. Branches have a head each, and their
 * embeddings stand side by side.
 */
export class Encoder implements Module {
  readonly backbone: Backbone;
  /** The length of `embedding`. */
  readonly embeddingSize: number;
  readonly parameters: Readonly<Record<string, Tensor>> | undefined;
  readonly children: Readonly<Record<string, Module>>;
  readonly #heads: readonly Linear[];
  readonly #headInput: HeadInput;
  readonly #size: number;

  constructor({ backbone, size, headInput = 'pool', embeddingSize = 500, seed = 0 }: EncoderOptions) {
    if (!Number.isInteger(size) || size < 32 || size % 16 !== 0) {
      throw new TensorError(`Encoder: size is ${size}, expected a multiple of 16, at least 32`);
    }
    const channels = backbone.channels.at(-1)!;
    const sides = { map: mapSides(backbone.strides, size).at(-1)!, pool: backbone.pooledSide(size), gap: 1 };
    const side = sides[headInput];
    this.backbone = backbone;
    this.embeddingSize = embeddingSize;
    this.#size = size;
    this.#headInput = headInput;
    const branches = backbone instanceof Branches ? backbone.count : 1;
    if (embeddingSize % branches !== 0) {
      throw new TensorError(
        `Encoder: embeddingSize is ${embeddingSize}, expected a multiple of the ${branches} branches`,
      );
    }
    const [inputs, outputs] = [(channels / branches) * side * side, embeddingSize / branches];
    const keys = branches === 1 ? [[]] : Array.from({ length: branches }, (_, branch) => [branch]);
    this.#heads = keys.map((key) => new Linear(inputs, outputs, layerRandom(seed, 'head', ...key)));
    const head = branches === 1 ? this.#heads[0]! : { children: Object.fromEntries(this.#heads.entries()) };
    // The backbone keeps the names of its public implementation, so it gets no prefix.
    this.parameters = backbone.parameters;
    this.children = { ...backbone.children, head };
  }

  /** The number of branches; 1 where all of the network serves everything. */
  get branches(): number {
    return this.#heads.length;
  }

  /** @param images [B, 3, size, size], or [B, 1, size, size] for gray */
  forward(images: Tensor, options: ForwardOptions = {}): EncoderOutput {
    if (images.shape[2] !== this.#size || images.shape[3] !== this.#size) {
      throw new TensorError(
        `Encoder: images have shape [${images.shape}], expected [B, 3, ${this.#size}, ${this.#size}]`,
      );
    }
    const output = this.backbone.forward(images, options);
    return { maps: output.maps, features: output.features, embedding: this.embeddingOf(output) };
  }

  /** The head's raw output after its ReLU, [B, embeddingSize]. */
  embeddingOf({ maps, pooled, features }: BackboneOutput): Tensor {
    const input = this.#headInput === 'gap' ? features : this.#headInput === 'map' ? maps.at(-1)! : pooled;
    const embeddings = this.#heads.map((head, branch) => {
      const own = this.branches === 1 ? input : branchOf(input, branch, this.branches);
      return head.forward(this.#headInput === 'gap' ? own : ops.flatten(own, 1, -1));
    });
    return ops.relu(embeddings.length === 1 ? embeddings[0]! : ops.cat(embeddings, 1));
  }
}
