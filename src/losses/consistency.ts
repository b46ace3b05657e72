/**
 * Anatomical consistency (paper, Eqs. 3–6): the patches of two aligned images resemble each other in the same way.
 *
 *   s_i = Σ_{p_i} v / ‖Σ_{p_i} v‖₂                                 (3)  patch embedding
 *   A_ij = s_iᵀ s_j                                                (4)  correlation matrix, per modality
 *   L_SD = 1/(N^h N^w)² Σ_ij (A_ij^{(M_A)} − A_ij^{(M_B)})²        (5)  per pair, averaged over the batch
 *   L_C  = 1/|Q| Σ_{θ∈Q} L_SD^{(θ)}                                (6)  over the maps given
 */
import { inFullPrecision, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkOneOf } from './options.js';
import { correlation, type Images, type PatchOptions, patchEmbeddings } from './patches.js';
import { checkRelation, type RelationOptions } from './relationOptions.js';
import { relationLoss } from './relations.js';

export interface ConsistencyOptions extends PatchOptions, RelationOptions {
  /** The reduction over the maps: `mean` as in Eq. 6, or `sum` as in the authors' code. */
  reduction?: 'mean' | 'sum';
}

/**
 * L_C of Eq. 6, a scalar.
 * @param mapsA feature maps of modality A, each [B, C, H, W]
 * @param mapsB those of modality B, with the same shapes
 * @throws TensorError when the maps differ in shape or a grid is finer than its map
 */
export function consistencyLoss(
  mapsA: readonly Tensor[],
  mapsB: readonly Tensor[],
  options: ConsistencyOptions = {},
): Tensor {
  if (!Array.isArray(mapsA) || !Array.isArray(mapsB)) {
    throw new TensorError('consistencyLoss: expected two arrays of maps, one map for each layer');
  }
  if (mapsA.length !== mapsB.length) {
    throw new TensorError(
      `consistencyLoss: ${mapsA.length} maps of A and ${mapsB.length} of B, expected as many`,
    );
  }
  return overLayers(mapsA.length, options, (layer) => {
    const [mapA, mapB] = [mapsA[layer]!, mapsB[layer]!];
    if (mapA.shape.join() !== mapB.shape.join()) {
      throw new TensorError(
        `consistencyLoss: map ${layer} is [${mapA.shape}] for A and [${mapB.shape}] for B, expected equal [B, C, H, W]`,
      );
    }
    const embeddings = [mapA, mapB].map((map) => patchEmbeddings(map, layer, options));
    return inFullPrecision(embeddings, (sA, sB) => relationLoss(sA!, sB!, layer, options));
  });
}

/**
 * Computes the same loss on maps that hold A's images and then B's, [2B, C, H, W]. That takes one pass over each map,
 * and the gradient is padded from one slice less.
 *
 * @param images where in the maps they are; default: all of them
 */
export function stackedConsistencyLoss(
  maps: readonly Tensor[],
  options: ConsistencyOptions = {},
  images?: Images,
): Tensor {
  return overLayers(maps.length, options, (layer) => {
    const map = maps[layer]!;
    const { count } = images ?? { count: map.size(0) };
    if (count % 2 !== 0) {
      throw new TensorError(
        `stackedConsistencyLoss: map ${layer} holds ${count} images, expected those of A and as many of B`,
      );
    }
    return inFullPrecision([patchEmbeddings(map, layer, options, images)], (embeddings) => {
      const [sA, sB] = ops.split(embeddings!, count / 2, 0);
      return relationLoss(sA!, sB!, layer, options);
    });
  });
}

/** The mean over the maps of Eq. 6, or the sum. */
function overLayers(layers: number, options: ConsistencyOptions, loss: (layer: number) => Tensor): Tensor {
  checkOneOf('consistencyLoss', options, {
    windows: ['floor', 'adaptive'],
    normalize: ['patch', 'pixel'],
    reduction: ['mean', 'sum'],
  });
  checkRelation(options);
  if (layers === 0) throw new TensorError('consistencyLoss: no maps, expected at least one');
  const total = Array.from({ length: layers }, (_, layer) => loss(layer)).reduce((sum, term) =>
    sum.add(term),
  );
  return options.reduction === 'sum' ? total : total.div(layers);
}

/**
 * Computes Eq. 4, the similarities between the patches of one image.
 * @param map [B, C, H, W]
 * @param layer for error messages and for grids given per map
 * @returns [B, P, P] with P = N^h·N^w, patches in row-major order
 */
export function correlationMatrix(map: Tensor, layer: number, options: PatchOptions = {}): Tensor {
  return correlation(patchEmbeddings(map, layer, options));
}
