import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';
import { type AnatomyLossOptions, anatomyLoss } from '../../src/losses/anatomy.js';
import { type ConsistencyOptions, consistencyLoss } from '../../src/losses/consistency.js';
import {
  type CrossModal,
  globalContrastiveLoss,
  infoNce,
  type PairEmbeddings,
} from '../../src/losses/contrastive.js';
import type { Tensor } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { type Case, check } from './goldenCase.js';

type Grid = [number, number];
interface Golden {
  consistency: (Case & {
    shapes: number[][];
    patches: Grid[];
    zero: (number | null)[][];
    options: ConsistencyOptions;
  })[];
  infoNce: (Case & { shape: Grid; tau: number; positive: 'once' | 'twice'; zero: number[] })[];
  global: (Case & {
    shape: Grid;
    positive: 'once' | 'twice';
    crossModal: CrossModal;
  })[];
  anatomy: (Case & { shapes: number[][]; embedding: Grid; consistencyWeight: number })[];
}

const golden: Golden = JSON.parse(readFileSync(new URL('../golden/losses.json', import.meta.url), 'utf8'));

/** Sets rows [i, null, y, x] (null: all) of a [B, C, H, W] map to zero. */
function zeroOut(x: Float64Array, shape: number[], rows: (number | null)[][]): Float64Array {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
  for (const row of rows) {
    x.forEach((_, at) => {
      const position = strides.map((stride, i) => Math.floor(at / stride) % shape[i]!);
      if (row.every((index, i) => index === null || index === position[i])) x[at] = 0;
    });
  }
  return x;
}

describe('losses against float64 PyTorch', () => {
  test.each(golden.consistency.map((c, i) => [i, c] as const))('consistency agrees in case %i', (_, c) => {
    const n = c.shapes.length;
    const inputs = [1, 2].flatMap((offset) =>
      c.shapes.map((shape, layer) => {
        const x = values(shape, 10 * offset + layer, 0, 1);
        return offset === 1 ? zeroOut(x, shape, c.zero) : x;
      }),
    );
    check(c, inputs, [...c.shapes, ...c.shapes], (xs) =>
      consistencyLoss(xs.slice(0, n), xs.slice(n), { ...c.options, patches: c.patches }),
    );
  });

  test.each(golden.infoNce.map((c, i) => [i, c] as const))('infoNce agrees in case %i', (_, c) => {
    const f = zeroOut(
      values(c.shape, 3),
      c.shape,
      c.zero.map((row) => [row]),
    );
    check(c, [f, values(c.shape, 4)], [c.shape, c.shape], ([a, b]) => infoNce(a!, b!, c), c.zero);
  });

  test.each(golden.global.map((c, i) => [i, c] as const))(
    'globalContrastiveLoss agrees in case %i',
    (_, c) => {
      const views = [0, 1, 2, 3].map((view) => values(c.shape, 20 + view, -0.5, 1));
      check(c, views, Array(4).fill(c.shape), (xs) => globalContrastiveLoss(named(xs), c));
    },
  );

  test.each(golden.anatomy.map((c, i) => [i, c] as const))('anatomyLoss agrees in case %i', (_, c) => {
    const inputs = [
      ...c.shapes.map((shape, i) => values(shape, 30 + i, 0, 1)),
      ...c.shapes.map((shape, i) => values(shape, 40 + i, 0, 1)),
      ...[0, 1, 2, 3].map((view) => values(c.embedding, 50 + view)),
    ];
    const options: AnatomyLossOptions = { consistencyWeight: c.consistencyWeight };
    check(c, inputs, [...c.shapes, ...c.shapes, ...Array(4).fill(c.embedding)], (xs) =>
      anatomyLoss({ mapsA: xs.slice(0, 2), mapsB: xs.slice(2, 4), ...named(xs.slice(4)) }, options),
    );
  });
});

function named(xs: Tensor[]): PairEmbeddings {
  return { a: xs[0]!, b: xs[1]!, aHat: xs[2]!, bHat: xs[3]! };
}
