/**
 * ResNet-18 and ResNet-50 (He et al. 2016; in the bottlenecks of ResNet-50 the 3×3 convolution has the stride, as in
 * torchvision) at any width, with torchvision's parameter names (`layer1.0.conv1.weight`).
 */
import { ops, type Tensor, tidy } from '../tensor/index.js';
import { type Backbone, type BackboneOutput, checkImages, type ForwardOptions } from './backbone.js';
import { kaimingNormal, type LayerRandom, layerRandom } from './init.js';
import { BatchNorm, Convolution } from './layers.js';
import type { Module } from './module.js';
import { NormedConvolution } from './normedConvolution.js';
import { checkWidth } from './width.js';

/** The channels of the convolutions of each stage. A bottleneck gives four times as many. */
const PLANES = [64, 128, 256, 512] as const;
const STEM = 64;

const KINDS = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
} as const;

export type ResNetName = keyof typeof KINDS;

/** The strides of the maps: the stem's after its ReLU and before its max-pool, then those of layer1 to layer4. */
export const RESNET_STRIDES = [2, 4, 8, 16, 32] as const;

export interface ResNetOptions {
  /** The factor on every layer's channels, a multiple of 1/64. Default 1. */
  width?: number;
  /** The seed of the initial weights. Default 0; null leaves them zero, for weights that are loaded next. */
  seed?: number | null;
}

/**
 * Makes a ResNet with torchvision's initial distribution. The weights depend on `seed` alone.
 * @throws TensorError on a width that gives no whole number of channels
 */
export function resnet(name: ResNetName, { width = 1, seed = 0 }: ResNetOptions = {}): ResNet {
  return new ResNet(name, width, seed);
}

/** A convolution without bias and its batch norm. */
class Normed extends NormedConvolution<BatchNorm> {
  readonly channels: number;
  readonly stride: number;

  constructor(from: number, to: number, { kernel = 1, stride = 1 }, random: LayerRandom) {
    const weight = kaimingNormal([to, from, kernel, kernel], random);
    super(new Convolution({ weight, stride, padding: (kernel - 1) / 2 }), new BatchNorm(to));
    this.channels = to;
    this.stride = stride;
  }
}

/** A residual block: two 3×3 convolutions, or a bottleneck of 1×1, 3×3 and 1×1. */
class Block implements Module {
  readonly children: Readonly<Record<string, Module>>;
  /** The channels that the block gives. */
  readonly channels: number;
  readonly #convolutions: readonly Normed[];
  readonly #downsample: Normed | undefined;

  constructor(
    from: number,
    { planes, stride, bottleneck }: { planes: number; stride: number; bottleneck: boolean },
    randomOf: (name: string) => LayerRandom,
  ) {
    this.channels = bottleneck ? 4 * planes : planes;
    this.#convolutions = bottleneck
      ? [
          new Normed(from, planes, {}, randomOf('conv1')),
          new Normed(planes, planes, { kernel: 3, stride }, randomOf('conv2')),
          new Normed(planes, this.channels, {}, randomOf('conv3')),
        ]
      : [
          new Normed(from, planes, { kernel: 3, stride }, randomOf('conv1')),
          new Normed(planes, planes, { kernel: 3 }, randomOf('conv2')),
        ];
    if (stride !== 1 || from !== this.channels) {
      this.#downsample = new Normed(from, this.channels, { stride }, randomOf('downsample.0'));
    }
    const own = this.#convolutions.flatMap(({ conv, norm }, i): [string, Module][] => [
      [`conv${i + 1}`, conv],
      [`bn${i + 1}`, norm],
    ]);
    const shortcut = this.#downsample && {
      downsample: { children: { 0: this.#downsample.conv, 1: this.#downsample.norm } },
    };
    this.children = { ...Object.fromEntries(own), ...shortcut };
  }

  forward(x: Tensor, options: ForwardOptions): Tensor {
    // What no gradient needs is freed at the end of the block. For the same reason sum and ReLUs work in place.
    return tidy(() => {
      const last = this.#convolutions.length - 1;
      const residual = this.#convolutions.reduce((map, layer, i) => {
        return i === last ? layer.forward(map, options) : layer.forwardRelu(map, options);
      }, x);
      return ops.relu_(ops.add_(residual, this.#downsample?.forward(x, options) ?? x));
    });
  }

  get convolutions(): NormedConvolution[] {
    return [...this.#convolutions, ...(this.#downsample === undefined ? [] : [this.#downsample])];
  }

  /** The elements that the backward pass needs, of an input of this side. */
  savedElements(side: number): number {
    let at = side;
    const own = this.#convolutions.reduce((sum, { channels, stride }) => {
      at = Math.ceil(at / stride);
      // Batch norm keeps its input, and the ReLU its output, which is the next layer's input.
      return sum + 2 * channels * at * at;
    }, 0);
    return own + (this.#downsample === undefined ? 0 : this.channels * at * at);
  }
}

