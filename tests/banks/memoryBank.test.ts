import { describe, expect, test } from 'vitest';
import { MemoryBank, type MemoryBankOptions } from '../../src/banks/index.js';
import { bankSoftmax } from '../../src/losses/index.js';
import { noGrad, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { flip } from '../tensor/flip.js';
import { undisposedTensors } from '../tensor/undisposed.js';

const options: MemoryBankOptions = { rows: 6, dimension: 4, seed: 7, name: 'a' };

/** Runs `body` with a bank and frees it. */
function withBank(body: (bank: MemoryBank) => void, more: Partial<MemoryBankOptions> = {}): void {
  const bank = new MemoryBank({ ...options, ...more });
  try {
    tidy(() => body(bank));
  } finally {
    bank.dispose();
  }
}

const features = (batch: number, seed: number): Tensor => tensor(values([batch, 4], seed), [batch, 4]);
const rowsOf = (bank: MemoryBank): number[][] => {
  const all = Array.from(bank.vectors.toArray(), Number);
  const d = bank.vectors.size(1);
  return Array.from({ length: bank.vectors.size(0) }, (_, row) => all.slice(row * d, (row + 1) * d));
};
const norm = (v: readonly number[]): number => Math.hypot(...v);
const i64 = (data: number[]): Tensor => tensor(data, [data.length], { dtype: 'i64' });

describe('MemoryBank', () => {
  test('starts with unit rows of noise, the same for ever for a seed and a name', () =>
    withBank((bank) => {
      expect(bank.vectors.dtype).toBe('f32');
      expect(bank.vectors.shape).toEqual([6, 4]);
      for (const row of rowsOf(bank)) expect(norm(row)).toBeCloseTo(1, 6);
      expect(rowsOf(bank)[0]).toEqual([
        -0.7140386700630188, 0.32168862223625183, -0.5296371579170227, -0.325806200504303,
      ]);
      withBank((same) => expect(rowsOf(same)).toEqual(rowsOf(bank)));
      for (const other of [{ name: 'b' }, { seed: 8 }]) {
        withBank((different) => expect(rowsOf(different)[0]).not.toEqual(rowsOf(bank)[0]), other);
      }
    }));

  test('the noise favours no direction', () =>
    withBank(
      (bank) => {
        // The mean of 2000 unit vectors has an expected length of 1/√2000.
        expect(norm(Array.from(bank.vectors.mean([0]).toArray(), Number))).toBeLessThan(3 / Math.sqrt(2000));
      },
      { rows: 2000, dimension: 16 },
    ));

  test('an update is the re-normalised mix of the old row and the unit feature', () => {
    for (const momentum of [0, 0.5, 0.9]) {
      withBank(
        (bank) => {
          const before = rowsOf(bank);
          const x = features(2, 3);
          bank.update([4, 1], x);
          const after = rowsOf(bank);
          [4, 1].forEach((row, i) => {
            const f = Array.from(x.narrow(0, i, 1).toArray(), Number);
            const mixed = before[row]!.map((v, c) => momentum * v + ((1 - momentum) * f[c]!) / norm(f));
            mixed.forEach((v, c) => {
              expect(after[row]![c]).toBeCloseTo(v / norm(mixed), 6);
            });
          });
          for (const row of [0, 2, 3, 5]) expect(after[row]).toEqual(before[row]);
        },
        { momentum },
      );
    }
  });

  test('does not mind the scale of a feature nor its precision, and a feature of zeros leaves its row', () =>
    withBank((bank) => {
      const before = rowsOf(bank);
      bank.update([0, 2], tensor([0, 0, 0, 0, 3, 0, 0, 0], [2, 4], { dtype: 'bf16' }));
      withBank((other) => {
        other.update([2], tensor([1, 0, 0, 0], [1, 4], { dtype: 'f64' }));
        expect(rowsOf(bank)[2]).toEqual(rowsOf(other)[2]);
      });
      rowsOf(bank)[0]!.forEach((v, c) => {
        expect(v).toBeCloseTo(before[0]![c]!, 6);
      });
    }));

  test('trap: rows belong to images: the order of the batch and a short last one change nothing', () =>
    withBank((bank) => {
      const x = features(5, 3);
      bank.update([5, 0, 3], x.narrow(0, 0, 3));
      bank.update([2, 1], x.narrow(0, 3, 2));
      withBank((other) => {
        other.update([1, 2, 3, 0, 5], flip(x, [0]));
        expect(rowsOf(other)).toEqual(rowsOf(bank));
      });
    }));

  test('trap: never asks for a gradient nor records one, also from features that do', () =>
    withBank((bank) => {
      const x = features(2, 3).setRequiresGrad();
      bank.update([0, 1], x.mul(2));
      expect(bank.vectors.requiresGrad).toBe(false);
      bankSoftmax(x, bank.vectors, i64([0, 1])).backward();
      expect(bank.vectors.grad).toBeNull();
      expect(x.grad).not.toBeNull();
    }));

  test('trap: an update between scoring and backward is an error, not a wrong gradient', () =>
    withBank((bank) => {
      const x = features(2, 3).to({ dtype: 'f32' }).setRequiresGrad();
      const early = bankSoftmax(x, bank.vectors, i64([0, 1]));
      bank.update([0, 1], x);
      expect(() => early.backward()).toThrow(/modified by an inplace operation/);
      const right = bankSoftmax(x, bank.vectors, i64([0, 1]));
      right.backward();
      bank.update([0, 1], x);
      expect(x.grad).not.toBeNull();
    }));

  test('trap: is in the checkpoint: a run resumed from its state equals the uninterrupted one', () =>
    withBank((uninterrupted) => {
      const steps = [[0, 1], [5], [3, 2, 0], [1, 4]];
      const step = (bank: MemoryBank, i: number) =>
        bank.update(steps[i]!, features(steps[i]!.length, 10 + i));
      withBank((stopped) => {
        for (const i of [0, 1]) {
          step(uninterrupted, i);
          step(stopped, i);
        }
        withBank(
          (resumed) => {
            expect([...resumed.state().keys()]).toEqual(['a.vectors']);
            noGrad(() => {
              for (const [name, saved] of stopped.state()) ops.copy_(resumed.state().get(name)!, saved);
            });
            for (const i of [2, 3]) {
              step(uninterrupted, i);
              step(resumed, i);
            }
            expect(rowsOf(resumed)).toEqual(rowsOf(uninterrupted));
          },
          { seed: 99 },
        );
      });
    }));

  test('keeps one tensor, and frees it', () => {
    const before = undisposedTensors();
    const bank = new MemoryBank(options);
    tidy(() => bank.update([0], features(1, 1)));
    expect(undisposedTensors()).toBe(before + 1);
    bank.dispose();
    expect(undisposedTensors()).toBe(before);
  });

  test('rows that come twice, that are not there, and other shapes are refused before anything changes', () =>
    withBank((bank) => {
      const before = rowsOf(bank);
      expect(() => bank.update([1, 2, 1], features(3, 1))).toThrow(/MemoryBank a: row 1 comes twice/);
      expect(() => bank.update([0, 6], features(2, 1))).toThrow(/row 6, expected an integer from 0 to 5/);
      expect(() => bank.update([0, -1], features(2, 1))).toThrow(/row -1/);
      expect(() => bank.update([0], features(2, 1))).toThrow(/features is \[2,4\], expected \[1,4\]/);
      expect(rowsOf(bank)).toEqual(before);
      expect(() => new MemoryBank({ ...options, rows: 0 })).toThrow(/rows is 0/);
      expect(() => new MemoryBank({ ...options, dimension: 1.5 })).toThrow(/dimension is 1.5/);
      expect(() => new MemoryBank({ ...options, momentum: 1 })).toThrow(/momentum is 1/);
    }));
});
