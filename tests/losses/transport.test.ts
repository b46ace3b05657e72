import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConsistencyOptions, consistencyLoss } from '../../src/losses/consistency.js';
import { patchEmbeddings } from '../../src/losses/patches.js';
import { type TransportOptions, transportPlan } from '../../src/losses/transport.js';
import { l2Normalize, type Tensor, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { flip } from '../tensor/flip.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { check, differentiate, map, rearranged, unaligned } from './relationCase.js';

type Grid = [number, number];
const loss = (a: Tensor, b: Tensor, options: ConsistencyOptions = {}) =>
  consistencyLoss([a], [b], { relation: 'transport', ...options }).item();
const plan = (a: Tensor, b: Tensor, grid: Grid, options: TransportOptions = {}) => {
  const [sA, sB] = [a, b].map((x) => patchEmbeddings(x, 0, { patches: grid }));
  return transportPlan(sA!, sB!, grid, options);
};
/** Patches whose embeddings point everywhere, so that each is like itself alone. */
const distinct = (shape: number[], seed: number): Tensor => tensor(values(shape, seed, -1, 1), shape);
const anyGrid = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }));

test.each(unaligned('transport'))('the loss agrees with float64 PyTorch in case %i', (_, c) =>
  check(c, [100, 200], undefined),
);

describe('the plan', () => {
  test('has rows that sum to 1 and columns that nearly do, and no graph', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        anyGrid,
        fc.constantFrom(0.05, 0.1, 1),
        fc.constantFrom(0.5, 1, 3),
        (seed, grid, transportEpsilon, transportSigma) =>
          tidy(() => {
            const [a, b] = [map([2, 3, 6, 6], seed).setRequiresGrad(), map([2, 3, 6, 6], seed + 5000)];
            const t = plan(a, b, grid, { transportEpsilon, transportSigma });
            const patches = grid[0] * grid[1];
            expect([t.shape, t.requiresGrad]).toEqual([[2, patches, patches], false]);
            for (const sum of t.sum([2]).toArray()) expect(sum).toBeCloseTo(1, 12);
            // How near ten rounds get: 0.023 at worst over 300 seeds, farther at a smaller ε or σ.
            if (transportEpsilon < 0.1 || transportSigma < 1) return;
            for (const sum of t.sum([1]).toArray()) expect(Math.abs(Number(sum) - 1)).toBeLessThan(0.1);
          }),
      ),
      { numRuns: 30 },
    ));

  test('is the permutation of the patches, where each is like itself alone and may lie anywhere', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.shuffledSubarray([...Array(20).keys()], { minLength: 20 }),
        (seed, order) =>
          tidy(() => {
            const options = { transportEpsilon: 0.01, transportSigma: 1e6 };
            const a = distinct([2, 64, 5, 4], seed);
            const b = rearranged(a, order);
            const t = plan(a, b, [5, 4], options).toArray();
            const expected = Array.from({ length: 800 }, (_, at) => {
              const [i, j] = [Math.floor(at / 20) % 20, at % 20];
              return order[j] === i ? 1 : 0;
            });
            expected.forEach((value, at) => void expect(t[at]).toBeCloseTo(value, 9));
            expect(loss(a, b, { ...options, patches: [5, 4] })).toBeLessThan(1e-12);
            expect(loss(b, a, { ...options, patches: [5, 4] })).toBeLessThan(1e-12);
          }),
      ),
      { numRuns: 15 },
    ));

  test('of patches that are all alike depends on how far they lie apart alone', () =>
    tidy(() => {
      const alike = tensor(Array(12).fill(1), [1, 2, 2, 3], { dtype: 'f64' });
      // A row of three, of which T is K with factors of rows and of columns: in a ratio of four these cancel.
      const [near, far] = [Math.exp(-2), Math.exp(-8)];
      const row = Array.from(plan(alike, alike, [1, 3], { transportSigma: 0.5 }).toArray(), Number);
      const ratio = (row[1]! * row[5]!) / (row[2]! * row[4]!);
      expect(ratio).toBeCloseTo((near * near) / far, 9);
      // Two: [1, x; x, 1] over its sum.
      const two = plan(alike, alike, [2, 1], { transportSigma: 0.5 }).toArray();
      expect(two[0]).toBeCloseTo(1 / (1 + near), 14);
      expect(two[1]).toBeCloseTo(near / (1 + near), 14);
    }));

  test('leaves one tensor behind', () =>
    tidy(() => {
      const [a, b] = [distinct([1, 3, 9], 1), distinct([1, 3, 9], 2)].map((s) => l2Normalize(s, 1));
      const before = undisposedTensors();
      transportPlan(a!, b!, [3, 3], {});
      expect(undisposedTensors()).toBe(before + 1);
    }));
});

