import fc from 'fast-check';
import { expect, it } from 'vitest';
import { labelledShare } from '../../../src/evaluation/folds/labelledShare.js';
import type { Task } from '../../../src/evaluation/folds/task.js';

/** Makes `n` samples, `each` of them per subject, one in three positive. */
function taskOf(n: number, each: number): Task {
  const indices = Array.from({ length: n }, (_, i) => i);
  return {
    positions: indices,
    ids: indices.map(String),
    subjects: indices.map((i) => `p${Math.floor(i / each)}`),
    labels: indices.map((i) => (i % 3 === 0 ? 1 : 0)),
    classes: ['none', 'tumor'],
  };
}

it('the labelled share takes a part of each class, nested, by seed and fold', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 30, max: 90 }),
      fc.integer({ min: 1, max: 6 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.nat(5),
      (n, each, one, other, seed) => {
        const task = taskOf(n, each);
        const train = task.positions.filter((i) => i % 5 !== 0);
        const draw = (share: number) => labelledShare(task, train, share, { seed, fold: 0 });
        const [few, more] = [one, other].sort((a, b) => a - b).map(draw);
        expect(few!.every((i) => more!.includes(i))).toBe(true);
        expect(more!.every((i) => train.includes(i))).toBe(true);
        for (const c of [0, 1]) {
          const all = train.filter((i) => task.labels[i] === c).length;
          const own = few!.filter((i) => task.labels[i] === c);
          expect(own).toHaveLength(Math.max(2, Math.ceil(Math.min(one, other) * all)));
          expect(new Set(own.map((i) => task.subjects[i])).size).toBeGreaterThan(1);
        }
      },
    ),
  );
});

it('the labelled share differs with the seed and the fold, and is everything at 1', () => {
  const task = taskOf(90, 3);
  const at = (seed: number, fold: number) => labelledShare(task, task.positions, 0.2, { seed, fold }).join();
  expect(at(0, 0)).toBe(at(0, 0));
  expect(at(0, 0)).not.toBe(at(1, 0));
  expect(at(0, 0)).not.toBe(at(0, 1));
  expect(labelledShare(task, task.positions, 1, { seed: 0, fold: 0 })).toEqual([...task.positions]);
});

it('the labelled share is not one larger where a product of decimals rounds up', () => {
  // 0.07 · 100 is 7.000000000000001.
  const task = taskOf(150, 1);
  const share = labelledShare(task, task.positions, 0.07, { seed: 0, fold: 0 });
  expect(share.filter((i) => task.labels[i] === 0)).toHaveLength(7);
});
