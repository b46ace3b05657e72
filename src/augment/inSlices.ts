import { ops, type Tensor, tidy } from '../tensor/index.js';

/** Values worked on at once: 8 MB of f32, which is near the caches' size and enough to fill a GPU. */
const nearCaches = 2 ** 21;

/**
 * Runs `body` on consecutive slices of a batch and joins the results. A chain of operators that each pass over all of a
 * large batch waits for memory and holds many copies of it, while a slice stays in the cache. A small batch is one
 * slice.
 *
 * @param images [B, …]
 * @param perImage the number of values that the largest intermediate result holds for each image
 * @param body computes the results of images start … end − 1
 * @param budget the number of values worked on at once
 */
export function inSlices(
  images: Tensor,
  perImage: number,
  body: (slice: Tensor, start: number, end: number) => Tensor,
  budget = nearCaches,
): Tensor {
  const batch = images.size(0);
  const length = Math.max(1, Math.floor(budget / perImage));
  if (batch <= length) return body(images, 0, batch);
  return tidy(() => {
    const parts: Tensor[] = [];
    for (let start = 0; start < batch; start += length) {
      const end = Math.min(batch, start + length);
      parts.push(tidy(() => body(images.narrow(0, start, end - start), start, end)));
    }
    return ops.cat(parts, 0);
  });
}
