/**
 * Reconstructs each image from the last map of its mate (Hervella et al. 2018, 2022): what the map does not hold of the
 * anatomy that both show, the decoder cannot paint. The images need not be embedded alike.
 */
import { z } from 'zod';
import { meanOverParts, reconstructionChance, reconstructionLoss } from '../../losses/index.js';
import { BatchNorm, Conv3x3, Linear, type Module } from '../../nn/index.js';
import { noGrad, ops, Random, type Tensor, tidy } from '../../tensor/index.js';
import type { RecordOptions, Views } from '../method.js';
import { type Normalization, withoutNormalization } from '../normalization.js';
import { imagesOf, type MatedPair, takeRows } from '../presence.js';
import { viewPart } from '../views.js';

export const reconstruction = z.strictObject({
  weight: z.number().positive().describe('Factor on the mean squared error, of pixels in 0..1.'),
  channels: z.int().min(1).describe('Channels of the decoder’s two hidden maps.'),
});

export type ReconstructionOptions = z.infer<typeof reconstruction>;

/**
 * The settings where they are left out: a decoder that is small beside VGG16, and a weight by which errors of pixels in
 * 0..1, about a hundredth, are learned at the rates that suit the other terms.
 */
export const reconstructionDefaults: ReconstructionOptions = { weight: 10, channels: 64 };

/** The side of a pixel of the reconstruction, in pixels of the image. */
const BLOCK = 4;

interface DecoderShape {
  /** The number of channels of the map. */
  readonly input: number;
  /** The side of a pixel of the map, in pixels of the image: a power of two from 8. */
  readonly stride: number;
  readonly channels: number;
  /** Whether the decoder has batch norm. */
  readonly batchNorm: boolean;
}

/**
 * ×2 → 3×3 convolution → batch norm → ReLU until a quarter of the image's side is reached, then a linear layer at every
 * pixel. The pixels are repeated and not interpolated, as on a GPU the gradient of bilinear interpolation differs from run to run.
 */
class Decoder implements Module {
  readonly children: Readonly<Record<string, Module>>;
  readonly #stages: readonly { readonly conv: Conv3x3; readonly norm?: BatchNorm }[];
  readonly #image: Linear;

