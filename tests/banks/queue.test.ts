import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyQueue, type KeyQueueOptions } from '../../src/banks/index.js';
import { queueContrast } from '../../src/losses/index.js';
import { l2Normalize, noGrad, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';

const options: KeyQueueOptions = { size: 5, dimension: 3, seed: 7, name: 'global' };

/** Runs `body` with a queue and frees it. */
function withQueue(body: (queue: KeyQueue) => void, more: Partial<KeyQueueOptions> = {}): void {
  const queue = new KeyQueue({ ...options, ...more });
  try {
    tidy(() => body(queue));
  } finally {
    queue.dispose();
  }
}

const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
/** Keys that tell by their own values which sample they are of. */
const keysOf = (tags: readonly number[]): Tensor => {
  const directions = tags.flatMap((tag) => Array.from(values([3], 1 + tag)));
  return tensor(directions, [tags.length, 3], { dtype: 'f32' });
};
const enqueue = (queue: KeyQueue, tags: readonly number[]): void =>
  tidy(() => queue.enqueue(keysOf(tags), tags));

describe('KeyQueue', () => {
  test('starts with random unit keys of no sample, the same for ever for a seed and a name', () =>
    withQueue((queue) => {
      expect(queue.keys.shape).toEqual([5, 3]);
      expect(queue.keys.dtype).toBe('f32');
      for (const length of numbers(ops.vectorNorm(queue.keys, 2, [1], false)))
        expect(length).toBeCloseTo(1, 6);
      expect(numbers(queue.tags)).toEqual([-1, -1, -1, -1, -1]);
      expect(queue.tags.dtype).toBe('i64');
      expect(numbers(queue.keys).slice(0, 3)).toEqual([
        0.7279140949249268, 0.6699953079223633, 0.1457647681236267,
      ]);
      for (const other of [{ name: 'dense' }, { seed: 8 }]) {
        withQueue((different) => expect(numbers(different.keys)).not.toEqual(numbers(queue.keys)), other);
      }
    }));

  test('batches replace the oldest keys and wrap around', () =>
    withQueue((queue) => {
      const start = numbers(queue.keys);
      enqueue(queue, [10, 11]);
      expect(numbers(queue.tags)).toEqual([10, 11, -1, -1, -1]);
      expect(numbers(queue.keys).slice(6)).toEqual(start.slice(6));
      enqueue(queue, [12, 13]);
      enqueue(queue, [14, 15]); // trap: no batch size has to divide the queue's
      expect(numbers(queue.tags)).toEqual([15, 11, 12, 13, 14]);
      enqueue(queue, []);
      enqueue(queue, [16, 17, 18, 19, 20]);
      expect(numbers(queue.tags)).toEqual([20, 16, 17, 18, 19]);
    }));

  test('holds the newest keys in ring order for batches of any size, each with its own tag', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 14 }), { maxLength: 8 }),
        (size, batches) =>
          withQueue(
            (queue) => {
              const expected = new Array<number>(size).fill(-1);
              let sample = 0;
              for (const batch of batches) {
                const tags = Array.from({ length: batch }, (_, i) => sample + i);
                for (const tag of tags) expected[tag % size] = tag; // one key after another
                enqueue(queue, tags);
                sample += batch;
              }
              expect(numbers(queue.tags)).toEqual(expected);
              expected.forEach((tag, place) => {
                if (tag < 0) return;
                const key = numbers(l2Normalize(keysOf([tag]), 1));
                expect(numbers(queue.keys).slice(3 * place, 3 * place + 3)).toEqual(key);
              });
            },
            { size },
          ),
      ),
      { numRuns: 40 },
    );
  });

  test('keys become unit vectors on entry, in f32, whatever they were', () =>
    withQueue((queue) => {
      queue.enqueue(tensor([3, 0, 4], [1, 3], { dtype: 'f64' }), [1]);
      queue.enqueue(tensor([0, 8, 0], [1, 3], { dtype: 'bf16' }), [2]);
      expect(queue.keys.dtype).toBe('f32');
      const expected = [0.6, 0, 0.8, 0, 1, 0];
      numbers(queue.keys)
        .slice(0, 6)
        .forEach((x, i) => {
          expect(x).toBeCloseTo(expected[i]!, 6);
        });
    }));

  test('trap: a queue that is longer than the data holds an image’s own old keys: tags tell which', () =>
    withQueue((queue) => {
      enqueue(queue, [0, 1, 2]);
      enqueue(queue, [1, 0]);
      const ids = tensor([1, 2], [2, 1], { dtype: 'i64' });
      const exclude = ops.eqTensor(ids, ops.unsqueeze(queue.tags, 0));
      expect(numbers(exclude)).toEqual([0, 1, 0, 1, 0, 0, 0, 1, 0, 0]);
      const q = keysOf([1, 2]);
      const [blind, told] = [{}, { exclude }].map((more) => queueContrast(q, q, queue.keys, more).item());
      expect(told!).toBeLessThan(blind!);
    }));

  test('trap: records no graph, and an enqueue between scoring and backward is an error', () =>
    withQueue((queue) => {
      const q = keysOf([0, 1]).setRequiresGrad();
      const loss = queueContrast(q, keysOf([0, 1]), queue.keys);
      queue.enqueue(q.mul(2), [0, 1]);
      expect(queue.keys.requiresGrad).toBe(false);
      expect(() => loss.backward()).toThrow(/modified by an inplace operation/);
      queueContrast(q, keysOf([0, 1]), queue.keys).backward();
      expect(q.grad).not.toBeNull();
      expect(queue.keys.grad).toBeNull();
    }));

  test('trap: is in the checkpoint, its place too: a resumed run equals the uninterrupted one', () =>
    withQueue((uninterrupted) => {
      const steps = [[0, 1, 2], [3, 4, 5], [6], [7, 8, 9, 10, 11, 12, 13], [14, 15]];
      withQueue((stopped) => {
        for (const tags of steps.slice(0, 2)) {
          enqueue(uninterrupted, tags);
          enqueue(stopped, tags);
        }
        withQueue(
          (resumed) => {
            expect([...resumed.state().keys()]).toEqual(['global.keys', 'global.tags', 'global.next']);
            noGrad(() => {
              for (const [name, saved] of stopped.state()) ops.copy_(resumed.state().get(name)!, saved);
            });
            for (const tags of steps.slice(2)) {
              enqueue(uninterrupted, tags);
              enqueue(resumed, tags);
            }
            for (const [name, x] of uninterrupted.state()) {
              expect(numbers(resumed.state().get(name)!)).toEqual(numbers(x));
            }
          },
          { seed: 99 },
        );
      });
    }));

  test('keeps three tensors, and frees them', () => {
    const before = undisposedTensors();
    const queue = new KeyQueue(options);
    enqueue(queue, [1, 2]);
    expect(undisposedTensors()).toBe(before + 3);
    queue.dispose();
    expect(undisposedTensors()).toBe(before);
  });

  test('keys that fit neither tags nor dimension, and empty queues, are refused', () =>
    withQueue((queue) => {
      expect(() => queue.enqueue(keysOf([1, 2]), [1])).toThrow(
        /keys is \[2,3\], expected \[1,3\], one for each tag/,
      );
      expect(() => queue.enqueue(tensor([1, 2], [1, 2]), [1])).toThrow(/KeyQueue global: keys is \[1,2\]/);
      expect(() => queue.enqueue(keysOf([1]), [0.5])).toThrow(/0.5/);
      expect(numbers(queue.tags)).toEqual([-1, -1, -1, -1, -1]);
      expect(() => new KeyQueue({ ...options, size: 0 })).toThrow(/size is 0/);
      expect(() => new KeyQueue({ ...options, dimension: 0 })).toThrow(/dimension is 0/);
    }));
});
