/**
 * The comparison of patch relations without P×P matrices. The paper's measure is a function of Gram matrices, and
 *
 *   ‖S_Aᵀ S_A − S_Bᵀ S_B‖²_F = ‖S_A S_Aᵀ‖²_F + ‖S_B S_Bᵀ‖²_F − 2‖S_A S_Bᵀ‖²_F          with S: [C, P]
 *
 * needs C×C matrices only, so patches may be as small as single pixels. Near 0 the three terms cancel, and in f32 only
 * noise would remain. So products and sums are f64.
 */
import { ops, type Tensor } from '../tensor/index.js';

/** Eq. 5, the mean over the pairs. @param sA [B, C, P] @param sB [B, C, P] @returns a scalar, in the dtype of sA */
export function gramCorrelationLoss(sA: Tensor, sB: Tensor): Tensor {
  const [a, b] = [sA.to({ dtype: 'f64' }), sB.to({ dtype: 'f64' })];
  const patches = sA.size(2);
  const squares = crossGram(a, a).add(crossGram(b, b)).sub(crossGram(a, b).mul(2));
  return ops
    .clampMin(squares, 0) // rounding alone makes it negative
    .div(patches ** 2)
    .mean()
    .to({ dtype: sA.dtype });
}

/** ‖X Yᵀ‖²_F = ⟨XᵀX, YᵀY⟩ of each pair. @param x [B, C, P] @param y [B, C, P] @returns [B] */
export function crossGram(x: Tensor, y: Tensor): Tensor {
  return ops
    .bmm(x, ops.transpose(y, 1, 2))
    .pow(2)
    .sum([1, 2]);
}
