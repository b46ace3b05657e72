import { noGrad, ops, type Tensor, tidy } from '../tensor/index.js';
import { bilinearWeights } from './bilinear.js';
import type { Box } from './box.js';
import { checkBoxes, checkImages, checkOnePerImage, checkSide } from './check.js';
import { inSlices } from './inSlices.js';
import { separable } from './separable.js';

export interface ResampleOptions {
  /** The height and width of the result, in pixels. */
  size: number;
  /** Whether to mirror left and right, for each image. Default: none. */
  flips?: readonly boolean[] | null;
  /**
   * Whether shrinking averages over all pixels that fall together, as Pillow and `F.interpolate(antialias=True)` do,
   * instead of skipping pixels. Default true.
   */
  antialias?: boolean;
}

/**
 * Crops, resizes and mirrors a batch, each image with its own box, as two matrix products per image; whole images on a
 * CPU by LibTorch's own resampling. The result equals
 * `F.interpolate(image[:, top:top+height, left:left+width], (size, size), mode='bilinear', antialias=…)`.
 *
 * @param images [B, C, H, W], C 1 or 3: u8, or f32 with values in 0..1
 * @param boxes one per image; null takes whole images
 * @returns [B, C, size, size], f32 in 0..1, always a new tensor
 */
export function resample(
  images: Tensor,
  boxes: readonly Box[] | null,
  { size, flips = null, antialias = true }: ResampleOptions,
): Tensor {
  checkImages('resample', images);
  checkSide('resample', 'size', size);
  if (boxes !== null) checkBoxes('resample', boxes, images);
  if (flips !== null) checkOnePerImage('resample', 'flips', flips.length, images);
  const [height, width] = [images.size(2), images.size(3)];

  return noGrad(() =>
    inSlices(images, images.size(1) * Math.max(height * width, size * size), (slice, start, end) =>
      tidy(() =>
        resampleSlice(
          slice,
          boxes?.slice(start, end) ?? null,
          flips?.slice(start, end) ?? [],
          size,
          antialias,
        ),
      ),
    ),
  );
}

function resampleSlice(
  images: Tensor,
  boxes: readonly Box[] | null,
  flips: readonly boolean[],
  size: number,
  antialias: boolean,
): Tensor {
  const [batch, , height, width] = images.shape as [number, number, number, number];
  const { device } = images;
  const bytes = images.dtype === 'u8';
  const whole: Box = { top: 0, left: 0, height, width };
  const alike =
    !flips.includes(true) &&
    (boxes === null || boxes.every((box) => box.height === height && box.width === width));
  if (alike && height === size && width === size) {
    return bytes ? images.div(255) : ops.clone(images, 'contiguous');
  }
  if (alike && antialias && device === 'cpu') {
    // Of whole images every product with dense weights would be mostly of zeros, eight times as slow at 448² → 224².
    const resized = ops.upsampleBilinear2dAntialiased(
      bytes ? images.to({ dtype: 'f32' }) : images,
      [size, size],
      false,
    );
    return inRange(resized, bytes);
  }
  const crops = alike ? [whole] : (boxes ?? new Array<Box>(batch).fill(whole));
  const rows = bilinearWeights(
    crops.map((crop) => ({ start: crop.top, length: crop.height })),
    { side: height, size, antialias, device },
  );
  const columns = bilinearWeights(
    crops.map((crop) => ({ start: crop.left, length: crop.width })),
    { side: width, size, antialias, flips, device },
  );
  return inRange(separable(images, rows, columns), bytes);
}

/**
 * Brings resized values to 0..1, in place. Bytes are divided as those of images that keep their size, for the same
 * bits. White may be 1.0000001, as weights are rounded.
 */
function inRange(resized: Tensor, bytes: boolean): Tensor {
  return ops.clamp_(bytes ? ops.divScalar_(resized, 255) : resized, 0, 1);
}
