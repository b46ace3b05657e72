import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type ConsistencyOptions, consistencyLoss } from '../../src/losses/consistency.js';
import { type Dtype, gradientsOf, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';

/** A case of relations.py, losses.py or unaligned.py. */
export interface Golden {
  shapes: number[][];
  patches: [number, number][];
  /** [b, null, y, x], null for all: what is set to zero in A's maps. */
  zero: (number | null)[][];
  options: ConsistencyOptions;
  loss: number;
  /** Of A's maps and then of B's. */
  gradients: number[][];
}

/** The golden values of a file. */
export const readGolden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8'));

/** The golden cases of pairs that are not aligned, of one relation. */
export const unaligned = (relation: string): (readonly [number, Golden])[] =>
  (readGolden('unaligned.json') as Golden[])
    .filter(({ options }) => options.relation === relation)
    .map((c, i) => [i, c]);

/** Moves the pixels of a [B, C, H, W] map, so that place i shows what was at `order[i]`, alike in all images. */
export function rearranged(x: Tensor, order: readonly number[]): Tensor {
  const [b, c, h, w] = x.shape as [number, number, number, number];
  const index = tensor(BigInt64Array.from(order, BigInt));
  return ops.reshape(ops.indexSelect(ops.reshape(x, [b, c, h * w]), 2, index), [b, c, h, w]);
}

/** A map of values from 0 to 1, as after a ReLU. */
export const map = (shape: number[], seed: number, options = {}): Tensor =>
  tensor(values(shape, seed, 0, 1), shape, options);

/** Loss and gradients of both maps. */
export function differentiate(a: Tensor, b: Tensor, options: ConsistencyOptions) {
  const leaves = [a, b].map((x) => x.detach().setRequiresGrad());
  const loss = consistencyLoss([leaves[0]!], [leaves[1]!], options);
  const gradients = gradientsOf([loss], leaves).map((gradient) => gradient!.toArray());
  return { loss: loss.item(), gradients };
}

function zeroOut(x: Float64Array, shape: number[], rows: (number | null)[][]): Float64Array {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
  return x.map((value, at) => {
    const position = strides.map((stride, i) => Math.floor(at / stride) % shape[i]!);
    return rows.some((row) => row.every((index, i) => index === null || index === position[i])) ? 0 : value;
  });
}

/** Holds L_C and its gradients against a golden case, in f64 and in f32. @param sides where A's and B's inputs begin */
export function check(c: Golden, sides: readonly [number, number], form: ConsistencyOptions['form']) {
  // f64: a few hundred sums of rounding 1e-16. f32: the same of 6e-8, times 1/τ = 14 at most.
  // In f32 a softmax at temperature 1 leaves differences of cosines as small ones of probabilities: 1.0e-5 on
  // LibTorch 2.6.
  const tolerances: Partial<Record<Dtype, number>> = { f64: 1e-11, f32: 2e-5 };
  for (const [dtype, tolerance] of Object.entries(tolerances) as [Dtype, number][]) {
    tidy(() => {
      const maps = sides.flatMap((offset, side) =>
        c.shapes.map((shape, layer) => {
          const x = values(shape, offset + layer, 0, 1);
          return tensor(side === 0 ? zeroOut(x, shape, c.zero) : x, shape, { dtype, requiresGrad: true });
        }),
      );
      const n = c.shapes.length;
      const options = { ...c.options, patches: c.patches, ...(form && { form }) };
      const loss = consistencyLoss(maps.slice(0, n), maps.slice(n), options);
      expect([loss.dtype, loss.shape]).toEqual([dtype, []]);
      loss.backward();
      expect(relativeError([loss.item()], [c.loss])).toBeLessThan(tolerance);
      const scale = Math.max(...c.gradients.flat().map(Math.abs));
      maps.forEach((x, i) => {
        const gradient = x.grad!.toArray();
        const own = Math.max(...c.gradients[i]!.map(Math.abs));
        const error = relativeError(gradient, c.gradients[i]!);
        // A gradient that is rounding noise beside the other's is held against that.
        expect(own < 1e-9 * scale ? (error * own) / scale : error).toBeLessThan(tolerance);
      });
    });
  }
}
