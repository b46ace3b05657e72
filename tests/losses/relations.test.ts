import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ConsistencyOptions,
  consistencyLoss,
  stackedConsistencyLoss,
} from '../../src/losses/consistency.js';
import { meanOverPairs } from '../../src/losses/pairs.js';
import { RELATIONS } from '../../src/losses/relationOptions.js';
import { formFor, relationLoss } from '../../src/losses/relations.js';
import {
  autocast,
  gradientsOf,
  l2Normalize,
  noGrad,
  ops,
  type Tensor,
  TensorError,
  type TypedArray,
  tensor,
  tidy,
} from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { flip } from '../tensor/flip.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { check, differentiate, type Golden, map, readGolden, rearranged } from './relationCase.js';

const golden: Golden[] = readGolden('relations.json');
const eq5: Golden[] = readGolden('losses.json').consistency.filter(
  (c: Golden) => c.options.distance === 'mse',
);

/** Those for aligned pairs; transport.test.ts and alignmentFree.test.ts have the others. */
const relations = ['correlation', 'normed', 'kl', 'local-contrast', 'cka'] as const;
const grams = ['correlation', 'cka'] as const;
const magnitude = (xs: TypedArray): number => Math.max(...Array.from(xs as Float64Array, Math.abs));

describe('relations against float64 PyTorch', () => {
  test.each(golden.map((c, i) => [c.options.relation, i, c] as const))(
    '%s agrees in case %i',
    (relation, _, c) => {
      check(c, [100, 200], 'patches');
      if (relation === 'cka') check(c, [100, 200], 'gram');
    },
  );

  test.each(eq5.map((c, i) => [i, c] as const))('Eq. 5 by C×C matrices agrees in case %i', (_, c) =>
    check(c, [10, 20], 'gram'),
  );
});

