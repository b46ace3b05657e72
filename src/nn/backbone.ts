/** The interface of backbones: what every one of them gives, whatever its layers are. */
import { type Tensor, TensorError } from '../tensor/index.js';
import type { Module } from './module.js';
import type { NormedConvolution, NormedOptions } from './normedConvolution.js';

/** The outputs of a backbone for a batch of images. */
export interface BackboneOutput {
  /**
   * Five maps [B, C, h, w] with h = ⌈H / stride⌉ and w alike; see `Backbone.strides`. Map 0 comes before the first
   * stage of a ResNet or a ViT, and the paper's hierarchies [1, 2, 3, 4] are the last four.
   */
  readonly maps: readonly Tensor[];
  /** What the network's own classifier reads, [B, C, s, s] with s from `Backbone.pooledSide`. */
  readonly pooled: Tensor;
  /** The last map averaged over its pixels, [B, C]. */
  readonly features: Tensor;
}

/** How the layers with batch norm work; the default is evaluation mode. */
export type ForwardOptions = NormedOptions;

/** A network of stages from images to maps. */
export interface Backbone extends Module {
  readonly name: string;
  /** The number of channels of each map. */
  readonly channels: readonly number[];
  /** The side of a pixel of each map, in pixels of the image. */
  readonly strides: readonly number[];
  /** Whether its layers have batch norm. */
  readonly batchNorm: boolean;
  /** Its convolutions that may have batch norm after them. */
  readonly convolutions: readonly NormedConvolution[];
  /** Whether its last map is layer-normalised. */
  readonly layerNorm: boolean;
  /** The number of layers, as layer-wise decay of the learning rate counts them. */
  readonly depth: number;
  /** The layer of a parameter, from 0 at the image; `depth` for one that comes after the last layer. */
  layerOf(name: string): number;
  /** The side of `pooled` for images of this side. */
  pooledSide(size: number): number;
  /** The bytes of activations that a forward pass with graph keeps for one image of this side. */
  savedBytes(size: number, elementBytes: number): number;
  /** @param images [B, 3, H, W], or [B, 1, H, W] for gray, which stands for three equal channels */
  forward(images: Tensor, options?: ForwardOptions): BackboneOutput;
}

/** The sides of maps in pixels, for images of one side. */
export function mapSides(strides: readonly number[], size: number): number[] {
  return strides.map((stride) => Math.ceil(size / stride));
}

/** @throws TensorError unless the images have one or three channels and sides of at least 32 pixels */
export function checkImages(name: string, { shape }: Tensor): void {
  if (shape.length === 4 && (shape[1] === 3 || shape[1] === 1) && shape[2]! >= 32 && shape[3]! >= 32) return;
  throw new TensorError(
    `${name}: images have shape [${shape}], expected [B, 3, H, W] or [B, 1, H, W] with H and W at least 32`,
  );
}
