/**
 * DeCUR (Wang et al. 2024), which is Barlow Twins (Zbontar et al. 2021) within each modality, and between modalities for
 * some of the components:
 *
 *   z̄ = (z − mean z) / √(var z + 1e-5)                     each of the d components over the N samples, biased variance
 *   C^XY = z̄_Xᵀ z̄_Y / N                                     [d, d]
 *   BT(X, Y) = Σ_k (1 − C_kk)² + λ Σ_{k≠l} C_kl²
 *   L_c = Σ_{k≤d_c} (1 − C_kk)² + λ Σ_{k≠l≤d_c} C_kl²      of C^AB, the components that A and B have in common
 *   L_u = Σ_{k>d_c} C_kk² + λ Σ_{k≠l>d_c} C_kl²            of C^AB, the components that each has to itself
 *   L = ⅓ [BT(A, Â) + BT(B, B̂) + ½ (L_c + L_u)]            A and Â: two augmented views of one modality
 *
 * With more modalities, or gaps, BT is a mean over all images and L_c and L_u are means over all pairs of images of a
 * sample, so that L = ⅔ BT + ⅙ (L_c + L_u). N is the number of samples compared, of the whole batch.
 */
import { ops, type Tensor, TensorError } from '../tensor/index.js';
import { crossCorrelation } from './crossCorrelation.js';
import { meanOverParts } from './meanOverParts.js';

export interface RedundancyOptions {
  /** The weight λ of the correlations between different components. */
  lambda?: number;
}

export interface DecurOptions extends RedundancyOptions {
  /** The number d_c of components that the modalities have in common, the first ones; 0 to d. */
  common: number;
}

/** The embeddings of two views of the images of one modality, [n, d] each, raw. */
export type TwoViews = readonly [Tensor, Tensor];

/** Two modalities by their number, and the samples that have both. */
export interface DecurPair {
  readonly first: number;
  readonly second: number;
  /** The rows of the samples among those of the first modality and of the second, i64 [n]; undefined: all rows. */
  readonly rows?: readonly [Tensor | undefined, Tensor | undefined];
}

/** The parts of the loss, scalars without weights. One that has nothing to compare is left out. */
export interface DecurTerms<T = Tensor> {
  /** The mean of BT over the images. */
  readonly intra?: T;
  /** The mean of L_c over the pairs of images. */
  readonly common?: T;
  /** The mean of L_u over the pairs of images. */
  readonly unique?: T;
}

/** The factor of each part in the loss. */
export const DECUR_WEIGHTS = { intra: 2 / 3, common: 1 / 6, unique: 1 / 6 } as const;

/** The λ of both sources. */
const LAMBDA = 0.0051;

/**
 * BT(X, Y) of Barlow Twins.
 *
 * @param x [N, d], raw, N ≥ 2
 * @param y [N, d], raw, row i of the same sample
 * @returns a scalar
 * @throws TensorError when the shapes differ, or there is one sample
 */
export function barlowTwins(x: Tensor, y: Tensor, { lambda = LAMBDA }: RedundancyOptions = {}): Tensor {
  return distanceFrom(1, crossCorrelation('barlowTwins', x, y), lambda);
}

/**
 * The parts of DeCUR's loss. What fewer than two samples have is left out, as it has no correlation.
 *
 * @param modalities at least one
 * @param pairs the pairs of modalities, whose first views are compared; without any, BT is all there is
 * @throws TensorError when shapes differ, or there are not as many components as are to be common
 */
export function decurTerms(
  modalities: readonly TwoViews[],
  pairs: readonly DecurPair[],
  { common, lambda = LAMBDA }: DecurOptions,
): DecurTerms {
  if (modalities.length === 0) throw new TensorError('decur: no modality, expected at least one');
  const components = modalities[0]![0].size(1);
  if (!Number.isInteger(common) || common < 0 || common > components) {
    throw new TensorError(`decur: common is ${common}, expected a whole number from 0 to ${components}`);
  }
  const intra = modalities
    .filter(([x]) => x.size(0) > 1)
    .map(([x, y]) => ({ value: barlowTwins(x, y, { lambda }), count: x.size(0) }));
  const crossed = pairs
    .map(({ first, second, rows: [rowsOfFirst, rowsOfSecond] = [undefined, undefined] }) => {
      return [
        chosen(modalities[first]![0], rowsOfFirst),
        chosen(modalities[second]![0], rowsOfSecond),
      ] as const;
    })
    .filter(([x]) => x.size(0) > 1)
    .map(([x, y]) => ({ correlation: crossCorrelation('decur', x, y), count: x.size(0) }));
  /** The mean over the pairs of the distance from `diagonal` of the components from `start` to `end`. */
  const between = (start: number, end: number, diagonal: 0 | 1): Tensor | undefined =>
    meanOverParts(
      (start === end ? [] : crossed).map(({ correlation, count }) => {
        const block = correlation.narrow(0, start, end - start).narrow(1, start, end - start);
        return { value: distanceFrom(diagonal, block, lambda), count };
      }),
    );
  return present({
    intra: meanOverParts(intra),
    common: between(0, common, 1),
    unique: between(common, components, 0),
  });
}

/**
 * The mean of each part over all ways of mating the samples, whatever the embeddings: what is to be had without knowing
 * which views belong together. A correlation C of two unrelated components has mean 0 and mean square 1 / (N − 1).
 *
 * @param images the number of samples that have each modality
 * @param pairs the number of samples that have both modalities of each pair
 * @param options.components the number d of components
 */
export function decurChance(
  images: readonly number[],
  pairs: readonly number[],
  { components, common, lambda = LAMBDA }: DecurOptions & { components: number },
): DecurTerms<number> {
  const mean = (groups: readonly number[], size: number, diagonal: 0 | 1): number | undefined => {
    const several = groups.filter((count) => count > 1);
    if (several.length === 0 || size === 0) return undefined;
    const total = several.reduce((sum, count) => sum + count, 0);
    const squares = size + lambda * size * (size - 1);
    return several.reduce((sum, n) => sum + (n / total) * (diagonal * size + squares / (n - 1)), 0);
  };
  return present({
    intra: mean(images, components, 1),
    common: mean(pairs, common, 1),
    unique: mean(pairs, components - common, 0),
  });
}

/** Σ_k (diagonal − C_kk)² + λ Σ_{k≠l} C_kl², a scalar. */
function distanceFrom(diagonal: 0 | 1, correlation: Tensor, lambda: number): Tensor {
  const own = ops.diagonal(correlation);
  const others = correlation.pow(2).sum().sub(own.pow(2).sum());
  return own.sub(diagonal).pow(2).sum().add(others.mul(lambda));
}

function chosen(x: Tensor, rows: Tensor | undefined): Tensor {
  return rows === undefined ? x : ops.indexSelect(x, 0, rows);
}

/** Leaves out the parts that are undefined. */
function present<T>(terms: { readonly [name in keyof DecurTerms]: T | undefined }): DecurTerms<T> {
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}
