/** The registry of backbones, one definition each. */
import { TensorError } from '../tensor/index.js';
import type { Backbone } from './backbone.js';
import { RESNET_STRIDES, resnet } from './resnet.js';
import { VGG_STRIDES, vgg16 } from './vgg.js';
import { PATCH, VIT_STRIDES, vit } from './vit.js';
import { widthFault } from './width.js';

/** The shapes of the tensors of a file, by the names that they have in the public implementation. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

export interface BackboneShape {
  /** The factor on all channels. */
  readonly width: number;
  /** The side of the square images in pixels, a multiple of 16 and at least 32. */
  readonly size: number;
  /** The seed of the initial weights; null leaves them zero, for weights that are loaded next. */
  readonly seed: number | null;
}

/** What is known of a backbone before it is made. */
export interface BackboneDefinition {
  readonly name: string;
  /** The side of a pixel of each map, in pixels of the image. */
  readonly strides: readonly number[];
  readonly batchNorm: boolean;
  /** What layer-wise decay of the learning rate takes for its layers. */
  readonly layers: string;
  /** The normalisation of the images that its public weights expect, torchvision's as well as DINO's and MAE's. */
  readonly normalization: 'imagenet';
  /** Words what is wrong with a width, undefined where nothing is. */
  widthFault(width: number): string | undefined;
  /** Tells the width of weights that are this backbone's by their names and shapes; undefined of others. */
  widthOf(shapes: Shapes): number | undefined;
  /** Makes it with fresh weights, which depend on the seed alone. @throws TensorError on a width it cannot have */
  make(shape: BackboneShape): Backbone;
}

/** The channels of the narrowest layer at width 1, of VGG16 and the ResNets alike. */
const NARROWEST = 64;

function vggDefinition(batchNorm: boolean): BackboneDefinition {
  // torchvision's index of the last convolution, and one that only deeper networks have.
  const [last, beyond] = batchNorm ? [40, 43] : [28, 30];
  return {
    name: batchNorm ? 'vgg16_bn' : 'vgg16',
    strides: VGG_STRIDES,
    batchNorm,
    layers: 'the 13 convolutions of VGG16',
    normalization: 'imagenet',
    widthFault: (width) => widthFault(width, NARROWEST),
    widthOf: (shapes) => {
      const first = shapes.get('features.0.weight');
      const own = first?.length === 4 && shapes.get(`features.${last}.weight`)?.length === 4;
      const deeper = [...shapes.keys()].some((name) => indexOf(name) >= beyond);
      return own && !deeper ? first[0]! / NARROWEST : undefined;
    },
    make: ({ width, seed }) => vgg16({ width, batchNorm, seed }),
  };
}

const indexOf = (name: string): number => Number(/^features\.(\d+)\./.exec(name)?.[1] ?? -1);

/** @param shape the blocks of the third stage, and the convolutions of a block */
function resnetDefinition(
  name: 'resnet18' | 'resnet50',
  shape: { third: number; convolutions: number },
): BackboneDefinition {
  const { third, convolutions } = shape;
  return {
    name,
    strides: RESNET_STRIDES,
    batchNorm: true,
    layers: 'the stem and the four stages of a ResNet',
    normalization: 'imagenet',
    widthFault: (width) => widthFault(width, NARROWEST),
    widthOf: (shapes) => {
      const has = (layer: string) => shapes.has(`layer3.${layer}.weight`);
      const own =
        has(`${third - 1}.conv${convolutions}`) &&
        !has(`${third}.conv1`) &&
        !has(`0.conv${convolutions + 1}`);
      const stem = shapes.get('conv1.weight');
      return own && stem?.length === 4 ? stem[0]! / NARROWEST : undefined;
    },
    make: ({ width, seed }) => resnet(name, { width, seed }),
  };
}

function vitDefinition(name: 'vit_s16' | 'vit_b16', channels: number): BackboneDefinition {
  return {
    name,
    strides: VIT_STRIDES,
    batchNorm: false,
    layers: 'the embedding and the 12 blocks of a ViT',
    normalization: 'imagenet',
    widthFault: (width) =>
      width === 1 ? undefined : 'expected 1: a ViT has one width; choose vit_s16 or vit_b16',
    widthOf: (shapes) => {
      const patches = shapes.get('patch_embed.proj.weight');
      return patches?.[0] === channels && patches[2] === PATCH ? 1 : undefined;
    },
    make: ({ size, seed }) => vit(name, { size, seed }),
  };
}

const definitions = [
  vggDefinition(false),
  vggDefinition(true),
  resnetDefinition('resnet18', { third: 2, convolutions: 2 }),
  resnetDefinition('resnet50', { third: 6, convolutions: 3 }),
  vitDefinition('vit_s16', 384),
  vitDefinition('vit_b16', 768),
];

export const backboneNames: readonly string[] = definitions.map(({ name }) => name);

/** Finds a backbone by name. @throws TensorError where there is none */
export function backboneNamed(name: string): BackboneDefinition {
  const found = definitions.find((definition) => definition.name === name);
  if (found === undefined) {
    throw new TensorError(`no backbone ${name}, expected one of ${backboneNames.join(', ')}`);
  }
  return found;
}

/** Names the backbone and the width of public or own weights; undefined where they are of none. */
export function recognizeBackbone(shapes: Shapes): { name: string; width: number } | undefined {
  for (const { name, widthOf } of definitions) {
    const width = widthOf(shapes);
    if (width !== undefined) return { name, width };
  }
  return undefined;
}