  constructor({ input, stride, channels, batchNorm }: DecoderShape, randomOf: (layer: number) => Random) {
    const doublings = Math.log2(stride / BLOCK);
    this.#stages = Array.from({ length: doublings }, (_, i) => ({
      conv: new Conv3x3(i === 0 ? input : channels, channels, randomOf(i)),
      ...(batchNorm && { norm: new BatchNorm(channels) }),
    }));
    this.#image = dimmed(new Linear(channels, 3, randomOf(doublings)));
    const stages = this.#stages.map((children, i) => [`${i}`, { children }] as const);
    this.children = { ...Object.fromEntries(stages), image: this.#image };
  }

  /** @param map [n, input, h, w] @param side of the result @returns [n, 3, side, side] */
  forward(map: Tensor, side: number, { record }: RecordOptions): Tensor {
    let x = map;
    for (const [i, { conv, norm }] of this.#stages.entries()) {
      // Where a side was odd, the smaller map has half a pixel more than half of it.
      const larger = Math.ceil(side / 2 ** (this.#stages.length - 1 - i));
      x = conv.forward(ops.upsampleNearest2d(x, [larger, larger]));
      if (norm) x = norm.forward(x, { training: true, record });
      x = ops.relu_(x);
    }
    return ops.permute(this.#image.forward(ops.permute(x, [0, 2, 3, 1])), [0, 3, 1, 2]);
  }
}

/**
 * Divides a layer's weights by ten, so that the first image is nearly black: the noise of the usual weights has more
 * variance than the phantoms' images, and to unlearn it takes more steps than the rest.
 */
function dimmed(layer: Linear): Linear {
  noGrad(() =>
    tidy(() => {
      for (const parameter of Object.values(layer.parameters)) ops.mulScalar_(parameter, 0.1);
    }),
  );
  return layer;
}

interface ReconstructionShape extends DecoderShape {
  readonly modalities: readonly string[];
  readonly normalization?: Normalization | undefined;
  readonly seed: number;
}

/**
 * A decoder for each ordered pair of modalities, as what A tells of B is another function than what C tells of B. One
 * for each target would have to read the maps of A and of C alike, and so draw them together, which is L_M's part.
 */
export class Reconstruction implements Module {
  readonly children: Readonly<Record<string, Module>>;
  readonly #modalities: readonly string[];
  readonly #normalization: Normalization;
  readonly #decoders: ReadonlyMap<string, Decoder>;

  constructor({ modalities, normalization = 'none', seed, ...shape }: ReconstructionShape) {
    this.#modalities = modalities;
    this.#normalization = normalization;
    const ordered = modalities.flatMap((from) =>
      modalities.filter((to) => to !== from).map((to) => [from, to] as const),
    );
    this.#decoders = new Map(
      ordered.map(([from, to]) => {
        const randomOf = (layer: number) => new Random(seed, 'init', 'decoder', from, to, layer);
        return [decoderName(from, to), new Decoder(shape, randomOf)];
      }),
    );
    this.children = Object.fromEntries(this.#decoders);
  }

  /** Makes the targets: the un-augmented images, which are the first views, averaged over 4×4 pixels. */
  #targets({ images, pairs }: Views): Tensor {
    const count = this.#modalities.reduce((sum, modality) => sum + imagesOf(pairs, modality), 0);
    return noGrad(() => {
      const plain = withoutNormalization(images.narrow(0, 0, count), this.#normalization);
      return ops.avgPool2d(plain, [BLOCK, BLOCK], [BLOCK, BLOCK], [0, 0], false, true, null);
    });
  }

  /**
   * Reconstructs. Only images with a mate are decoded, so no other takes part in the decoders' batch norm.
   *
   * @param map the last map of the views [Σn, input, h, w]
   * @returns the un-augmented images at a quarter of the size, [Σn, C, size/4, size/4] in 0..1, without graph; and the
   *   loss, the mean over the pairs of images and both directions, undefined where no sample has two images
   */
  forward(
    map: Tensor,
    views: Views,
    mated: readonly MatedPair[],
    options: RecordOptions,
  ): { targets: Tensor; loss: Tensor | undefined } {
    const targets = this.#targets(views);
    const part = (x: Tensor, modality: string, rows: readonly number[] | undefined) =>
      takeRows(viewPart(x, views, this.#modalities.indexOf(modality)), rows);
    const loss = meanOverParts(
      mated.map(({ first, second, rows: [ofFirst, ofSecond], count }) => {
        const decode = (from: string, to: string) => this.#decoders.get(decoderName(from, to))!;
        const side = targets.size(2);
        const toSecond = decode(first, second).forward(part(map, first, ofFirst), side, options);
        const toFirst = decode(second, first).forward(part(map, second, ofSecond), side, options);
        const there = reconstructionLoss(toSecond, part(targets, second, ofSecond));
        const back = reconstructionLoss(toFirst, part(targets, first, ofFirst));
        return { value: there.add(back).div(2), count };
      }),
    );
    return { targets, loss };
  }

  /**
   * Computes what the loss is by the mean images.
   *
   * @param targets of `forward`
   * @param several pairs of modalities of which at least two samples are compared
   */
  chance(
    targets: Tensor,
    views: Pick<Views, 'specs' | 'pairs'>,
    several: readonly MatedPair[],
  ): Tensor | undefined {
    return meanOverParts(
      several.map(({ first, second, rows, count }) => {
        const [one, other] = [first, second].map((modality, i) => {
          const images = viewPart(targets, views, this.#modalities.indexOf(modality));
          return reconstructionChance(takeRows(images, rows[i]));
        });
        return { value: one!.add(other!).div(2), count };
      }),
    );
  }
}

/** The name of the decoder that reconstructs `to` from `from`. */
function decoderName(from: string, to: string): string {
  return `${from}-to-${to}`;
}