describe('the loss', () => {
  test.each(['f64', 'f32'] as const)('is Eq. 5 as σ goes to 0, however small it is: %s', (dtype) =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        anyGrid,
        fc.constantFrom(1e-2, 1e-5, 1e-200),
        fc.constantFrom('patch', 'pixel'),
        (seed, patches, transportSigma, normalize) =>
          tidy(() => {
            const [a, b] = [map([2, 3, 6, 6], seed, { dtype }), map([2, 3, 6, 6], seed + 5000, { dtype })];
            const options = { patches, normalize } as const;
            const eq5 = differentiate(a, b, { ...options, form: 'patches' });
            const found = differentiate(a, b, { ...options, relation: 'transport', transportSigma });
            // T is the identity exactly, and so s̃ is s^B. In other memory it is multiplied in another order.
            const rounding = dtype === 'f64' ? 1e-14 : 1e-5;
            expect(Math.abs(found.loss - eq5.loss)).toBeLessThanOrEqual(rounding);
            found.gradients.forEach((gradient, i) => {
              gradient.forEach((value, at) => {
                expect(Math.abs(Number(value) - Number(eq5.gradients[i]![at]))).toBeLessThanOrEqual(rounding);
              });
            });
          }),
      ),
      { numRuns: 20 },
    ),
  );

  test('is unchanged by mirrored images, another order of pairs, and another basis and scale of channels', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), anyGrid, (seed, patches) =>
        tidy(() => {
          const [a, b] = [map([3, 3, 6, 6], seed), map([3, 3, 6, 6], seed + 5000)];
          const expected = loss(a, b, { patches });
          // `floor` drops the remainder at one end, so whole patches are mirrored.
          const mirrored = (x: Tensor) => {
            const [rows, columns] = patches.map((n) => Math.floor(6 / n) * n) as Grid;
            return flip(flip(x.narrow(2, 0, rows).narrow(3, 0, columns), [2]), [3]);
          };
          expect(loss(mirrored(a), mirrored(b), { patches })).toBeCloseTo(expected, 12);
          expect(loss(flip(a, [0]), flip(b, [0]), { patches })).toBeCloseTo(expected, 12);
          expect(loss(flip(a, [1]), flip(b, [1]), { patches })).toBeCloseTo(expected, 12);
          expect(loss(a.mul(3), b.mul(0.2), { patches })).toBeCloseTo(expected, 12);
        }),
      ),
      { numRuns: 15 },
    ));

  test('has the documented defaults, and sees both settings', () =>
    tidy(() => {
      const [a, b] = [map([2, 3, 8, 8], 1), map([2, 3, 8, 8], 2)];
      const [transportEpsilon, transportSigma] = [0.1, 1];
      expect(loss(a, b)).toBe(loss(a, b, { transportEpsilon, transportSigma }));
      expect(loss(a, b)).not.toBe(loss(a, b, { transportEpsilon: 0.2 }));
      expect(loss(a, b)).not.toBe(loss(a, b, { transportSigma: 2 }));
    }));

  test('of one patch is 0, and of equal images near 0 and not at it', () =>
    tidy(() => {
      const [a, b] = [map([2, 3, 8, 8], 1), map([2, 3, 8, 8], 2)];
      expect(loss(a, b, { patches: [1, 1] })).toBeLessThan(1e-15);
      expect(loss(a, a)).toBeGreaterThan(1e-6);
      expect(loss(a, a)).toBeLessThan(loss(a, b));
    }));
});

test('errors name settings that do not fit', () =>
  tidy(() => {
    const a = map([1, 2, 4, 4], 1);
    const fails = (options: object, message: RegExp) => {
      expect(() => consistencyLoss([a], [a], options)).toThrow(TensorError);
      expect(() => consistencyLoss([a], [a], options)).toThrow(message);
    };
    for (const [name, usual] of [
      ['transportEpsilon', 0.1],
      ['transportSigma', 1],
    ] as const) {
      fails(
        { [name]: 2 },
        new RegExp(
          `${name} is 2, but relation correlation transports nothing; leave it out, or use relation transport`,
        ),
      );
      for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        fails(
          { relation: 'transport', [name]: value },
          new RegExp(`${name} is ${value}, expected a positive number such as ${usual}`),
        );
      }
    }
    fails({ relation: 'transport', relationTau: 0.1 }, /relation transport has no temperature/);
  }));