describe('closed forms of the relations', () => {
  const grid = { patches: [2, 2] } as const;
  /** Patch i lights channel i only: all cosines between patches are 0. */
  const oneHot = () =>
    tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [1, 4, 2, 2], { dtype: 'f64' });
  /** All patches alike: all cosines are 1. */
  const alike = () => tensor(Array(16).fill(1), [1, 4, 2, 2], { dtype: 'f64' });
  const loss = (a: Tensor, b: Tensor, options: ConsistencyOptions) =>
    consistencyLoss([a], [b], { ...grid, ...options }).item();

  test.each(relations)('%s is 0 between an image and itself, except for local contrast', (relation) =>
    tidy(() => {
      const a = map([2, 3, 8, 8], 1);
      const own = consistencyLoss([a], [a], { relation }).item();
      if (relation === 'local-contrast') expect(own).toBeGreaterThan(0.1);
      else expect(own).toBeLessThan(1e-15);
    }),
  );

  test('orthogonal patches against equal ones compare softmax(1/τ, 0, 0, 0) with uniform', () =>
    tidy(() => {
      for (const tau of [1, 0.1, 0.5]) {
        const rest = 1 / (Math.exp(1 / tau) + 3);
        const own = 1 - 3 * rest;
        const normed = ((own - 1 / 4) ** 2 + 3 * (rest - 1 / 4) ** 2) / 4;
        const both = (own - 1 / 4) * Math.log(4 * own) + 3 * (rest - 1 / 4) * Math.log(4 * rest);
        const [a, b] = [oneHot(), alike()];
        expect(loss(a, b, { relation: 'normed', relationTau: tau })).toBeCloseTo(normed, 14);
        expect(loss(a, b, { relation: 'kl', relationTau: tau })).toBeCloseTo(both / 2, 13);
        const frobenius = loss(a, b, { relation: 'normed', relationTau: tau, distance: 'frobenius' });
        expect(frobenius).toBeCloseTo(Math.sqrt(16 * normed), 5); // but for its 1e-6
      }
    }));

  test('local contrast is ln P for equal patches and ln(1 + (P − 1)·exp(−1/τ)) for orthogonal ones', () =>
    tidy(() => {
      const relation = 'local-contrast';
      for (const relationTau of [0.07, 0.5, 1]) {
        expect(loss(alike(), alike(), { relation, relationTau })).toBeCloseTo(Math.log(4), 13);
        const orthogonal = Math.log(1 + 3 * Math.exp(-1 / relationTau));
        expect(loss(oneHot(), oneHot(), { relation, relationTau })).toBeCloseTo(orthogonal, 13);
      }
      const single = loss(map([1, 4, 2, 2], 1), map([1, 4, 2, 2], 2), { relation, patches: [1, 1] });
      expect(single).toBe(0);
    }));

  test('a temperature that is left out is the documented one', () =>
    tidy(() => {
      const [a, b] = [map([2, 3, 4, 4], 1), map([2, 3, 4, 4], 2)];
      for (const [relation, relationTau] of [
        ['normed', 1],
        ['kl', 0.1],
        ['local-contrast', 0.07],
      ] as const) {
        expect(loss(a, b, { relation })).toBe(loss(a, b, { relation, relationTau }));
        expect(loss(a, b, { relation })).not.toBe(loss(a, b, { relation, relationTau: 0.3 }));
      }
    }));

  test('CKA is 0 for the same structure at another contrast and 1 for orthogonal structures', () =>
    tidy(() => {
      // Embeddings (cos φ, ± sin φ): two patches at +φ, two at −φ. Only φ, the contrast, differs, or which patches go
      // together.
      const image = (phi: number, signs: number[]) =>
        tensor(
          [...signs.map(() => Math.cos(phi)), ...signs.map((sign) => sign * Math.sin(phi))],
          [1, 2, 2, 2],
          {
            dtype: 'f64',
          },
        );
      for (const form of ['patches', 'gram'] as const) {
        const cka = (a: Tensor, b: Tensor) => loss(a, b, { relation: 'cka', form });
        expect(cka(image(0.1, [1, 1, -1, -1]), image(0.7, [1, 1, -1, -1]))).toBeLessThan(1e-14);
        expect(cka(image(0.1, [1, 1, -1, -1]), image(0.7, [1, -1, 1, -1]))).toBeCloseTo(1, 14);
      }
    }));

  test('CKA of an image without contrast is 1 with a gradient of 0 or next to it, in f32 too', () => {
    for (const dtype of ['f64', 'f32'] as const) {
      for (const form of ['patches', 'gram'] as const) {
        tidy(() => {
          // Multiples of one embedding, which rounding makes a little unequal.
          const scales = values([64], 3, 0.5, 2);
          const constant = tensor(
            Float64Array.from(
              { length: 3 * 64 },
              (_, i) => [0.3, 0.7, 0.1][Math.floor(i / 64)]! * scales[i % 64]!,
            ),
            [1, 3, 8, 8],
            { dtype },
          );
          const options = { relation: 'cka', form, patches: [8, 8] } as const;
          for (const mate of [
            constant,
            map([1, 3, 8, 8], 1, { dtype }),
            ops.zero_(map([1, 3, 8, 8], 1, { dtype })),
          ]) {
            const { loss, gradients } = differentiate(constant, mate, options);
            expect(loss).toBeGreaterThan(1 - 1e-4);
            expect(loss).toBeLessThanOrEqual(1);
            for (const gradient of gradients) {
              // A gradient without the floor would be of the order of 1/rounding error.
              expect(magnitude(gradient)).toBeLessThan(10);
            }
          }
        });
      }
    }
  });
});

