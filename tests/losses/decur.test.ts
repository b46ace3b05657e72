import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  barlowTwins,
  DECUR_WEIGHTS,
  type DecurTerms,
  decorrelation,
  decurChance,
  decurTerms,
  type TwoViews,
} from '../../src/losses/index.js';
import { autocast, ops, type Tensor, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError } from '../golden/formula.js';
import { i64, numbers, rows } from './embeddings.js';

const PAIR = { first: 0, second: 1 };

function valuesOf(terms: DecurTerms): Record<string, number> {
  return Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, value.item()]));
}

/** Columns of ±1 of mean 0 that are orthogonal over the eight rows; with a factor, as the loss does not see scale. */
function orthogonal(columns: readonly number[]): Tensor {
  const signs = (row: number, column: number) => {
    const bits = [1, 2, 4].filter((bit) => (row & bit) !== 0 && (column & bit) !== 0).length;
    return bits % 2 === 0 ? 1 : -1;
  };
  const data = Array.from({ length: 8 }, (_, row) =>
    columns.map((column) => 1e4 * signs(row, column)),
  ).flat();
  return tensor(data, [8, columns.length], { dtype: 'f64' });
}

const takeColumns = (x: Tensor, order: readonly number[]) => ops.indexSelect(x, 1, i64(order));

describe('Barlow Twins', () => {
  test('is 0 for equal views whose components are unrelated', () =>
    tidy(() => {
      const x = orthogonal([1, 2, 3, 4]);
      expect(barlowTwins(x, x).item()).toBeCloseTo(0, 12);
    }));

  test('is λ·d·(d − 1) for equal views that repeat one component, and d for views that are unrelated', () =>
    tidy(() => {
      const same = orthogonal([5, 5, 5]);
      expect(barlowTwins(same, same, { lambda: 0.5 }).item()).toBeCloseTo(0.5 * 3 * 2, 9);
      expect(barlowTwins(orthogonal([1, 2, 3]), orthogonal([4, 5, 6])).item()).toBeCloseTo(3, 12);
    }));

  test('is 4·d for views of opposite sign', () =>
    tidy(() => {
      const x = orthogonal([1, 2, 3]);
      expect(barlowTwins(x, x.neg()).item()).toBeCloseTo(12, 9);
    }));

  test('is d, with a finite gradient, where all components are constant', () =>
    tidy(() => {
      const x = ops.full([5, 3], 2, 'f64', null, 'cpu').setRequiresGrad();
      const loss = barlowTwins(x, x);
      loss.backward();
      expect(loss.item()).toBe(3);
      expect(numbers(x.grad)).toEqual(Array(15).fill(0));
    }));

  test('divides by the number of samples that there are: the diagonal of equal views is 1 for any of them', () =>
    tidy(() => {
      for (const n of [2, 3, 7, 31]) {
        const x = rows([n, 1], 4, { dtype: 'f64' }).mul(1e4);
        expect(barlowTwins(x, x).item(), `${n} samples`).toBeCloseTo(0, 12);
      }
    }));

  test('does not see shift and scale of a component, nor the order of the samples', () =>
    tidy(() => {
      const [x, y] = [rows([7, 4], 1, { dtype: 'f64' }), rows([7, 4], 2, { dtype: 'f64' })].map((z) =>
        z.mul(1e4),
      ) as [Tensor, Tensor];
      const loss = barlowTwins(x, y).item();
      expect(barlowTwins(x.mul(3).add(5e4), y).item()).toBeCloseTo(loss, 7);
      const order = i64([3, 0, 6, 1, 5, 2, 4]);
      expect(barlowTwins(ops.indexSelect(x, 0, order), ops.indexSelect(y, 0, order)).item()).toBeCloseTo(
        loss,
        9,
      );
    }));
});

