/**
 * Compares patches of the images themselves, to see whether they agree across modalities before anything is learned
 * (Fig. 1b).
 */
import { correlation, patchEmbeddings } from '../../../losses/index.js';
import { ops, type Tensor } from '../../../tensor/index.js';

/** The ways to compare patches of pixels, in the order in which they are reported. */
export const pixelPatches = ['patch-mean', 'patch-pixels'] as const;
export type PixelPatches = (typeof pixelPatches)[number];

/**
 * Computes how alike the patches of each image are.
 * - `patch-mean`: minus the distance of their mean values (colours), so that only the order means something.
 * - `patch-pixels`: cosine of all their pixels (Eqs. 3 and 4 with pixels for features, each at its own place).
 *
 * @param images u8 [B, C, S, S]
 * @returns [B, P, P], patches of ⌊S/grid⌋² pixels in row-major order
 */
export function pixelSimilarities(images: Tensor, grid: number, by: PixelPatches): Tensor {
  const [batch, channels, side] = images.shape as [number, number, number, number];
  const window = Math.floor(side / grid);
  const covered = ops
    .narrow(ops.narrow(images, 2, 0, window * grid), 3, 0, window * grid)
    .to({ dtype: 'f32' })
    .div(255);
  if (by === 'patch-mean') {
    const means = ops.flatten(
      ops.avgPool2d(covered, [window, window], [window, window], [0, 0], false, true, null),
      2,
      3,
    );
    const difference = ops.unsqueeze(means, 2).sub(ops.unsqueeze(means, 3)); // [B, C, P, P]
    return ops.vectorNorm(difference, 2, [1], false).neg();
  }
  const cells = ops.reshape(covered, [batch, channels, grid, window, grid, window]);
  const byPatch = ops.permute(cells, [0, 1, 3, 5, 2, 4]); // [B, C, w, w, N, N]
  const vectors = ops.reshape(byPatch, [batch, channels * window * window, grid, grid]);
  return correlation(patchEmbeddings(vectors, 0, { patches: [grid, grid] }));
}