describe('invariances of the relations', () => {
  test.each(relations)(
    '%s is unchanged by swapped modalities, another order of patches or pairs, and another basis of channels',
    (relation) =>
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 1000 }),
          fc.integer({ min: 1, max: 4 }),
          fc.shuffledSubarray(
            Array.from({ length: 20 }, (_, i) => i),
            { minLength: 20 },
          ),
          fc.constantFrom('patch', 'pixel'),
          fc.constantFrom('auto', 'gram'),
          (seed, batch, order, normalize, form) =>
            tidy(() => {
              const hasGram = relation === 'correlation' || relation === 'cka';
              const options = { relation, normalize, patches: [5, 4], ...(hasGram && { form }) } as const;
              const [a, b] = [map([batch, 3, 5, 4], seed), map([batch, 3, 5, 4], seed + 5000)];
              const of = (x: Tensor, y: Tensor) => consistencyLoss([x], [y], options).item();
              const loss = of(a, b);
              expect(of(b, a)).toBeCloseTo(loss, 12);
              expect(of(rearranged(a, order), rearranged(b, order))).toBeCloseTo(loss, 12);
              expect(of(flip(a, [0]), flip(b, [0]))).toBeCloseTo(loss, 12);
              // Local contrast compares the embeddings themselves, all others only what an image's patches are to
              // each other.
              const turned = relation === 'local-contrast' ? flip(a, [1]) : a;
              expect(of(turned, flip(b, [1]))).toBeCloseTo(loss, 12);
              expect(of(a.mul(3), b.mul(0.2))).toBeCloseTo(loss, 12);
            }),
        ),
        { numRuns: 15 },
      ),
  );

  test.each(RELATIONS)('%s has the same value and gradients on maps that hold A and then B', (relation) =>
    tidy(() => {
      const both = map([6, 3, 7, 6], 9, { requiresGrad: true });
      const options = { relation, patches: [5, 6] } as const;
      const stacked = stackedConsistencyLoss([both], options);
      const { loss, gradients } = differentiate(both.narrow(0, 0, 3), both.narrow(0, 3, 3), options);
      expect(stacked.item()).toBe(loss);
      const [gradient] = gradientsOf([stacked], [both]);
      const expected = [...gradients[0]!, ...gradients[1]!].map(Number);
      expect(relativeError(gradient!.toArray(), expected)).toBeLessThan(1e-14);
    }),
  );

  test.each(RELATIONS)('%s is the f32 loss inside autocast', (relation) =>
    tidy(() => {
      const [a, b] = [map([2, 3, 8, 8], 1, { dtype: 'f32' }), map([2, 3, 8, 8], 2, { dtype: 'f32' })];
      for (const patches of [
        [4, 4],
        [8, 8],
      ] as const) {
        const inside = autocast('bf16', () => consistencyLoss([a], [b], { relation, patches }));
        expect(inside.dtype).toBe('f32');
        expect(inside.item()).toBe(consistencyLoss([a], [b], { relation, patches }).item());
      }
    }),
  );
});

