/**
 * Vision transformers ViT-S/16 and ViT-B/16 (Dosovitskiy et al. 2021; S after Touvron et al. 2021) with timm's parameter
 * names (`blocks.0.attn.qkv.weight`), which DINO, MAE and DeiT share: class token, learned position embeddings, layer
 * norm before each part (ε 1e-6), exact GELU.
 */
import { ops, type Tensor, TensorError, tidy } from '../tensor/index.js';
import { type Backbone, type BackboneOutput, checkImages } from './backbone.js';
import { constant, type LayerRandom, type LinearStart, layerRandom, linearUniform, normal } from './init.js';
import { Convolution, LayerNorm, Linear } from './layers.js';
import type { Module } from './module.js';

const KINDS = { vit_s16: { size: 384, heads: 6 }, vit_b16: { size: 768, heads: 12 } } as const;

export type VitName = keyof typeof KINDS;

/** The side of a patch in pixels. */
export const PATCH = 16;
const BLOCKS = 12;
/** Map 0 are the embedded patches; maps 1 to 4 come after so many blocks each. */
const BLOCKS_A_MAP = 3;
const EPSILON = 1e-6;

/** The strides of the maps: all have a pixel for each patch. */
export const VIT_STRIDES: readonly number[] = Array(1 + BLOCKS / BLOCKS_A_MAP).fill(PATCH);

export interface VitOptions {
  /** The side of the images in pixels, a multiple of 16: each patch has a position embedding. Default 224. */
  size?: number;
  /** The seed of the initial weights. Default 0; null leaves them zero, for weights that are loaded next. */
  seed?: number | null;
}

/** Makes a vision transformer with timm's initial distribution. The weights depend on `seed` alone. */
export function vit(name: VitName, { size = 224, seed = 0 }: VitOptions = {}): Vit {
  return new Vit(name, size, seed);
}

/** N(0, 0.02²), biases 0, as timm has it. Its truncation at ±2 is a hundred deviations away. */
const start: LinearStart = (from, to, random) => ({
  weight: normal([to, from], 0.02, random),
  bias: constant([to], 0),
});

/** Self-attention of H heads. x: [B, N, C] → the same shape. */
class Attention implements Module {
  readonly children: { readonly qkv: Linear; readonly proj: Linear };
  readonly #heads: number;

  constructor(channels: number, heads: number, randomOf: (name: string) => LayerRandom) {
    this.children = {
      qkv: new Linear(channels, 3 * channels, randomOf('attn.qkv'), start),
      proj: new Linear(channels, channels, randomOf('attn.proj'), start),
    };
    this.#heads = heads;
  }

