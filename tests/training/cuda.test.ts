import { describe, expect, test } from 'vitest';
import { Sgd } from '../../src/optim/index.js';
import { cudaDevices, type Device } from '../../src/tensor/index.js';
import type { Precision } from '../../src/training/precision.js';
import { trainingStep } from '../../src/training/step.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { freed, METHODS, methodConfig, numbers, tinyBatch, tinyMethod, withOneThread } from './tiny.js';

withOneThread();

/** Trains on so many batches, and returns the losses and all that the method then holds. */
function train(
  settings: readonly string[],
  device: Device,
  precision: Precision,
  { steps = 2, microBatch }: { steps?: number; microBatch?: number } = {},
) {
  const method = tinyMethod(methodConfig(...settings), [], device);
  const optimizer = freed(new Sgd(method.parameters(), { momentum: 0.9, weightDecay: 1e-4 }));
  const losses = Array.from({ length: steps }, (_, epoch) => {
    const batch = tinyBatch(8, [1, 3], epoch);
    const images = Object.fromEntries(
      Object.entries(batch.images).map(([name, image]) => [name, freed(image.to({ device }))] as const),
    );
    for (const image of Object.values(batch.images))
      if (!Object.values(images).includes(image)) image.dispose();
    const options = microBatch === undefined ? {} : { microBatch };
    return trainingStep({
      method,
      optimizer,
      batch: { ...batch, images },
      learningRate: 0.003,
      precision,
      device,
      ...options,
    }).loss;
  });
  return { losses, state: new Map([...method.state()].map(([name, one]) => [name, numbers(one)] as const)) };
}

const named = METHODS.map((settings) => [settings.join(' '), settings] as const);

describe.skipIf(cudaDevices() === 0)('on a GPU', () => {
  describe.each(named)('%s', (_, settings) => {
    test('a step in fp32 gives the loss and weights of a CPU', () => {
      const [cpu, gpu] = (['cpu', 'cuda'] as const).map((device) =>
        train(settings, device, 'fp32', { steps: 1 }),
      );
      expect(Math.abs(gpu!.losses[0]! / cpu!.losses[0]! - 1)).toBeLessThan(1e-4);
      for (const [name, values] of gpu!.state) {
        const expected = cpu!.state.get(name)!;
        // Before batch norm a bias has no effect: its gradient is rounding noise.
        if (
          /^(.*\.)?features\..*bias$/.test(name) &&
          cpu!.state.get(name.replace(/bias$/, 'weight'))!.length > 1000
        )
          continue;
        // Sums in another order, and where a maximum is nearly a tie another pixel's gradient: seen after two steps,
        // 2.6e-4.
        const scale = Math.max(1e-3, ...expected.map(Math.abs));
        const worst = Math.max(...values.map((value, i) => Math.abs(value - expected[i]!)));
        expect(worst / scale, name).toBeLessThan(5e-4);
      }
    });

    test('the same run gives the same bits', () => {
      const [one, two] = [train(settings, 'cuda', 'bf16'), train(settings, 'cuda', 'bf16')];
      expect(two.losses).toEqual(one.losses);
      expect(two.state).toEqual(one.state);
    });

    test('in half precision the losses are near those in fp32', () => {
      const whole = train(settings, 'cuda', 'fp32');
      const worst = (precision: Precision) =>
        Math.max(
          ...train(settings, 'cuda', precision).losses.map((loss, i) =>
            Math.abs(loss / whole.losses[i]! - 1),
          ),
        );
      expect(worst('bf16')).toBeLessThan(0.05);
      expect(worst('fp16')).toBeLessThan(0.02);
    });

    test('micro-batches give the loss of a CPU', () => {
      const [cpu, gpu] = (['cpu', 'cuda'] as const).map((device) =>
        train(settings, device, 'fp32', { steps: 1, microBatch: 4 }),
      );
      expect(Math.abs(gpu!.losses[0]! / cpu!.losses[0]! - 1)).toBeLessThan(1e-4);
    });
  });

  test('a step leaves no tensor behind', () => {
    const before = undisposedTensors();
    const steps = () => train(named[0]![1], 'cuda', 'bf16');
    steps();
    const after = undisposedTensors();
    steps();
    expect(undisposedTensors() - after).toBe(after - before);
  });
});
