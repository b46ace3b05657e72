/**
 * The comparison of two images by how much their patches resemble each other, whichever patches these are: the squared
 * Wasserstein-2 distance between the distributions of similarities. In one dimension it is the mean squared difference
 * of the sorted values,
 *
 *   L = 1/(P(P − 1)) Σ_k (a_(k) − b_(k))²        with a_(1) ≤ a_(2) ≤ … of A_ij^{(M_A)}, i ≠ j, and so b
 */
import { ops, type Tensor } from '../tensor/index.js';

/**
 * The distance of each pair, averaged over the pairs. A single patch has nothing to be alike to: its loss is 0.
 *
 * @param a similarities [B, P, P]
 * @param b similarities [B, P, P]
 */
export function alignmentFreeLoss(a: Tensor, b: Tensor): Tensor {
  const [batch, patches] = a.shape as [number, number];
  const count = Math.max(1, batch * patches * (patches - 1));
  return sortedRelations(a).sub(sortedRelations(b)).pow(2).sum().div(count);
}

/** The similarities of different patches in ascending order, each twice. @param a [B, P, P] @returns [B, P(P − 1)] */
function sortedRelations(a: Tensor): Tensor {
  const [batch, patches] = a.shape as [number, number];
  // Without the first value, every (P + 1)th one is of the diagonal.
  const rest = ops.narrow(ops.flatten(a, 1, 2), 1, 1, patches ** 2 - 1);
  const rows = ops.reshape(rest, [batch, patches - 1, patches + 1]);
  const others = ops.flatten(ops.narrow(rows, 2, 0, patches), 1, 2);
  const [sorted] = ops.sortStable(others, true, 1, false);
  return sorted!;
}
