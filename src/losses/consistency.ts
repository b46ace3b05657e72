/**
 * Anatomical consistency (paper, Eqs. 3–6): the patches of two aligned images resemble each other in the same way.
 *
 *   s_i = Σ_{p_i} v / ‖Σ_{p_i} v‖₂                                     (3)  patch embedding
 *   A_ij = s_iᵀ s_j                                                    (4)  correlation matrix, per modality
 *   L_SD = 1/(N^h N^w)² Σ_ij (A_ij^{(M_A)} − A_ij^{(M_B)})²            (5)  per pair, averaged over the pairs of the batch
 *   L_C  = 1/|Q| Σ_{θ∈Q} L_SD^{(θ)}                                    (6)  over the maps given
 */
import { inFullPrecision, l2Normalize, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkOneOf } from './options.js';

export interface ConsistencyOptions {
  /** The grid [N^h, N^w] of every map, or one grid for each map. */
  patches?: readonly [number, number] | readonly (readonly [number, number])[];
  /**
   * `floor`: windows of ⌊H/N^h⌋ × ⌊W/N^w⌋ from the top left, the remainder dropped (paper, §2.3). `adaptive`: windows
   * [⌊iH/N⌋, ⌈(i+1)H/N⌉), which overlap where N does not divide H (the authors' code).
   */
  windows?: 'floor' | 'adaptive';
  /**
   * `patch`: the sum over the patch is normalised, Eq. 3. `pixel`: each pixel's vector is normalised, then averaged and not
   * normalised again, so that A_ii < 1 tells how uniform patch i is (the authors' code).
   */
  normalize?: 'patch' | 'pixel';
  /** `mse`: Eq. 5. `frobenius`: ‖A^{(M_A)} − A^{(M_B)} + 1e-6‖_F (the authors' code). */
  distance?: 'mse' | 'frobenius';
  /** Over the maps: `mean`, Eq. 6, or `sum` (the authors' code). */
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
    return inFullPrecision([mapA, mapB], (a, b) =>
      distanceBetween(correlationMatrix(a!, layer, options), correlationMatrix(b!, layer, options), options),
    );
  });
}

/**
 * The same for maps that hold A's images and then B's, [2B, C, H, W]: one pass over each map, and one slice less for its
 * gradient to be padded from.
 */
export function stackedConsistencyLoss(maps: readonly Tensor[], options: ConsistencyOptions = {}): Tensor {
  return overLayers(maps.length, options, (layer) =>
    inFullPrecision([maps[layer]!], (map) => {
      const correlation = correlationMatrix(map!, layer, options);
      const pairs = correlation.size(0) / 2;
      const [a, b] = [correlation.narrow(0, 0, pairs), correlation.narrow(0, pairs, pairs)];
      return distanceBetween(a, b, options);
    }),
  );
}

/** Eq. 6: the mean, or the sum, of a loss per map. */
function overLayers(layers: number, options: ConsistencyOptions, loss: (layer: number) => Tensor): Tensor {
  checkOneOf('consistencyLoss', options, {
    windows: ['floor', 'adaptive'],
    normalize: ['patch', 'pixel'],
    distance: ['mse', 'frobenius'],
    reduction: ['mean', 'sum'],
  });
  if (layers === 0) throw new TensorError('consistencyLoss: no maps, expected at least one');
  const total = Array.from({ length: layers }, (_, layer) => loss(layer)).reduce((sum, term) =>
    sum.add(term),
  );
  return options.reduction === 'sum' ? total : total.div(layers);
}

/** Eq. 5, averaged over the pairs. */
function distanceBetween(a: Tensor, b: Tensor, { distance = 'mse' }: ConsistencyOptions): Tensor {
  return distance === 'mse'
    ? a.sub(b).pow(2).mean()
    : ops.pairwiseDistance(ops.flatten(a, 1, 2), ops.flatten(b, 1, 2), 2, 1e-6).mean();
}

/**
 * Eq. 4: how alike the patches of one image are.
 * @param map [B, C, H, W]
 * @param layer for error messages and for grids given per map
 * @returns [B, P, P] with P = N^h·N^w, patches in row-major order
 */
export function correlationMatrix(map: Tensor, layer: number, options: ConsistencyOptions = {}): Tensor {
  const s = patchEmbeddings(map, layer, options);
  return ops.bmm(ops.transpose(s, 1, 2), s);
}

/** Eq. 3. @returns s: [B, C, P] */
function patchEmbeddings(map: Tensor, layer: number, options: ConsistencyOptions): Tensor {
  const { windows = 'floor', normalize = 'patch' } = options;
  const [rows, columns] = gridOf(layer, options);
  if (map.shape.length !== 4) {
    throw new TensorError(`consistencyLoss: map ${layer} is [${map.shape}], expected [B, C, H, W]`);
  }
  const [, , height, width] = map.shape as [number, number, number, number];
  if (rows > height || columns > width) {
    throw new TensorError(
      `consistencyLoss: a grid of ${rows}×${columns} patches is finer than map ${layer}, which is ${height}×${width}; use a coarser grid, larger images or an earlier map`,
    );
  }
  const pixels = normalize === 'pixel' ? l2Normalize(map, 1) : map;
  let patches: Tensor;
  if (windows === 'adaptive') {
    patches = ops.adaptiveAvgPool2d(pixels, [rows, columns]);
  } else {
    const window = [Math.floor(height / rows), Math.floor(width / columns)] as const;
    const covered = ops.narrow(ops.narrow(pixels, 2, 0, window[0] * rows), 3, 0, window[1] * columns);
    // Divisor 1 makes the average the sum of Eq. 3; normalised pixels are averaged.
    patches = ops.avgPool2d(covered, window, window, [0, 0], false, true, normalize === 'patch' ? 1 : null);
  }
  const vectors = ops.flatten(patches, 2, 3);
  return normalize === 'patch' ? l2Normalize(vectors, 1) : vectors;
}

function gridOf(layer: number, { patches = [4, 4] }: ConsistencyOptions): readonly [number, number] {
  const grid = Array.isArray(patches[0]) ? patches[layer] : patches;
  const valid =
    Array.isArray(grid) && grid.length === 2 && grid.every((count) => Number.isInteger(count) && count >= 1);
  if (!valid) {
    throw new TensorError(
      `consistencyLoss: patches is ${JSON.stringify(patches)}, expected [N^h, N^w] or one such grid for each map`,
    );
  }
  return grid as unknown as readonly [number, number];
}
