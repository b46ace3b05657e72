import { describe, expect, test } from 'vitest';
import { project, projectionKinds, projectPairs } from '../../../src/evaluation/pairs/projection.js';
import type { Point } from '../../../src/evaluation/results/pairsResult.js';
import { Random } from '../../../src/tensor/random.js';

const D = 12;

/** Makes groups of rows that are far apart. */
function groups(count: number, each: number) {
  const random = new Random('groups');
  const centres = Array.from({ length: count }, () =>
    Float64Array.from({ length: D }, () => random.normal(0, 4)),
  );
  const data = new Float64Array(count * each * D);
  for (let i = 0; i < count * each; i += 1) {
    for (let j = 0; j < D; j += 1) data[i * D + j] = centres[i % count]![j]! + random.normal(0, 0.5);
  }
  return { data, rows: count * each, columns: D };
}

const rows = groups(4, 20);
const squared = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, j) => sum + (value - b[j]!) ** 2, 0);

/** The share of the ten nearest rows that are among the ten nearest points. */
function kept(points: readonly Point[]): number {
  const nearest = (from: (i: number) => ArrayLike<number>, i: number) =>
    Array.from({ length: rows.rows }, (_, j) => j)
      .filter((j) => j !== i)
      .sort((j, k) => squared(from(i), from(j)) - squared(from(i), from(k)))
      .slice(0, 10);
  const row = (i: number) => rows.data.subarray(i * D, (i + 1) * D);
  let common = 0;
  for (let i = 0; i < rows.rows; i += 1) {
    const near = new Set(nearest(row, i));
    common += nearest((j) => points[j]!, i).filter((j) => near.has(j)).length;
  }
  return common / (10 * rows.rows);
}

describe.each(projectionKinds)('%s', (kind) => {
  test('gives the same points for the same seed, and keeps neighbours together', () => {
    const points = project(rows, kind, 1);
    expect(project(rows, kind, 1)).toEqual(points);
    // Random points keep 10 of 79.
    expect(kept(points)).toBeGreaterThan(0.3);
    expect(points.flat().every(Number.isFinite)).toBe(true);
  });
});

test('another seed gives another t-SNE', () => {
  expect(project(rows, 'tsne', 2)).not.toEqual(project(rows, 'tsne', 1));
});

/** KL(P‖Q) of van der Maaten & Hinton 2008 with one bandwidth for all rows, which t-SNE minimises. */
function divergence(points: readonly Point[]): number {
  const pairs: [number, number][] = [];
  for (let i = 0; i < rows.rows; i += 1) {
    for (let j = 0; j < rows.rows; j += 1) {
      if (i === j) continue;
      const [a, b] = [i, j].map((at) => rows.data.subarray(at * D, (at + 1) * D));
      pairs.push([Math.exp(-squared(a!, b!) / 6), 1 / (1 + squared(points[i]!, points[j]!))]);
    }
  }
  const [sumP, sumQ] = [0, 1].map((k) => pairs.reduce((sum, pair) => sum + pair[k]!, 0));
  return pairs.reduce((sum, [p, q]) => sum + (p / sumP!) * Math.log(p / sumP! / (q / sumQ!)), 0);
}

test('t-SNE has a far smaller divergence than random points', () => {
  const random = new Random('points');
  const scattered = Array.from(
    { length: rows.rows },
    (): Point => [random.normal(0, 10), random.normal(0, 10)],
  );
  expect(divergence(project(rows, 'tsne', 1))).toBeLessThan(0.2 * divergence(scattered));
});

test('PCA equals the closed form on an ellipse in two orthogonal directions of many', () => {
  // The directions have length 1, and the means must not matter.
  const [u, v] = [
    [0.6, 0, 0.8, 0],
    [0, -1, 0, 0],
  ] as const;
  const angles = Array.from({ length: 40 }, (_, i) => (2 * Math.PI * i) / 40);
  const data = Float64Array.from(
    angles.flatMap((t) => u.map((_, j) => 3 + 5 * Math.cos(t) * u[j]! + 2 * Math.sin(t) * v[j]!)),
  );
  const points = project({ data, rows: 40, columns: 4 }, 'pca', 0);
  // The largest entry of each component is made positive: u stays as it is, v is turned round. The power iteration
  // stops at 1e-3.
  for (const [i, t] of angles.entries()) {
    expect(Math.abs(points[i]![0] - 5 * Math.cos(t))).toBeLessThan(1e-3);
    expect(Math.abs(points[i]![1] + 2 * Math.sin(t))).toBeLessThan(1e-3);
  }
});

test('at most 200 pairs, drawn by the seed, are shown in one space, and a single pair is not shown', () => {
  const many = groups(1, 203);
  const [pca] = projectPairs(many, many, 5);
  expect([pca!.a.length, pca!.b.length]).toEqual([200, 200]);
  expect(pca!.a).toEqual(pca!.b);
  expect(
    projectPairs(
      { data: new Float64Array(D), rows: 1, columns: D },
      { data: new Float64Array(D), rows: 1, columns: D },
      5,
    ),
  ).toEqual([]);
  expect(() => project({ data: new Float64Array(3), rows: 3, columns: 1 }, 'pca', 0)).toThrow(
    /expected at least 4/,
  );
});