  forward(x: Tensor): Tensor {
    const [batch, tokens, channels] = x.shape as [number, number, number];
    const own = channels / this.#heads;
    const qkv = this.children.qkv.forward(x);
    const [q, k, v] = [0, 1, 2].map((part) =>
      ops.transpose(
        ops.reshape(qkv.narrow(2, part * channels, channels), [batch, tokens, this.#heads, own]),
        1,
        2,
      ),
    ) as [Tensor, Tensor, Tensor];
    const weights = ops.softmax(ops.matmul(q.mul(own ** -0.5), ops.transpose(k, 2, 3)), -1);
    const read = ops.transpose(ops.matmul(weights, v), 1, 2);
    return this.children.proj.forward(ops.reshape(read, [batch, tokens, channels]));
  }
}

/** x + attention(norm x), then x + mlp(norm x), with a hidden layer four times as wide. x: [B, N, C]. */
class Block implements Module {
  readonly children: {
    readonly norm1: LayerNorm;
    readonly attn: Attention;
    readonly norm2: LayerNorm;
    readonly mlp: { readonly children: { readonly fc1: Linear; readonly fc2: Linear } };
  };

  constructor(channels: number, heads: number, randomOf: (name: string) => LayerRandom) {
    this.children = {
      norm1: new LayerNorm(channels, EPSILON),
      attn: new Attention(channels, heads, randomOf),
      norm2: new LayerNorm(channels, EPSILON),
      mlp: {
        children: {
          fc1: new Linear(channels, 4 * channels, randomOf('mlp.fc1'), start),
          fc2: new Linear(4 * channels, channels, randomOf('mlp.fc2'), start),
        },
      },
    };
  }

  forward(x: Tensor): Tensor {
    const { norm1, attn, norm2, mlp } = this.children;
    const { fc1, fc2 } = mlp.children;
    // What no gradient needs is freed at the end of the block: a third of it.
    return tidy(() => {
      const attended = x.add(attn.forward(norm1.forward(x)));
      return attended.add(fc2.forward(ops.gelu(fc1.forward(norm2.forward(attended)))));
    });
  }
}

export class Vit implements Backbone {
  readonly name: VitName;
  readonly channels: readonly number[];
  readonly strides = VIT_STRIDES;
  readonly batchNorm = false;
  readonly convolutions = [];
  readonly layerNorm = true;
  /** The embedding of patches and positions, and the blocks, as MAE and timm count. */
  readonly depth = 1 + BLOCKS;
  readonly parameters: { readonly cls_token: Tensor; readonly pos_embed: Tensor };
  readonly children: Readonly<Record<string, Module>>;
  readonly #size: number;
  readonly #heads: number;
  readonly #embed: Convolution;
  readonly #blocks: readonly Block[];
  readonly #norm: LayerNorm;

  constructor(name: VitName, size: number, seed: number | null) {
    if (!Number.isInteger(size) || size < 32 || size % PATCH !== 0) {
      throw new TensorError(`${name}: size is ${size}, expected a multiple of ${PATCH}, at least 32`);
    }
    const { size: channels, heads } = KINDS[name];
    const randomOf = (layer: string) => layerRandom(seed, layer);
    this.name = name;
    this.#size = size;
    this.#heads = heads;
    this.channels = this.strides.map(() => channels);
    const tokens = 1 + (size / PATCH) ** 2;
    this.parameters = {
      cls_token: normal([1, 1, channels], 1e-6, randomOf('cls_token')).setRequiresGrad(),
      pos_embed: normal([1, tokens, channels], 0.02, randomOf('pos_embed')).setRequiresGrad(),
    };
    const [inputs, random] = [3 * PATCH ** 2, randomOf('patch_embed.proj')];
    this.#embed = new Convolution({
      weight: linearUniform([channels, 3, PATCH, PATCH], inputs, random),
      bias: linearUniform([channels], inputs, random),
      stride: PATCH,
    });
    this.#blocks = Array.from(
      { length: BLOCKS },
      (_, i) => new Block(channels, heads, (layer) => randomOf(`blocks.${i}.${layer}`)),
    );
    this.#norm = new LayerNorm(channels, EPSILON);
    this.children = {
      patch_embed: { children: { proj: this.#embed } },
      blocks: { children: Object.fromEntries(this.#blocks.entries()) },
      norm: this.#norm,
    };
  }

  /** Layer 0 embeds patches and positions, then each block is a layer. The last norm comes after them. */
  layerOf(name: string): number {
    if (/^(cls_token|pos_embed|patch_embed\.)/.test(name)) return 0;
    const block = /^blocks\.(\d+)\./.exec(name)?.[1];
    return block === undefined ? this.depth : 1 + Number(block);
  }

  /** The head reads the average over the last map. */
  pooledSide(): number {
    return 1;
  }

  savedBytes(size: number, elementBytes: number): number {
    const tokens = 1 + (size / PATCH) ** 2;
    const values = tokens * this.channels[0]!;
    // The inputs of the norms, which are sums, stay f32. The linear layers keep their inputs (normed twice, what the
    // attention read, and the hidden layer), GELU its input, and the attention its queries, keys and values.
    const elements = values * (1 + 1 + 1 + 4 + 4 + 3);
    // The softmax keeps the attention's weights.
    const weights = this.#heads * tokens ** 2;
    const block = 2 * values * 4 + (elements + weights) * elementBytes;
    return BLOCKS * block + values * 4;
  }

  forward(images: Tensor): BackboneOutput {
    checkImages(this.name, images);
    if (images.size(2) !== this.#size || images.size(3) !== this.#size) {
      throw new TensorError(
        `${this.name}: images have shape [${images.shape}], expected sides of ${this.#size}, for which it has position embeddings`,
      );
    }
    const { cls_token, pos_embed } = this.parameters;
    const [batch, channels, grid] = [images.size(0), this.channels[0]!, this.#size / PATCH];
    const mapOf = (tokens: Tensor) =>
      ops.reshape(ops.transpose(tokens.narrow(1, 1, grid * grid), 1, 2), [batch, channels, grid, grid]);
    const patches = ops.transpose(ops.flatten(this.#embed.forward(images), 2, 3), 1, 2);
    let x = ops.cat([ops.expand(cls_token, [batch, -1, -1]), patches], 1).add(pos_embed);
    const maps = [mapOf(x)];
    for (const [i, block] of this.#blocks.entries()) {
      x = block.forward(x);
      // The last map comes after the final norm, as what a classifier reads does.
      if (i === BLOCKS - 1) x = this.#norm.forward(x);
      if ((i + 1) % BLOCKS_A_MAP === 0) maps.push(mapOf(x));
    }
    const features = maps.at(-1)!.mean([2, 3]);
    return { maps, pooled: ops.reshape(features, [batch, channels, 1, 1]), features };
  }
}
