import { ops, type Tensor, tensor, tidy } from '../tensor/index.js';

/**
 * Applies `change` to the images that have a parameter, all of them at once. It takes over `images`, which is written
 * to or freed, so that only the result can be used.
 *
 * @param images [B, …], owned by the caller
 * @param parameters one per image; null leaves the image as it is
 * @param change makes new images of the same shape of images [n, …] and their n parameters
 */
export function changeSome<P extends {}>(
  images: Tensor,
  parameters: readonly (P | null)[],
  change: (some: Tensor, parameters: readonly P[]) => Tensor,
): Tensor {
  const present = parameters.filter((parameter) => parameter !== null);
  if (present.length === 0) return images;
  if (present.length === parameters.length) {
    const changed = change(images, present);
    images.dispose();
    return changed;
  }
  return tidy(() => {
    const places = parameters.flatMap((parameter, b) => (parameter === null ? [] : [b]));
    const index = tensor(places, [places.length], { dtype: 'i64', device: images.device });
    return ops.indexCopy_(images, 0, index, change(ops.indexSelect(images, 0, index), present));
  });
}
