import { type Dtype, noGrad, ops, type Tensor, tidy } from '../tensor/index.js';
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
  /** The type of the result. Default f32. Others hold what f32 would round to. */
  dtype?: Dtype;
}

/**
 * Crops, resizes and mirrors a batch, each image with its own box, as two matrix products per image; whole images on a
 * CPU by LibTorch's own resampling. The result equals
 * `F.interpolate(image[:, top:top+height, left:left+width], (size, size), mode='bilinear', antialias=…)`.
 *
 * @param images [B, C, H, W], C 1 or 3: u8, or f32 with values in 0..1
 * @param boxes one per image; null takes whole images
 * @returns [B, C, size, size], values in 0..1, always a new tensor
 */
export function resample(
  images: Tensor,
  boxes: readonly Box[] | null,
  { size, flips = null, antialias = true, dtype = 'f32' }: ResampleOptions,
): Tensor {
  checkImages('resample', images);
  checkSide('resample', 'size', size);
  if (boxes !== null) checkBoxes('resample', boxes, images);
  if (flips !== null) checkOnePerImage('resample', 'flips', flips.length, images);
  const [batch, , height, width] = images.shape as [number, number, number, number];
  const all: Box = { top: 0, left: 0, height, width };
  const perImage = images.size(1) * Math.max(height * width, size * size);
  const whole =
    !flips?.includes(true) &&
    (boxes === null || boxes.every((box) => box.height === height && box.width === width));

  return noGrad(() => {
    if (whole && height === size && width === size) {
      // Every byte is a bf16 and an f16 as it is, so that the division rounds once, as it does of f32.
      if (images.dtype === 'u8')
        return tidy(() => (dtype === 'f32' ? images : images.to({ dtype })).div(255));
      return tidy(() => ops.clone(images, 'contiguous').to({ dtype }));
    }
    if (whole && antialias && images.device === 'cpu') {
      const resize = (slice: Tensor) => tidy(() => resizeWhole(slice, size).to({ dtype }));
      return inSlices(images, perImage, resize, imageByImage);
    }
    const crops = boxes ?? new Array<Box>(batch).fill(all);
    return inSlices(images, perImage, (slice, start, end) =>
      tidy(() => {
        // One pair of weights serves images that are all whole and not mirrored.
        const own = whole ? [all] : crops.slice(start, end);
        return resampleSlice(slice, own, flips?.slice(start, end) ?? [], size, antialias).to({ dtype });
      }),
    );
  });
}

/** LibTorch resizes one image after another, so that slices only bound the memory: 64 MB of f32. */
const imageByImage = 2 ** 24;

/** Of whole images every product with dense weights would be mostly of zeros, eight times as slow at 448² → 224². */
function resizeWhole(images: Tensor, size: number): Tensor {
  const bytes = images.dtype === 'u8';
  // The floats go at once, so that the next pass over memory finds theirs in the caches.
  const resized = tidy(() =>
    ops.upsampleBilinear2dAntialiased(bytes ? images.to({ dtype: 'f32' }) : images, [size, size], false),
  );
  return inRange(resized, bytes);
}

function resampleSlice(
  images: Tensor,
  crops: readonly Box[],
  flips: readonly boolean[],
  size: number,
  antialias: boolean,
): Tensor {
  const [, , height, width] = images.shape as [number, number, number, number];
  const { device } = images;
  const rows = bilinearWeights(
    crops.map((crop) => ({ start: crop.top, length: crop.height })),
    { side: height, size, antialias, device },
  );
  const columns = bilinearWeights(
    crops.map((crop) => ({ start: crop.left, length: crop.width })),
    { side: width, size, antialias, flips, device },
  );
  return inRange(separable(images, rows, columns), images.dtype === 'u8');
}

/**
 * Brings resized values to 0..1, in place. Bytes are divided as those of images that keep their size, for the same
 * bits. White may be 1.0000001, as weights are rounded.
 */
function inRange(resized: Tensor, bytes: boolean): Tensor {
  return ops.clamp_(bytes ? ops.divScalar_(resized, 255) : resized, 0, 1);
}
