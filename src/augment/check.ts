/** Checks of arguments that several functions of this room share. */
import { type Tensor, TensorError } from '../tensor/index.js';
import type { Box } from './box.js';

/** @throws TensorError unless `images` is [B, 1 or 3, H, W] of u8 or f32 */
export function checkImages(who: string, images: Tensor): void {
  const { shape, dtype } = images;
  if (shape.length !== 4 || (shape[1] !== 1 && shape[1] !== 3)) {
    throw new TensorError(
      `${who}: images have shape [${shape}], expected [batch, channels, height, width] with 1 or 3 channels`,
    );
  }
  if (dtype !== 'u8' && dtype !== 'f32') {
    throw new TensorError(`${who}: images have dtype ${dtype}, expected u8, or f32 in 0..1`);
  }
}

/** @throws RangeError unless there is one of `what` per image */
export function checkOnePerImage(who: string, what: string, count: number, images: Tensor): void {
  if (count !== images.size(0)) {
    throw new RangeError(`${who}: ${count} ${what} for ${images.size(0)} images, expected one per image`);
  }
}

/** @throws RangeError unless `size` is a whole number of pixels */
export function checkSide(who: string, what: string, size: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`${who}: ${what} is ${size}, expected a whole number of pixels from 1`);
  }
}

/** @throws RangeError unless there is one box per image, of whole pixels inside it */
export function checkBoxes(who: string, boxes: readonly Box[], images: Tensor): void {
  checkOnePerImage(who, 'boxes', boxes.length, images);
  const [imageHeight, imageWidth] = [images.size(2), images.size(3)];
  boxes.forEach(({ top, left, height, width }, b) => {
    if (!inside(top, height, imageHeight) || !inside(left, width, imageWidth)) {
      throw new RangeError(
        `${who}: box ${b} is top ${top}, left ${left}, height ${height}, width ${width}; ` +
          `expected whole pixels inside the image of ${imageHeight}×${imageWidth}`,
      );
    }
  });
}

function inside(start: number, length: number, side: number): boolean {
  return (
    Number.isInteger(start) && Number.isInteger(length) && start >= 0 && length >= 1 && start + length <= side
  );
}
