/** The embeddings of patches and their similarities, from which the losses on anatomy start. */
import { inFullPrecision, l2Normalize, ops, patchSums, type Tensor, TensorError } from '../tensor/index.js';

export interface PatchOptions {
  /** The grid [N^h, N^w] of every map, or one grid for each map. */
  patches?: readonly [number, number] | readonly (readonly [number, number])[];
  /**
   * The windows. `floor` takes windows of ⌊H/N^h⌋ × ⌊W/N^w⌋ from the top left and drops the remainder (paper, §2.3).
   * `adaptive` takes windows [⌊iH/N⌋, ⌈(i+1)H/N⌉), which overlap where N does not divide H (the authors' code).
   */
  windows?: 'floor' | 'adaptive';
  /**
   * The normalisation. `patch` normalises the sum over the patch, Eq. 3. `pixel` normalises each pixel's vector and
   * averages without normalising again, so that A_ii < 1 tells how uniform patch i is (the authors' code).
   */
  normalize?: 'patch' | 'pixel';
}

/** Images of a map, one after another. */
export interface Images {
  readonly first: number;
  readonly count: number;
}

/**
 * Computes patch embeddings, Eq. 3, in full precision.
 * @param map [B, C, H, W]
 * @param layer for error messages and for grids given per map
 * @param images whose patches are meant; default: all B
 * @returns s: [B, C, P] with P = N^h·N^w, patches in row-major order
 */
export function patchEmbeddings(
  map: Tensor,
  layer: number,
  options: PatchOptions,
  images: Images = { first: 0, count: map.size(0) },
): Tensor {
  const { normalize = 'patch' } = options;
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
  const summed =
    normalize === 'patch' && options.windows !== 'adaptive'
      ? patchSums(map, { ...images, rows, columns })
      : undefined;
  if (summed !== undefined)
    return inFullPrecision([summed], (sums) => l2Normalize(ops.flatten(sums!, 2, 3), 1));
  return inFullPrecision([map.narrow(0, images.first, images.count)], (own) => {
    const pixels = normalize === 'pixel' ? l2Normalize(own!, 1) : own!;
    const vectors = ops.flatten(poolPatches(pixels, [rows, columns], options), 2, 3);
    return normalize === 'patch' ? l2Normalize(vectors, 1) : vectors;
  });
}

/** Computes Eq. 4, the similarities between the patches of one image. @param s [B, C, P] @returns A: [B, P, P] */
export function correlation(s: Tensor): Tensor {
  return ops.bmm(ops.transpose(s, 1, 2), s);
}

/** Pools the sum (`patch`) or the mean (`pixel`) over each patch. @returns [B, C, N^h, N^w] */
function poolPatches(
  pixels: Tensor,
  [rows, columns]: readonly [number, number],
  { windows = 'floor', normalize = 'patch' }: PatchOptions,
): Tensor {
  const [, , height, width] = pixels.shape as [number, number, number, number];
  if (rows === height && columns === width) return pixels;
  if (windows === 'adaptive') return ops.adaptiveAvgPool2d(pixels, [rows, columns]);
  const window = [Math.floor(height / rows), Math.floor(width / columns)] as const;
  const covered = ops.narrow(ops.narrow(pixels, 2, 0, window[0] * rows), 3, 0, window[1] * columns);
  // Divisor 1 makes the average the sum of Eq. 3; normalised pixels are averaged.
  return ops.avgPool2d(covered, window, window, [0, 0], false, true, normalize === 'patch' ? 1 : null);
}

/** The grid of a map. @throws TensorError when the setting names none */
export function gridOf(layer: number, { patches = [4, 4] }: PatchOptions): readonly [number, number] {
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
