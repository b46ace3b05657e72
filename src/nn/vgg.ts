/**
 * VGG16 (Simonyan & Zisserman 2014, configuration D) at any width, with torchvision's parameter names
 * (`features.0.weight`).
 */
import { ops, Random, type Tensor, TensorError } from '../tensor/index.js';
import { BatchNorm, Conv3x3 } from './layers.js';
import type { Module } from './module.js';

/** The output channels of the convolutions, stage by stage. Each stage ends with a 2×2 max-pool. */
const STAGES = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
] as const;

export interface Vgg16Options {
  /** The factor on every layer's channels; the authors' code trains ¼. */
  width?: 1 | 0.5 | 0.25 | 0.125;
  batchNorm?: boolean;
  /** The seed of the initial weights. */
  seed?: number;
}

/** The outputs of a backbone for a batch of images. */
export interface BackboneOutput {
  /**
   * Each stage's output after its last ReLU and before its max-pool, [B, C, H, W] with H halving from stage to stage
   * (at 224: 224, 112, 56, 28, 14). The paper's hierarchies [1, 2, 3, 4] are the last four of these five, counted from
   * 0.
   */
  readonly maps: readonly Tensor[];
  /** The last map after its max-pool, [B, C, H/32, W/32]. */
  readonly pooled: Tensor;
  /** The last map averaged over its pixels, [B, C]. */
  readonly features: Tensor;
}

export interface ForwardOptions {
  /** If true, batch norm uses the batch's statistics and records them. */
  training?: boolean;
  /** If false, batch norm uses the batch's statistics and does not record them. */
  record?: boolean;
  /** The weight of this batch in the running statistics; see BatchNorm. */
  momentum?: number;
}

/** A network of stages from images to maps. */
export interface Backbone extends Module {
  readonly name: string;
  /** The number of channels of each map. */
  readonly channels: readonly number[];
  /** Whether its layers have batch norm. */
  readonly batchNorm: boolean;
  /** The bytes of activations that a forward pass with graph keeps for one image of this side. */
  savedBytes(size: number, elementBytes: number): number;
  /** @param images [B, 3, H, W], or [B, 1, H, W] for gray, which stands for three equal channels */
  forward(images: Tensor, options?: ForwardOptions): BackboneOutput;
}

/**
 * Makes a backbone with fresh weights. They depend on `seed` alone and not on `manualSeed`, so the same seed gives the
 * same network.
 * @throws TensorError on an unknown width
 */
export function vgg16({ width = 1, batchNorm = false, seed = 0 }: Vgg16Options = {}): Vgg16 {
  return new Vgg16(width, batchNorm, seed);
}

export class Vgg16 implements Backbone {
  readonly name: string;
  readonly channels: readonly number[];
  readonly batchNorm: boolean;
  readonly children: { readonly features: Module };
  readonly #stages: { conv: Conv3x3; norm: BatchNorm | undefined }[][] = [];

  constructor(width: number, batchNorm: boolean, seed: number) {
    if (![1, 0.5, 0.25, 0.125].includes(width)) {
      throw new TensorError(`vgg16(): width is ${width}, expected 1, 0.5, 0.25 or 0.125`);
    }
    this.name = batchNorm ? 'vgg16_bn' : 'vgg16';
    this.channels = STAGES.map((stage) => stage[stage.length - 1]! * width);
    this.batchNorm = batchNorm;
    const layers: Record<string, Module> = {};
    let index = 0; // torchvision counts ReLUs and pools too
    let inChannels = 3;
    for (const stage of STAGES) {
      const made: { conv: Conv3x3; norm: BatchNorm | undefined }[] = [];
      for (const full of stage) {
        const outChannels = full * width;
        const conv = new Conv3x3(inChannels, outChannels, new Random(seed, 'init', `features.${index}`));
        const norm = batchNorm ? new BatchNorm(outChannels) : undefined;
        layers[index] = conv;
        if (norm) layers[index + 1] = norm;
        index += batchNorm ? 3 : 2;
        made.push({ conv, norm });
        inChannels = outChannels;
      }
      index += 1;
      this.#stages.push(made);
    }
    this.children = { features: { children: layers } };
  }

  savedBytes(size: number, elementBytes: number): number {
    return this.#stages.reduce((bytes, layers, stage) => {
      const map = this.channels[stage]! * (size / 2 ** stage) ** 2;
      // Batch norm keeps its input, and the ReLU (in place) its output. The max-pool keeps its output and the places of
      // its maxima, in i64.
      const kept = layers.reduce((count, { norm }) => count + (norm ? 2 : 1), 0);
      return bytes + map * kept * elementBytes + (map / 4) * (elementBytes + 8);
    }, 0);
  }

  forward(images: Tensor, { training = false, momentum, record }: ForwardOptions = {}): BackboneOutput {
    const { shape } = images;
    if (shape.length !== 4 || (shape[1] !== 3 && shape[1] !== 1) || shape[2]! < 32 || shape[3]! < 32) {
      throw new TensorError(
        `${this.name}: images have shape [${shape}], expected [B, 3, H, W] or [B, 1, H, W] with H and W at least 32`,
      );
    }
    const maps: Tensor[] = [];
    let x = images;
    for (const stage of this.#stages) {
      for (const { conv, norm } of stage) {
        x = conv.forward(x);
        if (norm) x = norm.forward(x, { training, momentum, record });
        // The ReLU works in place, as no gradient needs the values before it. That saves a pass over fresh memory.
        x = ops.relu_(x);
      }
      maps.push(x);
      x = ops.maxPool2d(x, [2, 2], [2, 2]);
    }
    return { maps, pooled: x, features: maps[4]!.mean([2, 3]) };
  }
}