describe('DeCUR', () => {
  const views = (n: number, d: number, seed = 0): TwoViews[] =>
    [0, 1].map((m) => [
      rows([n, d], 10 * seed + 2 * m + 1, { dtype: 'f64' }),
      rows([n, d], 10 * seed + 2 * m + 2, { dtype: 'f64' }),
    ]);

  test('is ⅓ [BT(A, Â) + BT(B, B̂) + ½ (L_c + L_u)] of two modalities without gaps', () =>
    tidy(() => {
      const both = views(7, 5);
      const { intra, common, unique } = valuesOf(decurTerms(both, [PAIR], { common: 3 }));
      const [a, b] = both.map(([x, y]) => barlowTwins(x, y).item());
      const weighted =
        DECUR_WEIGHTS.intra * intra! + DECUR_WEIGHTS.common * common! + DECUR_WEIGHTS.unique * unique!;
      expect(weighted).toBeCloseTo((a! + b! + (common! + unique!) / 2) / 3, 12);
    }));

  test('is Barlow Twins between the first views where all components are common', () =>
    tidy(() => {
      const both = views(7, 5);
      const { common, unique } = decurTerms(both, [PAIR], { common: 5, lambda: 0.3 });
      expect(common!.item()).toBeCloseTo(barlowTwins(both[0]![0], both[1]![0], { lambda: 0.3 }).item(), 12);
      expect(unique).toBeUndefined();
    }));

  test('is d² times the mean squared correlation where all components are unique and λ is 1', () =>
    tidy(() => {
      const both = views(7, 5);
      const { common, unique } = decurTerms(both, [PAIR], { common: 0, lambda: 1 });
      expect(unique!.item()).toBeCloseTo(25 * decorrelation(both[0]![0], both[1]![0]).item(), 12);
      expect(common).toBeUndefined();
    }));

  test('has both cross-modal parts at 0 where common components agree and unique ones are unrelated', () =>
    tidy(() => {
      const a = orthogonal([1, 2, 3, 4]);
      const b = orthogonal([1, 2, 5, 6]);
      const both: TwoViews[] = [
        [a, a],
        [b, b],
      ];
      for (const value of Object.values(valuesOf(decurTerms(both, [PAIR], { common: 2 })))) {
        expect(value).toBeCloseTo(0, 12);
      }
      // Unique components that agree cost 1 each, and so do common ones that do not.
      const { common, unique } = valuesOf(decurTerms(both, [PAIR], { common: 3 }));
      expect([common, unique]).toEqual([expect.closeTo(1, 9), expect.closeTo(0, 9)]);
      const none = valuesOf(decurTerms(both, [PAIR], { common: 0 }));
      expect(none.unique).toBeCloseTo(2, 9);
    }));

  test('leaves correlations between a common and a unique component free', () =>
    tidy(() => {
      const options = { common: 1, lambda: 1 };
      // Component 1 of A, which is unique, is component 0 of B, which is common.
      const crossed: TwoViews[] = [1, 2].map((m) => {
        const x = m === 1 ? orthogonal([1, 3]) : orthogonal([3, 2]);
        return [x, x];
      });
      const { common, unique } = valuesOf(decurTerms(crossed, [PAIR], options));
      expect(common).toBeCloseTo(1, 9);
      expect(unique).toBeCloseTo(0, 9);
    }));

  test('does not change when components change places within the common or within the unique ones', () => {
    const within = (from: number, to: number) =>
      fc.shuffledSubarray(
        Array.from({ length: to - from }, (_, i) => from + i),
        { minLength: to - from },
      );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), within(0, 3), within(3, 7), (seed, common, unique) => {
        tidy(() => {
          const both = views(6, 7, seed);
          const order = [...common, ...unique];
          const moved = both.map((looks) => looks.map((x) => takeColumns(x, order)) as unknown as TwoViews);
          const [before, after] = [both, moved].map((one) =>
            valuesOf(decurTerms(one, [PAIR], { common: 3 })),
          );
          for (const [name, value] of Object.entries(before!)) expect(after![name]).toBeCloseTo(value, 10);
        });
      }),
      { numRuns: 30 },
    );
    // Across the two groups it does.
    tidy(() => {
      const both = views(6, 7);
      const moved = both.map((looks) => {
        return looks.map((x) => takeColumns(x, [3, 1, 2, 0, 4, 5, 6])) as unknown as TwoViews;
      });
      const [before, after] = [both, moved].map((one) => valuesOf(decurTerms(one, [PAIR], { common: 3 })));
      expect(Math.abs(after!.common! - before!.common!)).toBeGreaterThan(1e-3);
    });
  });

  test('leaves out what one sample has, and has no part where nothing is left', () =>
    tidy(() => {
      const one = views(1, 3);
      expect(decurTerms(one, [PAIR], { common: 2 })).toEqual({});
      const [a] = views(5, 3);
      const few = decurTerms([a!, one[1]!], [{ ...PAIR, rows: [i64([2]), i64([0])] }], { common: 2 });
      expect(Object.keys(few)).toEqual(['intra']);
      expect(few.intra!.item()).toBe(barlowTwins(...a!).item());
    }));

  test('has the mean of the loss over all ways of mating the samples as its chance level', () =>
    tidy(() => {
      const [n, d, lambda, common] = [4, 5, 0.3, 3];
      // Large, so that the 1e-5 beside the variance does not count.
      const both = views(n, d).map((looks) => looks.map((x) => x.mul(1e4)) as unknown as TwoViews);
      const orders = permutations(n);
      const sums: Record<string, number> = {};
      for (const order of orders) {
        const mated = both.map(([x, y], m): TwoViews => {
          const moved = (z: Tensor) => ops.indexSelect(z, 0, i64(order));
          // A's second view changes against its first, and B's first against A's first.
          return m === 0 ? [x, moved(y)] : [moved(x), y];
        });
        const terms = valuesOf(decurTerms(mated, [PAIR], { common, lambda }));
        for (const [name, value] of Object.entries(terms))
          sums[name] = (sums[name] ?? 0) + value / orders.length;
      }
      const chance = decurChance([n, n], [n], { components: d, common, lambda });
      expect(Object.keys(chance)).toEqual(Object.keys(sums));
      for (const [name, value] of Object.entries(chance)) expect(sums[name]! / value).toBeCloseTo(1, 8);
      // In words: the diagonal is off by 1, and each correlation is noise of 1 / (N − 1).
      expect(chance.intra).toBeCloseTo(5 + (5 + 0.3 * 20) / 3, 12);
      expect(chance.unique).toBeCloseTo((2 + 0.3 * 2) / 3, 12);
    }));

  test('weighs the chance levels of groups by their samples, and leaves out groups of one', () => {
    const options = { components: 2, common: 1, lambda: 0 };
    expect(decurChance([5, 3, 1], [3, 1], options)).toEqual({
      intra: expect.closeTo((5 * (2 + 2 / 4) + 3 * (2 + 2 / 2)) / 8, 12),
      common: 1.5,
      unique: 0.5,
    });
    expect(decurChance([1, 1], [1], options)).toEqual({});
    expect(decurChance([4], [], options)).toEqual({ intra: expect.closeTo(2 + 2 / 3, 12) });
  });

  test('is the f32 loss, in f32, inside autocast', () =>
    tidy(() => {
      const both = [1, 2].map(
        (m): TwoViews => [rows([9, 20], m, { dtype: 'f32' }), rows([9, 20], m + 4, { dtype: 'f32' })],
      );
      const plain = decurTerms(both, [PAIR], { common: 12 });
      const inside = autocast('bf16', () => decurTerms(both, [PAIR], { common: 12 }));
      expect(valuesOf(inside)).toEqual(valuesOf(plain));
      expect(inside.intra!.dtype).toBe('f32');
      const narrow = both.map(([x, y]): TwoViews => [x.to({ dtype: 'bf16' }), y.to({ dtype: 'bf16' })]);
      const ofNarrow = decurTerms(narrow, [PAIR], { common: 12 });
      expect(ofNarrow.intra!.dtype).toBe('f32');
      expect(relativeError([ofNarrow.intra!.item()], [plain.intra!.item()])).toBeLessThan(0.02);
    }));

  test('names wrong shapes and numbers', () =>
    tidy(() => {
      const both = views(4, 3);
      for (const common of [-1, 1.5, 4, Number.NaN]) {
        expect(() => decurTerms(both, [PAIR], { common })).toThrow(
          `decur: common is ${common}, expected a whole number from 0 to 3`,
        );
      }
      expect(() => decurTerms([], [], { common: 0 })).toThrow(TensorError);
      const [x, y] = [rows([4, 3], 1), rows([5, 3], 2)];
      expect(() => barlowTwins(x, y)).toThrow(/y is \[5,3\].*\[4,3\]/);
      expect(() => barlowTwins(rows([1, 3], 1), rows([1, 3], 2))).toThrow('one sample, expected at least 2');
    }));
});

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((shorter) =>
    Array.from({ length: n }, (_, at) => [...shorter.slice(0, at), n - 1, ...shorter.slice(at)]),
  );
}
