import { describe, expect, test } from 'vitest';
import type { Loader } from '../../../src/data/loading/loader.js';
import { LINEAR_PRESETS, type TrainingPreset } from '../../../src/evaluation/trained/presets.js';
import { DivergedError, trainClassifier } from '../../../src/evaluation/trained/trainClassifier.js';
import { type Tensor, tensor, tidy } from '../../../src/tensor/index.js';
import { undisposedTensors } from '../../tensor/undisposed.js';

const preset: TrainingPreset = {
  ...LINEAR_PRESETS.find(({ name }) => name === 'simclr')!,
  batchSize: 4,
  epochs: 3,
  schedule: { kind: 'multistep', milestones: [1, 2], gamma: 0.1, unit: 'epoch' },
  perBatch: 2,
  learningRate: 0.5,
};

/** A trainable number, whose steps record the rate and the gradient. */
function fixture(loss: (x: Tensor, step: number) => Tensor = (x) => x.mul(3)) {
  const x = tensor(1, [], { requiresGrad: true });
  const seen = {
    rates: [] as number[],
    gradients: [] as number[],
    ids: [] as string[][],
    labels: [] as number[][],
  };
  const prepared: number[][] = [];
  const loader: Loader = {
    size: 1,
    modalities: ['a'],
    prepare: async (indices) => void prepared.push([...indices]),
    load: (indices) => ({ images: { a: tensor([...indices], [indices.length, 1, 1, 1]) } }),
    check: () => {},
    dispose: () => {},
  };
  const epochs: number[] = [];
  const run = (own: TrainingPreset = preset) =>
    trainClassifier({
      preset: own,
      name: 'row',
      samples: {
        positions: [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
        ids: Array.from({ length: 10 }, (_, i) => `s${i}`),
        labels: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
      },
      loader,
      device: 'cpu',
      seed: 3,
      optimizer: {
        step: (rate) => {
          seen.rates.push(rate);
          seen.gradients.push(tidy(() => x.grad!.item()));
        },
        zeroGrad: () => {
          x.grad = null;
        },
      },
      objective: ({ ids, rows, images }, classes) => {
        seen.ids.push([...ids]);
        seen.labels.push([...classes.toArray()].map(Number));
        expect([...images.a!.toArray()].map(Number)).toEqual(rows.map((row) => row + 10));
        return loss(x, seen.ids.length);
      },
      afterEpoch: async (epoch) => void epochs.push(epoch),
      onStep: () => {},
    });
  return { x, seen, prepared, epochs, run };
}

describe('trainClassifier', () => {
  test('trains every epoch at the scheduled rates, with each sample’s own label, and leaves no tensor', async () => {
    const { x, seen, epochs, run } = fixture();
    const before = undisposedTensors();
    await run();
    // 10 samples in batches of 4, the rest left out: two steps an epoch at 0.5 · 4/2.
    expect(seen.rates.map((rate) => Number(rate.toPrecision(12)))).toEqual([1, 1, 0.1, 0.1, 0.01, 0.01]);
    expect(seen.gradients).toEqual([3, 3, 3, 3, 3, 3]); // dropped after each step
    expect(epochs).toEqual([0, 1, 2]);
    expect(seen.labels).toEqual(seen.ids.map((ids) => ids.map((id) => Number(id.slice(1)) % 2)));
    const orders = [0, 2, 4].map((step) => [...seen.ids[step]!, ...seen.ids[step + 1]!]);
    expect(orders.every((order) => new Set(order).size === 8)).toBe(true);
    expect(orders[0]).not.toEqual(orders[1]);
    expect(undisposedTensors()).toBe(before);
    const again = fixture();
    await again.run({ ...preset, dropLast: false });
    expect(again.seen.ids.map(({ length }) => length)).toEqual([4, 4, 2, 4, 4, 2, 4, 4, 2]);
    for (const made of [x, again.x]) made.dispose();
  });

  test('lets other work have its turn between two steps', async () => {
    const { x, seen, run } = fixture();
    const turns: number[] = [];
    const look = () => {
      turns.push(seen.ids.length);
      if (seen.ids.length < 6) setImmediate(look);
    };
    setImmediate(look);
    await run();
    expect(turns.length).toBeGreaterThanOrEqual(5);
    x.dispose();
  });

  test('ends when the loss is not finite, before the weights are spoilt', async () => {
    const { x, seen, run } = fixture((own, step) => own.mul(step === 3 ? Number.NaN : 1));
    const before = undisposedTensors();
    const outcome = run();
    await expect(outcome).rejects.toThrow(DivergedError);
    await expect(outcome).rejects.toThrow(
      'row: the loss is NaN at step 3 of 6 (preset simclr, learning rate 0.5)',
    );
    expect(seen.rates).toHaveLength(2);
    expect(undisposedTensors()).toBe(before);
    x.dispose();
  });
});
