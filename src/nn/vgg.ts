/**
 * VGG16 (Simonyan & Zisserman 2014, configuration D) at any width, with torchvision's parameter names
 * (`features.0.weight`).
 */
import type { Tensor } from '../tensor/index.js';
import { type Backbone, type BackboneOutput, checkImages, type ForwardOptions } from './backbone.js';
import { layerRandom } from './init.js';
import { BatchNorm, Conv3x3 } from './layers.js';
import type { Module } from './module.js';
import { NormedConvolution } from './normedConvolution.js';
import { checkWidth } from './width.js';

/**
 * The output channels of the convolutions, stage by stage. Its map comes after the last ReLU. Then each stage ends with a
 * 2×2 max-pool.
 */
const STAGES = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
] as const;

/** The strides of the maps: each comes before the max-pool of its stage. */
export const VGG_STRIDES = STAGES.map((_, stage) => 2 ** stage);

export interface Vgg16Options {
  /** The factor on every layer's channels, a multiple of 1/64; the authors' code trains ¼. */
  width?: number;
  batchNorm?: boolean;
  /** The seed of the initial weights. Default 0; null leaves them zero, for weights that are loaded next. */
  seed?: number | null;
}

/**
 * Makes a backbone with fresh weights. They depend on `seed` alone and not on `manualSeed`, so the same seed gives the
 * same network.
 * @throws TensorError on a width that gives no whole number of channels
 */
export function vgg16({ width = 1, batchNorm = false, seed = 0 }: Vgg16Options = {}): Vgg16 {
  return new Vgg16(width, batchNorm, seed);
}

export class Vgg16 implements Backbone {
  readonly name: string;
  readonly channels: readonly number[];
  readonly batchNorm: boolean;
  readonly strides = VGG_STRIDES;
  readonly layerNorm = false;
  readonly depth = STAGES.flat().length;
  readonly children: { readonly features: Module };
  /** The layer of each index of `features`: that of the convolution it is, or that comes before it. */
  readonly #layers = new Map<number, number>();
  readonly #stages: NormedConvolution[][] = [];

  constructor(width: number, batchNorm: boolean, seed: number | null) {
    checkWidth('vgg16()', width, STAGES[0][0]);
    this.name = batchNorm ? 'vgg16_bn' : 'vgg16';
    this.channels = STAGES.map((stage) => stage[stage.length - 1]! * width);
    this.batchNorm = batchNorm;
    const layers: Record<string, Module> = {};
    let index = 0; // torchvision counts ReLUs and pools too
    let inChannels = 3;
    for (const stage of STAGES) {
      const made: NormedConvolution[] = [];
      for (const full of stage) {
        const outChannels = full * width;
        const conv = new Conv3x3(inChannels, outChannels, layerRandom(seed, `features.${index}`));
        const norm = batchNorm ? new BatchNorm(outChannels) : undefined;
        const layer = this.#stages.flat().length + made.length;
        layers[index] = conv;
        this.#layers.set(index, layer);
        if (norm) {
          layers[index + 1] = norm;
          this.#layers.set(index + 1, layer);
        }
        index += batchNorm ? 3 : 2;
        made.push(new NormedConvolution(conv, norm));
        inChannels = outChannels;
      }
      index += 1;
      this.#stages.push(made);
    }
    this.children = { features: { children: layers } };
  }

  get convolutions(): NormedConvolution[] {
    return this.#stages.flat();
  }

  /** Each convolution is a layer with its batch norm. */
  layerOf(name: string): number {
    return this.#layers.get(Number(/^features\.(\d+)\./.exec(name)?.[1])) ?? this.depth;
  }

  /** The last map after its max-pool is half as large. */
  pooledSide(size: number): number {
    return Math.floor(size / 32);
  }

  savedBytes(size: number, elementBytes: number): number {
    return this.#stages.reduce((bytes, layers, stage) => {
      const map = this.channels[stage]! * (size / 2 ** stage) ** 2;
      // Batch norm keeps its input, and the ReLU (in place) its output. The max-pool keeps its output and, where it is no
      // part of the batch norm's node, the places of its maxima, in i64.
      const kept = layers.reduce((count, { norm }) => count + (norm ? 2 : 1), 0);
      const places = this.batchNorm && this.channels[stage]! % 16 === 0 ? 0 : 8;
      return bytes + map * kept * elementBytes + (map / 4) * (elementBytes + places);
    }, 0);
  }

  forward(images: Tensor, options: ForwardOptions = {}): BackboneOutput {
    checkImages(this.name, images);
    const maps: Tensor[] = [];
    let x = images;
    for (const stage of this.#stages) {
      const start = x;
      // What no gradient needs is disposed of, so that its memory is used again while in the caches. Autograd keeps the rest.
      const replace = (y: Tensor) => {
        if (x !== images && (x !== start || !x.requiresGrad)) x.dispose();
        x = y;
      };
      for (const layer of stage.slice(0, -1)) replace(layer.forwardRelu(x, options));
      const { map, pooled } = stage.at(-1)!.forwardReluPool(x, options);
      maps.push(map);
      replace(pooled);
    }
    return { maps, pooled: x, features: maps[4]!.mean([2, 3]) };
  }
}