export class ResNet implements Backbone {
  readonly name: ResNetName;
  readonly channels: readonly number[];
  readonly strides = RESNET_STRIDES;
  readonly batchNorm = true;
  readonly layerNorm = false;
  /** The stem and the four stages. */
  readonly depth = 1 + PLANES.length;
  readonly children: Readonly<Record<string, Module>>;
  readonly #stem: Normed;
  readonly #stages: readonly (readonly Block[])[];

  constructor(name: ResNetName, width: number, seed: number | null) {
    checkWidth(name, width, STEM);
    const { blocks, bottleneck } = KINDS[name];
    const randomOf = (layer: string) => layerRandom(seed, layer);
    this.name = name;
    this.#stem = new Normed(3, STEM * width, { kernel: 7, stride: 2 }, randomOf('conv1'));
    let from = STEM * width;
    this.#stages = PLANES.map((planes, stage) =>
      Array.from({ length: blocks[stage]! }, (_, i) => {
        const stride = stage > 0 && i === 0 ? 2 : 1;
        const prefix = `layer${stage + 1}.${i}.`;
        const shape = { planes: planes * width, stride, bottleneck };
        const block = new Block(from, shape, (layer) => randomOf(prefix + layer));
        from = block.channels;
        return block;
      }),
    );
    this.channels = [STEM * width, ...this.#stages.map((stage) => stage[0]!.channels)];
    const stages = this.#stages.map((stage, i): [string, Module] => [
      `layer${i + 1}`,
      { children: Object.fromEntries(stage.entries()) },
    ]);
    this.children = { conv1: this.#stem.conv, bn1: this.#stem.norm, ...Object.fromEntries(stages) };
  }

  get convolutions(): NormedConvolution[] {
    return [this.#stem, ...this.#stages.flat().flatMap((block) => block.convolutions)];
  }

  /** The stem is layer 0, and each stage a layer. */
  layerOf(name: string): number {
    if (/^(conv1|bn1)\./.test(name)) return 0;
    return Number(/^layer(\d)\./.exec(name)?.[1] ?? this.depth);
  }

  /** The classifier reads the average over the last map. */
  pooledSide(): number {
    return 1;
  }

  savedBytes(size: number, elementBytes: number): number {
    const [stem, pooled] = [Math.ceil(size / 2), Math.ceil(size / 4)];
    const channels = this.channels[0]!;
    let elements = 2 * channels * stem ** 2;
    let side = pooled;
    for (const [stage, blocks] of this.#stages.entries()) {
      for (const block of blocks) {
        elements += block.savedElements(side);
        side = Math.ceil(size / this.strides[stage + 1]!);
      }
    }
    // The max-pool keeps its output and the places of its maxima, in i64.
    return elements * elementBytes + channels * pooled ** 2 * (elementBytes + 8);
  }

  forward(images: Tensor, options: ForwardOptions = {}): BackboneOutput {
    checkImages(this.name, images);
    const stem = this.#stem.forwardRelu(images, options);
    const maps = [stem];
    let x = ops.maxPool2d(stem, [3, 3], [2, 2], [1, 1]);
    for (const stage of this.#stages) {
      for (const block of stage) x = block.forward(x, options);
      maps.push(x);
    }
    const features = x.mean([2, 3]);
    return { maps, pooled: ops.reshape(features, [...features.shape, 1, 1]), features };
  }
}
