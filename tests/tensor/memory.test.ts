import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { keep, liveTensors, noGrad, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { type Dtype, native } from '../../src/tensor/native.js';
import { op } from '../../src/tensor/operator.js';
import { undisposedTensors } from './undisposed.js';

describe('tidy', () => {
  test('frees all but the result', () => {
    const before = liveTensors();
    let inner: Tensor | undefined;
    const y = tidy(() => {
      inner = tensor([1, 2]);
      return inner.add(1);
    });
    expect(inner!.disposed).toBe(true);
    expect([...y.toArray()]).toEqual([2, 3]);
    expect(liveTensors()).toBe(before + 1);
    y.dispose();
    expect(liveTensors()).toBe(before);
  });

  test('spares tensors in arrays, maps, sets and plain objects, however deep', () => {
    const before = liveTensors();
    const x = tensor([1]);
    const result = tidy(() => {
      x.add(100);
      return {
        list: [x.add(1), [x.add(2)]],
        map: new Map([['a', { b: x.add(3) }]]),
        set: new Set([x.add(4)]),
        bare: Object.assign(Object.create(null) as object, { x: x.add(5) }),
        nothing: null,
        text: 'text',
        x,
      };
    });
    expect(liveTensors()).toBe(before + 6);
    expect(result.map.get('a')!.b.item()).toBe(4);
    expect([...result.set][0]!.item()).toBe(5);
    tidy(() => keep(result)); // a result that was not made inside stays the caller's
    expect(x.disposed).toBe(false);
  });

  test('nests: what an inner scope returns belongs to the outer', () => {
    const before = liveTensors();
    const kept = tidy(() => {
      const inner = tidy(() => tensor([1]).add(1));
      expect(inner.disposed).toBe(false);
      expect(liveTensors()).toBe(before + 1);
      return inner.add(1);
    });
    expect(liveTensors()).toBe(before + 1);
    expect(kept.item()).toBe(3);
    kept.dispose();
  });

  test('frees everything when the body throws', () => {
    const before = liveTensors();
    expect(() =>
      tidy(() => {
        tidy(() => tensor([1]));
        const x = tensor([1, 2]);
        return x.add(tensor([1, 2, 3]));
      }),
    ).toThrow(/size of tensor/);
    expect(liveTensors()).toBe(before);
  });

  test('refuses a promise, frees, and leaves no unhandled rejection', () => {
    const before = liveTensors();
    expect(() =>
      tidy(async () => {
        tensor([1]);
        throw new Error('later');
      }),
    ).toThrow('tidy(): the function returned a promise; tidy only synchronous work');
    expect(liveTensors()).toBe(before);
  });

  test('keep() takes tensors out of all scopes', () => {
    const before = liveTensors();
    let kept: Tensor[] = [];
    tidy(() => {
      tidy(() => {
        kept = keep([tensor([1]), tensor([2])]);
      });
    });
    tidy(() => {
      const outer = tensor([3]);
      tidy(() => kept.push(keep(outer)));
    });
    expect(kept.map((x) => x.item())).toEqual([1, 2, 3]);
    expect(liveTensors()).toBe(before + 3);
    for (const x of kept) x.dispose();
  });

  test('an in-place operator makes nothing', () => {
    const x = tensor([1]);
    const before = liveTensors();
    tidy(() => ops.addScalar_(x, 1));
    ops.addScalar_(x, 1);
    expect([x.disposed, x.item(), liveTensors()]).toEqual([false, 3, before]);
  });
});

test('without tidy a synchronous loop frees nothing: finalizers wait for the event loop', () => {
  const before = liveTensors();
  for (let i = 0; i < 1000; i += 1) tensor([i]);
  expect(liveTensors()).toBe(before + 1000);
});

test('a tensor that the collector took still counts as one that nobody disposed of', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const before = undisposedTensors();
  const [live, collected] = [liveTensors(), native().collectedTensors()];
  for (let i = 0; i < 10; i += 1) tensor([i]);
  tensor([10]).dispose();
  // Finalizers run in later turns of the event loop, and the last object may still lie on the stack.
  for (let turn = 0; turn < 20 && native().collectedTensors() < collected + 9; turn += 1) {
    collect();
    await new Promise((next) => setImmediate(next));
  }
  expect(native().collectedTensors()).toBeGreaterThanOrEqual(collected + 9);
  expect(liveTensors()).toBeLessThanOrEqual(live + 1);
  expect(undisposedTensors()).toBe(before + 10);
});

test('two hundred training steps leave as many tensors as there were', () => {
  const weight = tensor([1, 2, 3, 4], [2, 2], { requiresGrad: true });
  const x = tensor([1, 0.5], [1, 2]);
  const counts = new Set<number>();
  const losses: number[] = [];
  for (let step = 0; step < 200; step += 1) {
    losses.push(
      tidy(() => {
        const y = x.matmul(weight);
        const loss = y.mul(y).sum();
        loss.backward();
        noGrad(() => {
          ops.add_(weight, weight.grad!.mul(-0.1));
          ops.zero_(weight.grad!);
        });
        return loss.item();
      }),
    );
    counts.add(liveTensors());
  }
  expect(counts.size).toBe(1);
  expect(losses.at(-1)).toBeLessThan(1e-6 * losses[0]!);
});

describe('external memory reported to V8', () => {
  const megabytes = 256;
  const bytes = megabytes << 20;
  /** What `body` adds, in units of the big tensor; nothing else here is nearly as large. */
  function added(body: () => unknown): number {
    const before = native().externalMemory();
    body();
    return Math.round(((native().externalMemory() - before) / bytes) * 4) / 4;
  }
  // Memory that nobody touches costs nothing.
  const empty = op<[shape: readonly number[], dtype: Dtype], Tensor>(
    'aten::empty.memory_format',
    'int[]',
    'ScalarType?',
  );
  const big = () => empty([bytes], 'u8');

  test('counts a storage once, until its last view is freed', () => {
    let x!: Tensor;
    let view!: Tensor;
    expect(
      added(() => {
        x = big();
      }),
    ).toBe(1);
    expect(
      added(() => {
        view = x.narrow(0, 0, 1);
      }),
    ).toBe(0);
    expect(added(() => x.dispose())).toBe(0);
    expect(added(() => view.dispose())).toBe(-1);
    expect(added(() => tidy(() => [big(), null][1]))).toBe(0);
  });

  test('follows a storage that is replaced or resized in place', () => {
    const small = tensor([0], [1], { dtype: 'u8' });
    expect(
      added(() =>
        tidy(() => {
          ops.setData(small, big());
        }),
      ),
    ).toBe(1);
    const resize = op<[x: Tensor, shape: number[]], Tensor>('aten::resize_');
    const other = tensor([0], [1], { dtype: 'u8' });
    expect(added(() => resize(other, [bytes]))).toBe(1);
    expect(
      added(() => {
        small.dispose();
        other.dispose();
      }),
    ).toBe(-2);
  });
});