describe('relations by C×C matrices', () => {
  test.each(grams)('have the value and gradient of P×P matrices for %s', (relation) =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 6 }),
        fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 6 })),
        fc.constantFrom('floor', 'adaptive'),
        fc.constantFrom('patch', 'pixel'),
        (seed, channels, patches, windows, normalize) =>
          tidy(() => {
            const [a, b] = [map([2, channels, 7, 6], seed), map([2, channels, 7, 6], seed + 5000)];
            const options = { relation, patches, windows, normalize } as const;
            const direct = differentiate(a, b, { ...options, form: 'patches' });
            const gram = differentiate(a, b, { ...options, form: 'gram' });
            expect(Math.abs(gram.loss - direct.loss)).toBeLessThan(1e-13);
            // Two patches that differ have a CKA of 1: its gradient is nothing but rounding, up to 2e-13 over all
            // these seeds.
            const least = relation === 'cka' ? 0.1 : 1e-3;
            const scale = Math.max(least, ...direct.gradients.map(magnitude));
            direct.gradients.forEach((gradient, i) => {
              const difference = tensor(gradient).sub(tensor(gram.gradients[i]!)).toArray();
              expect(magnitude(difference)).toBeLessThan(1e-11 * scale);
            });
          }),
      ),
      { numRuns: 40 },
    ),
  );

  test('keep 5 digits of L = 1e-6 in f32, and 4 of its gradient', () =>
    tidy(() => {
      // B in another basis, so that no embedding equals its mate's: then the three terms of the C×C form cancel.
      const shape = [2, 16, 20, 20];
      const a = map(shape, 1, { dtype: 'f32' });
      const b = flip(a, [1]).add(map(shape, 2, { dtype: 'f32' }).mul(0.0026));
      const options = { patches: [20, 20], form: 'gram' } as const;
      const wide = differentiate(a.to({ dtype: 'f64' }), b.to({ dtype: 'f64' }), {
        ...options,
        form: 'patches',
      });
      const { loss, gradients } = differentiate(a, b, options);
      expect(wide.loss).toBeGreaterThan(5e-7);
      expect(wide.loss).toBeLessThan(2e-6);
      expect(relativeError([loss], [wide.loss])).toBeLessThan(1e-5);
      gradients.forEach((gradient, i) => {
        expect(relativeError(gradient, Array.from(wide.gradients[i]!, Number))).toBeLessThan(1e-4);
      });
    }));

  test('are exactly 0 for equal relations, and never below', () =>
    tidy(() => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const a = map([1, 4, 6, 6], seed);
        const options = { patches: [6, 6], form: 'gram' } as const;
        expect(consistencyLoss([a], [a], options).item()).toBe(0);
        const turned = consistencyLoss([a], [flip(a, [1])], options).item();
        expect(turned).toBeGreaterThanOrEqual(0);
        expect(turned).toBeLessThan(1e-15);
      }
    }));

  test('are chosen where patches outnumber channels, never on the paper’s grid', () => {
    expect(formFor(1, 16, {})).toBe('patches');
    expect(formFor(32, 96, {})).toBe('patches');
    expect(formFor(32, 97, {})).toBe('gram');
    expect(formFor(512, 784, {})).toBe('patches');
    expect(formFor(512, 784, { relation: 'cka' })).toBe('gram');
    expect(formFor(128, 12544, { distance: 'frobenius' })).toBe('patches');
    expect(formFor(128, 12544, { relation: 'kl' })).toBe('patches');
    expect(formFor(128, 12544, { form: 'patches' })).toBe('patches');
  });

  test('compare single pixels of a 112² map in one step', () => {
    tidy(() => {
      const both = l2Normalize(map([2, 8, 112, 112], 1, { dtype: 'f32' }), 1)
        .detach()
        .setRequiresGrad();
      for (const relation of grams) {
        const [gradient] = gradientsOf(
          [stackedConsistencyLoss([both], { relation, patches: [112, 112] })],
          [both],
        );
        expect(ops.all(ops.finite(gradient!)).item()).toBe(1);
        expect(ops.vectorNorm(gradient!, 2, null, false).item()).toBeGreaterThan(0);
      }
    });
  });
});

