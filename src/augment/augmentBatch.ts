import { noGrad, type Tensor, tidy } from '../tensor/index.js';
import { blurKernelSize, gaussianBlur } from './blur.js';
import { changeSome } from './changeSome.js';
import { checkBoxes, checkImages, checkOnePerImage, checkSide } from './check.js';
import { colorJitter } from './colorJitter.js';
import type { Draw } from './draw.js';
import { inSlices } from './inSlices.js';
import { grayscale } from './photometry.js';
import { resample } from './resample.js';

/**
 * Carries out the draws, each on its image: crop, flip, jitter and grayscale, blur. Nothing random happens here, and an
 * image's result does not depend on the others in the batch. This holds to the last bit where the matrix product of one
 * image is computed alike in every batch, as LibTorch does on a CPU; a GPU's BLAS may choose its kernel by the batch's
 * size.
 *
 * @param images [B, C, H, W], C 1 or 3: u8, or f32 in 0..1
 * @param draws one per image
 * @param size the side of the result, in pixels
 * @returns [B, C, size, size], f32 in 0..1, contiguous, on the device of `images`
 */
export function augmentBatch(images: Tensor, draws: readonly Draw[], { size }: { size: number }): Tensor {
  checkImages('augmentBatch', images);
  checkSide('augmentBatch', 'size', size);
  checkOnePerImage('augmentBatch', 'draws', draws.length, images);
  checkBoxes(
    'augmentBatch',
    draws.map((draw) => draw.box),
    images,
  );
  const perImage = images.size(1) * Math.max(images.size(2) * images.size(3), size * size);
  return noGrad(() =>
    inSlices(images, perImage, (slice, start, end) =>
      tidy(() => augmentSlice(slice, draws.slice(start, end), size)),
    ),
  );
}

function augmentSlice(images: Tensor, draws: readonly Draw[], size: number): Tensor {
  const boxes = draws.map((draw) => draw.box);
  const flips = draws.map((draw) => draw.flip);
  const jitters = draws.map((draw) => draw.jitter);
  const sigmas = draws.map((draw) => draw.blurSigma);
  let current = resample(images, boxes, { size, flips });
  current = loseColour(current, draws, true);
  current = colorJitter(current, jitters);
  current = loseColour(current, draws, false);
  const kernelSize = blurKernelSize(size);
  if (kernelSize === 1) return current;
  return changeSome(current, sigmas, (some, chosen) => gaussianBlur(some, chosen, kernelSize));
}

/** Makes those images gray that are to lose their colour at this point. */
function loseColour(images: Tensor, draws: readonly Draw[], first: boolean): Tensor {
  if (images.size(1) === 1) return images;
  const losing = draws.map((draw) => (draw.grayscale && draw.grayscaleFirst === first ? true : null));
  return changeSome(images, losing, grayscale);
}
