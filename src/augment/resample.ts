import { noGrad, ops, type Tensor, tidy } from '../tensor/index.js';
import { bilinearWeights } from './bilinear.js';
import { checkImages, checkOnePerImage, checkSide } from './check.js';
import { separable } from './separable.js';

/** A rectangle of whole source pixels: rows top … top + height − 1, columns left … left + width − 1. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export interface ResampleOptions {
  /** Height and width of the result, in pixels. */
  size: number;
  /** Per image: mirror left and right. Default: none. */
  flips?: readonly boolean[] | null;
  /**
   * When shrinking, average over all pixels that fall together, as Pillow and `F.interpolate(antialias=True)` do; without
   * it, pixels are skipped. Default true.
   */
  antialias?: boolean;
}

/**
 * Crops, resizes and mirrors a batch, each image with its own box, as two matrix products per image. Equals
 * `F.interpolate(image[:, top:top+height, left:left+width], (size, size), mode='bilinear', antialias=…)`.
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
  if (boxes !== null) checkOnePerImage('resample', 'boxes', boxes.length, images);
  if (flips !== null) checkOnePerImage('resample', 'flips', flips.length, images);
  const [batch, , height, width] = images.shape as [number, number, number, number];
  boxes?.forEach((box, b) => {
    checkBox(box, b, height, width);
  });

  const whole: Box = { top: 0, left: 0, height, width };
  const alike =
    !flips?.includes(true) &&
    (boxes === null || boxes.every((b) => b.height === height && b.width === width));
  const bytes = images.dtype === 'u8';
  return tidy(() =>
    noGrad(() => {
      if (alike && height === size && width === size) {
        return bytes ? images.div(255) : ops.clone(images, 'contiguous');
      }
      const crops: readonly Box[] = alike ? [whole] : (boxes ?? new Array<Box>(batch).fill(whole));
      const { device } = images;
      const rows = bilinearWeights(
        crops.map((crop) => ({ start: crop.top, length: crop.height })),
        { side: height, size, antialias, device },
      );
      const columns = bilinearWeights(
        crops.map((crop) => ({ start: crop.left, length: crop.width })),
        { side: width, size, antialias, device, flips: flips ?? [] },
      );
      const resized = separable(images, rows, columns);
      // Clamped because weights are rounded: white may come out as 1.0000001.
      return ops.clamp_(bytes ? ops.mulScalar_(resized, 1 / 255) : resized, 0, 1);
    }),
  );
}

function checkBox(
  { top, left, height, width }: Box,
  b: number,
  imageHeight: number,
  imageWidth: number,
): void {
  const inside = (start: number, length: number, side: number): boolean =>
    Number.isInteger(start) &&
    Number.isInteger(length) &&
    start >= 0 &&
    length >= 1 &&
    start + length <= side;
  if (!inside(top, height, imageHeight) || !inside(left, width, imageWidth)) {
    throw new RangeError(
      `resample: box ${b} is top ${top}, left ${left}, height ${height}, width ${width}; ` +
        `expected whole pixels inside the image of ${imageHeight}×${imageWidth}`,
    );
  }
}