describe('relations pair by pair', () => {
  const half = 2 ** 27; // two pairs at once
  const loss = (a: Tensor, b: Tensor) => relationLoss(a, b, 0, { relation: 'kl' });
  const embeddings = (seed: number) => l2Normalize(map([5, 3, 8], seed), 1).detach();

  test('have the value and gradient of the whole batch', () =>
    tidy(() => {
      const [a, b] = [embeddings(1).setRequiresGrad(), embeddings(2).setRequiresGrad()];
      const whole = loss(a, b);
      const expected = gradientsOf([whole.mul(3)], [a, b]).map(
        (gradient) => gradient!.toArray() as Float64Array,
      );
      for (const bytes of [half, 2 * half, 9 * half]) {
        const sizes: number[] = [];
        const parts = meanOverPairs(a, b, bytes, (x, y) => {
          sizes.push(x.size(0));
          return loss(x, y);
        });
        expect(sizes).toEqual(bytes === half ? [2, 2, 1] : [1, 1, 1, 1, 1]);
        expect(relativeError([parts.item()], [whole.item()])).toBeLessThan(1e-14);
        gradientsOf([parts.mul(3)], [a, b]).forEach((gradient, i) => {
          expect(relativeError(gradient!.toArray(), expected[i]!)).toBeLessThan(1e-13);
        });
      }
    }));

  test('make no graph without a gradient, and allow one image to be fixed', () =>
    tidy(() => {
      const [a, b] = [embeddings(1).setRequiresGrad(), embeddings(2)];
      const fixed = meanOverPairs(a, b, half, loss);
      const [expected] = gradientsOf([loss(a, b)], [a]);
      const [gradient] = gradientsOf([fixed], [a]);
      expect(relativeError(gradient!.toArray(), expected!.toArray() as Float64Array)).toBeLessThan(1e-13);
      const plain = noGrad(() => meanOverPairs(a.mul(1), b, half, loss));
      expect(plain.requiresGrad).toBe(false);
      expect(plain.item()).toBe(fixed.item());
    }));

  test('leave one tensor behind', () =>
    tidy(() => {
      const [a, b] = [embeddings(1).setRequiresGrad(), embeddings(2).setRequiresGrad()];
      const before = undisposedTensors();
      meanOverPairs(a, b, half, loss);
      expect(undisposedTensors()).toBe(before + 1);
    }));
});

describe('errors of the relations', () => {
  const fails = (options: object, message: RegExp, shape = [2, 2, 4, 4]) =>
    tidy(() => {
      const a = map(shape, 1, { dtype: 'f32' });
      expect(() => consistencyLoss([a], [a], options)).toThrow(TensorError);
      expect(() => consistencyLoss([a], [a], options)).toThrow(message);
    });

  test('name misspelt options, and options that do not go together', () => {
    fails(
      { relation: 'KL' },
      /relation is "KL", expected correlation or normed or kl or local-contrast or cka/,
    );
    fails({ form: 'c' }, /form is "c", expected auto or patches or gram/);
    for (const relation of RELATIONS.filter((one) => one !== 'correlation' && one !== 'normed')) {
      fails(
        { relation, distance: 'frobenius' },
        new RegExp(`goes with relation correlation or normed, not with ${relation}`),
      );
    }
    for (const relation of ['kl', 'transport', 'alignment-free']) {
      const expected = new RegExp(`not with relation ${relation} and distance mse; leave form at auto`);
      fails({ form: 'gram', relation }, expected);
    }
    fails({ form: 'gram', distance: 'frobenius' }, /not with relation correlation and distance frobenius/);
    fails({ relationTau: 0.1 }, /relationTau is 0.1, but relation correlation has no temperature/);
    for (const relationTau of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      fails(
        { relation: 'kl', relationTau },
        new RegExp(`relationTau is ${relationTau}, expected a positive .* such as 0.1`),
      );
    }
  });

  test('say how much memory P×P matrices would take, before anything is computed', () => {
    const shape = [2, 1, 112, 112];
    const patches = [112, 112];
    fails(
      { relation: 'kl', patches },
      /relation kl of map 0 compares 12544×12544 patches, which takes 10.0 GiB for each pair, more than the limit of 4 GiB; use a coarser grid/,
      shape,
    );
    for (const [relation, size] of [
      ['transport', '5.9'],
      ['alignment-free', '11.7'],
    ] as const) {
      const expected = new RegExp(`relation ${relation} of map 0 .* takes ${size} GiB.*; use a coarser grid`);
      fails({ relation, patches }, expected, shape);
    }
    fails({ consistencyShift: 1, patches }, /takes 5.3 GiB for each pair.*; use a coarser grid/, shape);
    fails({ form: 'patches', patches }, /takes 5.3 GiB for each pair.*; use form gram/, shape);
  });

  test('come for an odd number of images, which has no mates', () =>
    tidy(() => {
      expect(() => stackedConsistencyLoss([map([3, 2, 4, 4], 1)])).toThrow(/map 0 holds 3 images/);
    }));
});
