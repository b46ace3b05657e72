/** Computes L_C pair by pair, where the loss itself gives only the mean over a batch. */
import { type ConsistencyOptions, patchEmbeddings, relationLoss } from '../../../losses/index.js';
import { inFullPrecision, type Tensor, tidy } from '../../../tensor/index.js';

/**
 * Computes the patch embeddings of the maps that L_C compares.
 * @param maps of one modality, [B, C, H, W] each
 * @returns [B, C, P] each, at least f32
 */
export function patchesOf(maps: readonly Tensor[], options: ConsistencyOptions): Tensor[] {
  return maps.map((map, layer) => inFullPrecision([map], (whole) => patchEmbeddings(whole!, layer, options)));
}

/**
 * L_C of Eq. 6 for pair i of A with pair j of B. Its mean over mates is `consistencyLoss`.
 * @param a patch embeddings of A, [B, C, P] for each map
 */
export function consistencyBetween(
  a: readonly Tensor[],
  i: number,
  b: readonly Tensor[],
  j: number,
  options: ConsistencyOptions,
): number {
  return tidy(() => {
    const layers = a.map((sA, layer) =>
      relationLoss(sA.narrow(0, i, 1), b[layer]!.narrow(0, j, 1), layer, options).item(),
    );
    const sum = layers.reduce((total, loss) => total + loss, 0);
    return options.reduction === 'sum' ? sum : sum / layers.length;
  });
}
