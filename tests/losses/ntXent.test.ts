import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { infoNce, ntXent, ntXentChance } from '../../src/losses/index.js';
import { autocast, tensor, tidy } from '../../src/tensor/index.js';
import { flip } from '../tensor/flip.js';
import { bool, equalRows, numbers, oneHot, rows } from './embeddings.js';

describe('ntXent', () => {
  test('is ln(V·N − 1), the chance level, when all embeddings are equal', () =>
    tidy(() => {
      const f = equalRows(5, 3);
      for (const views of [2, 3, 4]) {
        expect(ntXent(Array(views).fill(f)).item()).toBeCloseTo(ntXentChance(views, 5), 12);
      }
      expect(ntXentChance(2, 5)).toBe(Math.log(9));
    }));

  test('is ln((V − 1)·e^{1/τ} + V·(N − 1)) − 1/τ for one-hot embeddings', () =>
    tidy(() => {
      for (const views of [2, 3]) {
        const all = Array.from({ length: views }, (_, v) => oneHot(4, v + 1));
        const expected = Math.log((views - 1) * Math.exp(1 / 0.4) + views * 3) - 1 / 0.4;
        expect(ntXent(all, { tau: 0.4 }).item()).toBeCloseTo(expected, 12);
      }
    }));

  test('has no negatives in a batch of one: it is 0 for two views, and counts the other positives for more', () =>
    tidy(() => {
      expect(ntXent([rows([1, 3], 1), rows([1, 3], 2)]).item()).toBe(0);
      expect(ntXent(Array(4).fill(equalRows(1, 3))).item()).toBeCloseTo(Math.log(3), 14);
    }));

  test('does not depend on the order of samples or views, or on the scale of a row', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 2, max: 4 }),
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        (seed, samples, views, scale) =>
          tidy(() => {
            const all = Array.from({ length: views }, (_, v) => rows([samples, 3], seed + v));
            const marks = rows([samples, samples], seed + 9);
            const exclude = bool(
              numbers(marks).map((x) => x > 0),
              [samples, samples],
            );
            const loss = ntXent(all, { tau: 0.2, exclude }).item();
            const turned = all.map((view) => flip(view, [0]));
            const turnedMask = flip(exclude, [0, 1]);
            expect(ntXent(turned, { tau: 0.2, exclude: turnedMask }).item()).toBeCloseTo(loss, 11);
            expect(ntXent([...all].reverse(), { tau: 0.2, exclude }).item()).toBeCloseTo(loss, 11);
            const scaled = all.map((view, v) => (v === 0 ? view.mul(scale) : view));
            expect(ntXent(scaled, { tau: 0.2, exclude }).item()).toBeCloseTo(loss, 11);
          }),
      ),
      { numRuns: 30 },
    );
  });

  test('counts negatives of the same view, unlike InfoNCE, and never an image as its own negative', () =>
    tidy(() => {
      // A's rows are all equal, B's are orthogonal to them: InfoNCE from A to B sees no difference, NT-Xent sees A's
      // rows collapse.
      const a = tensor([1, 0, 0, 1, 0, 0], [2, 3], { dtype: 'f64' });
      const b = tensor([0, 1, 0, 0, 0, 1], [2, 3], { dtype: 'f64' });
      expect(infoNce(a, b, { tau: 0.5 }).item()).toBeCloseTo(Math.log(2), 14);
      // Anchors in A: the other A at cosine 1, two Bs at 0. Anchors in B: all three at 0.
      const expected = (Math.log(Math.exp(2) + 2) + Math.log(3)) / 2;
      expect(ntXent([a, b], { tau: 0.5 }).item()).toBeCloseTo(expected, 14);
    }));

  test('takes the mean over the positives outside the logarithm (L_out), not inside', () =>
    tidy(() => {
      // One sample, three views at 0°, 60° and 90°: nothing but positives.
      const views = [0, Math.PI / 3, Math.PI / 2].map((angle) =>
        tensor([Math.cos(angle), Math.sin(angle)], [1, 2], { dtype: 'f64' }),
      );
      const cosines = [
        [0.5, 0],
        [0.5, Math.cos(Math.PI / 6)],
        [0, Math.cos(Math.PI / 6)],
      ];
      const expected = cosines.map(([p, q]) => Math.log(Math.exp(p!) + Math.exp(q!)) - (p! + q!) / 2);
      const mean = expected.reduce((sum, x) => sum + x) / 3;
      expect(ntXent(views, { tau: 1 }).item()).toBeCloseTo(mean, 14);
    }));

  test('does not overflow at a small temperature, also in f32', () =>
    tidy(() => {
      const [a, b] = [1, 2].map((seed) => rows([4, 3], seed, { dtype: 'f32', requiresGrad: true }));
      const loss = ntXent([a!, b!], { tau: 0.001 });
      loss.backward();
      expect(Number.isFinite(loss.item())).toBe(true);
      expect(numbers(a!.grad).every(Number.isFinite)).toBe(true);
    }));

  test('gets no further negatives by accumulating over micro-batches', () =>
    tidy(() => {
      const all = [1, 2].map((seed) => rows([6, 3], seed));
      const half = (start: number) => ntXent(all.map((view) => view.narrow(0, start, 3))).item();
      expect(ntXent(all).item() - (half(0) + half(3)) / 2).toBeGreaterThan(0.5);
    }));

  test('is the f32 loss inside autocast', () =>
    tidy(() => {
      const views = [1, 2].map((seed) => rows([8, 5], seed, { dtype: 'f32' }));
      const inside = autocast('bf16', () => ntXent(views));
      expect(inside.dtype).toBe('f32');
      expect(inside.item()).toBe(ntXent(views).item());
    }));

  test('drops a false negative in both its views, and gives it no gradient', () =>
    tidy(() => {
      // Samples 0 and 1 are of one subject, so each has only its own positive.
      const exclude = bool([0, 1, 1, 0], [2, 2]);
      const views = [1, 2].map((seed) => rows([2, 3], seed, { requiresGrad: true }));
      const loss = ntXent(views, { exclude });
      loss.backward();
      expect(loss.item()).toBe(0);
      expect(numbers(views[0]!.grad).map(Math.abs)).toEqual(Array(6).fill(0));
    }));

  test('names wrong views, shapes and temperatures', () =>
    tidy(() => {
      const f = rows([2, 3], 1);
      expect(() => ntXent([f])).toThrow(/1 views, expected at least two/);
      expect(() => ntXent([f, rows([3, 3], 1)])).toThrow(/view 1 is \[3,3\].*\[2,3\]/);
      expect(() => ntXent([f, f], { tau: -1 })).toThrow(/ntXent: tau is -1/);
      expect(() => ntXent([f, f], { exclude: bool([0, 0, 0, 0], [4, 1]) })).toThrow(
        /exclude is bool \[4,1\], expected bool \[2,2\]/,
      );
    }));
});
