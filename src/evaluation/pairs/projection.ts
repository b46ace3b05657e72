/** Projects embeddings to two dimensions, repeatably by seed. This is the one file that knows DruidJS. */
import { PCA, TSNE, UMAP } from '@saehrimnir/druidjs';
import type { DoubleFeatures } from '../../metrics/features/features.js';
import { Random } from '../../tensor/random.js';
import type { Point, ProjectionKind } from '../results/pairsResult.js';

export const projectionKinds: readonly ProjectionKind[] = ['pca', 'tsne', 'umap'];

/**
 * The settings of t-SNE and UMAP. The paper names none, so these are van der Maaten's and McInnes' defaults, used where
 * there are points enough.
 */
export const projectionSettings = {
  perplexity: 30,
  tsneIterations: 500,
  neighbours: 15,
  minimumDistance: 0.1,
  umapEpochs: 350,
} as const;

/**
 * Projects each row to a point. The same rows and seed give the same points, for the same Node.
 * - `pca`: the first two principal components; each component's largest entry is positive, as its sign is arbitrary.
 * - `tsne`: van der Maaten & Hinton 2008, perplexity 30 or a third of the other points if that is less.
 * - `umap`: McInnes et al. 2018, 15 neighbours or all others.
 *
 * @param rows [n, d]
 * @throws RangeError with fewer than 4 rows
 */
export function project(rows: DoubleFeatures, kind: ProjectionKind, seed: number): Point[] {
  const { rows: n, columns } = rows;
  if (n < 4) throw new RangeError(`project: ${n} rows, expected at least 4`);
  const x = Array.from({ length: n }, (_, i) => rows.data.slice(i * columns, (i + 1) * columns));
  const own = new Random(seed, 'projection', kind).below(2 ** 31);
  const { perplexity, tsneIterations, neighbours, minimumDistance, umapEpochs } = projectionSettings;
  switch (kind) {
    case 'pca':
      return pca(x, own);
    case 'tsne': {
      const tsne = new TSNE(x, { d: 2, perplexity: Math.min(perplexity, (n - 1) / 3), seed: own });
      return pointsOf(tsne.transform(tsneIterations));
    }
    case 'umap': {
      const few = Math.min(neighbours, n - 1);
      const umap = new UMAP(x, { d: 2, n_neighbors: few, min_dist: minimumDistance, seed: own });
      return pointsOf(umap.transform(umapEpochs));
    }
  }
}

function pca(x: readonly Float64Array[], seed: number): Point[] {
  const mean = x[0]!.map((_, j) => x.reduce((sum, row) => sum + row[j]!, 0) / x.length);
  const centred = x.map((row) => row.map((value, j) => value - mean[j]!));
  const components = PCA.principal_components(centred, { d: 2, seed }).transpose().to2dArray();
  const axes = components.map((axis) => {
    const largest = axis.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
    return largest < 0 ? axis.map((value) => -value) : axis;
  });
  const along = (row: Float64Array, axis: ArrayLike<number>) =>
    row.reduce((sum, value, j) => sum + value * axis[j]!, 0);
  return centred.map((row) => [along(row, axes[0]!), along(row, axes[1]!)]);
}

function pointsOf(projected: readonly ArrayLike<number>[]): Point[] {
  return projected.map((row) => [row[0]!, row[1]!]);
}

/** The largest number of pairs in a picture; more would hide each other. */
const SHOWN = 200;

/**
 * Projects A and B of the same pairs into one space, by every kind. At most 200 pairs are drawn by the seed.
 * @param a unit rows [n, d]
 * @param b row i is the mate of row i of `a`
 * @returns no projection for fewer than 2 pairs
 */
export function projectPairs(
  a: DoubleFeatures,
  b: DoubleFeatures,
  seed: number,
): { kind: ProjectionKind; a: Point[]; b: Point[] }[] {
  if (a.rows < 2) return [];
  const order = new Random(seed, 'projection', 'pairs').permutation(a.rows);
  const shown = Array.from(order.subarray(0, SHOWN)).sort((i, j) => i - j);
  const { columns } = a;
  const data = new Float64Array(2 * shown.length * columns);
  [a, b].forEach((rows, side) => {
    shown.forEach((row, i) => {
      const at = (side * shown.length + i) * columns;
      data.set(rows.data.subarray(row * columns, (row + 1) * columns), at);
    });
  });
  return projectionKinds.map((kind) => {
    const points = project({ data, rows: 2 * shown.length, columns }, kind, seed).map(
      ([x, y]): Point => [rounded(x), rounded(y)],
    );
    return { kind, a: points.slice(0, shown.length), b: points.slice(shown.length) };
  });
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
