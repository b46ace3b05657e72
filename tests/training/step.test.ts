import { describe, expect, onTestFinished, test } from 'vitest';
import type { Config } from '../../src/config/index.js';
import { consistencyLoss, globalContrastiveLoss } from '../../src/losses/index.js';
import type { Method } from '../../src/methods/index.js';
import { gradientsAtMaps, partsOf } from '../../src/nn/index.js';
import { Sgd } from '../../src/optim/index.js';
import { autocast, noGrad, ops, type Tensor, tidy } from '../../src/tensor/index.js';
import { LossScaler, type Precision, resolveDevice, resolvePrecision } from '../../src/training/precision.js';
import { type StepResult, trainingStep } from '../../src/training/step.js';
import { relativeError } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { numbers, tinyBatch, tinyConfig, tinyMethod, withOneThread } from './tiny.js';

withOneThread();

interface Trainer {
  method: Method;
  optimizer: Sgd;
  step: (options?: {
    epoch?: number;
    inspect?: boolean;
    microBatch?: number;
    recompute?: 'none' | 'cheap';
    learningRate?: number;
    scaler?: LossScaler;
  }) => StepResult;
}

/** Trains on one batch, the same at every step but for the augmentation's epoch. */
function trainer(config: Config, { pairs = 4, precision = 'fp32' as Precision } = {}): Trainer {
  const method = tinyMethod(config);
  const { momentum, weightDecay, nesterov } = config.training;
  const optimizer = new Sgd(method.parameters(), { momentum, weightDecay, nesterov });
  const batch = tinyBatch(pairs);
  onTestFinished(() => {
    optimizer.dispose();
    for (const image of Object.values(batch.images)) image.dispose();
  });
  return {
    method,
    optimizer,
    step: ({ epoch = 0, learningRate = config.training.learningRate, ...more } = {}) =>
      trainingStep({
        method,
        optimizer,
        batch: { ...batch, epoch },
        learningRate,
        precision,
        device: 'cpu',
        ...more,
      }),
  };
}

const snapshot = (method: Method) =>
  new Map([...method.state()].map(([name, tensor]) => [name, numbers(tensor)] as const));

describe('trainingStep', () => {
  test('is the step made by hand: views, one forward, L_C + α·L_Glo, backward, SGD', () => {
    const config = tinyConfig('training.weightDecay=0.01');
    const { method, step } = trainer(config);
    const twin = tinyMethod(config);
    const velocities = new Map<string, Tensor>();
    tidy(() => {
      for (const epoch of [0, 1]) {
        const { loss, terms, finite } = step({ epoch });
        const views = twin.views({ ...tinyBatch(4), epoch });
        const { maps, embedding } = twin.encoderFor('a').forward(views.images, { training: true });
        const part = (x: Tensor, v: number) => x.narrow(0, 4 * v, 4);
        const chosen = [1, 2, 3].map((m) => maps[m]!);
        const [mapsA, mapsB] = [0, 1].map((v) => chosen.map((map) => part(map, v)));
        const consistency = consistencyLoss(mapsA!, mapsB!, { patches: [2, 2] });
        const [a, b, aHat, bHat] = [0, 1, 2, 3].map((v) => part(embedding, v)) as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        const global = globalContrastiveLoss({ a, b, aHat, bHat });
        const total = consistency.add(global.mul(3));
        total.backward();
        expect(finite).toBe(true);
        // To the bit in the first step; then the weights differ by the rounding of the update.
        const close = (value: number, expected: number) =>
          expect(Math.abs(value - expected)).toBeLessThanOrEqual(epoch === 0 ? 0 : 1e-5 * expected);
        close(terms.consistency!, consistency.item());
        close(terms.global!, global.item());
        close(loss, total.item());
        noGrad(() => {
          for (const [name, parameter] of twin.parameters()) {
            const d = parameter.grad!.add(parameter.mul(0.01));
            const velocity = velocities.get(name)?.mul(0.9).add(d) ?? d;
            velocities.set(name, velocity);
            ops.copy_(parameter, parameter.sub(velocity.mul(0.03)));
            parameter.grad = null;
          }
        });
        for (const [name, tensor] of method.state()) {
          const expected = numbers(twin.state().get(name)!);
          const weight = method.state().get(name.replace(/bias$/, 'weight'));
          // Before batch norm a bias has no effect: its gradient is rounding noise, and so is what it becomes.
          if (name.endsWith('.bias') && weight?.shape.length === 4) continue;
          const scale = Math.max(1e-3, ...expected.map(Math.abs));
          const worst = Math.max(...numbers(tensor).map((value, i) => Math.abs(value - expected[i]!)));
          expect(worst / scale, name).toBeLessThan(1e-5);
        }
      }
    });
  });

  test('learns a few pairs by heart: the loss falls far below chance', () => {
    const plain = 'augment={crop: null, flip: 0, jitter: null}';
    // At ten times this rate the last bits decide where it is after 16 steps.
    const { step } = trainer(tinyConfig(plain, 'training.learningRate=0.002'), { pairs: 6 });
    const first = step().terms.global!;
    let last = first;
    for (let i = 0; i < 15; i += 1) last = step().terms.global!;
    expect(first).toBeGreaterThan(0.5 * 4 * Math.log(6));
    expect(last).toBeLessThan(0.15 * 4 * Math.log(6));
  });

  test('leaves no tensor behind, and no gradient, whether it inspects or not', () => {
    const { method, step } = trainer(tinyConfig());
    step();
    const before = undisposedTensors();
    const counts = [false, true, false, true].map((inspect) => {
      step({ inspect });
      return undisposedTensors();
    });
    expect(counts).toEqual([before, before, before, before]);
    for (const parameter of method.parameters().values()) expect(parameter.grad).toBeNull();
  });

  test.each(['fp32', 'bf16'] as const)('computing inputs again gives the same bits, in %s', (precision) => {
    const config = tinyConfig('model.width=0.25');
    for (const microBatch of [4, 2]) {
      const [kept, again] = [trainer(config, { precision }), trainer(config, { precision })];
      for (const epoch of [0, 1]) {
        const options = { epoch, microBatch, inspect: true };
        expect(again.step({ ...options, recompute: 'cheap' })).toEqual(kept.step(options));
      }
      expect(snapshot(again.method)).toEqual(snapshot(kept.method));
    }
  });

  test('an inspection changes nothing', () => {
    const [plain, inspected] = [trainer(tinyConfig()), trainer(tinyConfig())];
    for (const epoch of [0, 1]) {
      const result = inspected.step({ epoch, inspect: true });
      expect(plain.step({ epoch })).toEqual({ ...result, inspection: {} });
    }
    expect(snapshot(inspected.method)).toEqual(snapshot(plain.method));
  });

  test('an inspection measures the weighted terms’ gradients at the maps, their ratio, and chance', () => {
    const config = tinyConfig('method.consistencyWeight=10', 'method.maps=[2,3]');
    const { inspection } = trainer(config).step({ inspect: true });
    const twin = tinyMethod(config);
    tidy(() => {
      const forward = twin.forward(twin.views(tinyBatch(4)));
      const { consistency } = forward.perPair;
      const { global } = twin.loss!(forward.embeddings, tinyBatch(4));
      const norms: Record<string, number> = {};
      for (const [name, { value, weight }] of Object.entries({
        consistency: consistency!,
        global: global!,
      })) {
        for (const [mapName, map] of Object.entries(forward.maps)) {
          const [gradient] = gradientsAtMaps(value, [map]);
          const norm = weight * Math.hypot(...numbers(gradient!));
          norms[`${name}/${mapName}`] = norm;
          expect(inspection[`gradientNorm/${name}/${mapName}`]! / norm).toBeCloseTo(1, 5);
        }
      }
      for (const map of ['map2', 'map3']) {
        const ratio = norms[`consistency/${map}`]! / norms[`global/${map}`]!;
        expect(inspection[`gradientRatio/${map}`]! / ratio).toBeCloseTo(1, 5);
      }
      expect(inspection['chance/global']).toBeCloseTo(4 * Math.log(4), 12);
      expect(inspection['chance/consistency']).toBe(twin.chance(forward, tinyBatch(4)).consistency);
    });
  });

  test('where branches lie side by side, the gradient at a map is that at the maps of the branches', () => {
    const config = tinyConfig('model.branches=2', 'method.maps=[2,3]', 'method.consistencyWeight=0');
    const { inspection } = trainer(config).step({ inspect: true });
    const twin = tinyMethod(config);
    tidy(() => {
      const forward = twin.forward(twin.views(tinyBatch(4)));
      const { global } = twin.loss!(forward.embeddings, tinyBatch(4));
      for (const [name, map] of Object.entries(forward.maps)) {
        const parts = partsOf(map);
        expect(parts.map(({ shape }) => 2 * shape[1]!)).toEqual([map.size(1), map.size(1)]);
        const found = gradientsAtMaps(global!.value, parts);
        const norm = global!.weight * Math.hypot(...found.flatMap((gradient) => [...numbers(gradient!)]));
        expect(norm).toBeGreaterThan(0);
        expect(inspection[`gradientNorm/global/${name}`]! / norm).toBeCloseTo(1, 5);
      }
    });
  });

  test('with alpha 0 the head stays as it is, in spite of weight decay and momentum', () => {
    const { method, optimizer, step } = trainer(tinyConfig('method.alpha=0', 'training.weightDecay=0.1'));
    const before = snapshot(method);
    step();
    const { terms, loss, inspection } = step({ inspect: true });
    const after = snapshot(method);
    expect(after.get('head.weight')).toEqual(before.get('head.weight'));
    expect(after.get('head.bias')).toEqual(before.get('head.bias'));
    expect(after.get('features.0.weight')).not.toEqual(before.get('features.0.weight'));
    expect([...optimizer.state().keys()].some((name) => name.startsWith('head'))).toBe(false);
    expect(loss).toBe(terms.consistency);
    expect(terms.global).toBeGreaterThan(0);
    expect(Object.keys(inspection).filter((key) => key.startsWith('gradientNorm/global'))).toEqual([]);
  });

  test('a loss that is not finite updates nothing', () => {
    const { method, optimizer, step } = trainer(tinyConfig());
    tidy(() => noGrad(() => void ops.addScalar_(method.parameters().get('features.0.weight')!, Number.NaN)));
    const weight = numbers(method.parameters().get('head.weight')!);
    const result = step({ inspect: true });
    expect(result).toMatchObject({ loss: Number.NaN, finite: false, inspection: {} });
    expect(numbers(method.parameters().get('head.weight')!)).toEqual(weight);
    expect(optimizer.state().size).toBe(0);
  });
});

describe('bf16', () => {
  test('terms and loss are computed in f32 from the bf16 forward', () => {
    const method = tinyMethod();
    tidy(() => {
      const views = method.views(tinyBatch(4));
      const forward = autocast('bf16', () => method.forward(views));
      expect(forward.maps.map3!.dtype).toBe('bf16');
      expect(forward.embeddings.a!.dtype).toBe('bf16');
      const { consistency } = forward.perPair;
      const { global } = method.loss!(forward.embeddings, tinyBatch(4));
      expect([consistency!.value.dtype, global!.value.dtype]).toEqual(['f32', 'f32']);
      const wide = Object.values(forward.maps).map((map) => map.to({ dtype: 'f32' }));
      const again = consistencyLoss(
        wide.map((map) => map.narrow(0, 0, 4)),
        wide.map((map) => map.narrow(0, 4, 4)),
        { patches: [2, 2] },
      );
      expect(consistency!.value.item()).toBe(again.item());
    });
  });

  test('weights and velocities stay f32, and a step sees the weights that the one before has made', () => {
    const config = tinyConfig();
    const { method, optimizer, step } = trainer(config, { precision: 'bf16' });
    const losses = [step({ learningRate: 0.1 }).loss];
    for (const tensor of [...method.parameters().values(), ...optimizer.state().values()]) {
      expect(tensor.dtype).toBe('f32');
    }
    // Another network with the same weights, in which nothing can be cached.
    const fresh = trainer(config, { precision: 'bf16' });
    tidy(() =>
      noGrad(() => {
        for (const [name, tensor] of fresh.method.state()) ops.copy_(tensor, method.state().get(name)!);
      }),
    );
    losses.push(step().loss);
    expect(losses[1]).not.toBe(losses[0]);
    expect(fresh.step().loss).toBe(losses[1]);
  });
});

describe('precision', () => {
  test('fp16 is refused on a CPU, auto never chooses it', () => {
    expect(() => resolvePrecision('fp16', 'cpu')).toThrow(
      /precision is fp16, which LibTorch cannot train in on a CPU/,
    );
    expect(resolvePrecision('fp16', 'cuda')).toBe('fp16');
    expect(resolvePrecision('fp32', 'cpu')).toBe('fp32');
    expect(['bf16', 'fp32']).toContain(resolvePrecision('auto', 'cpu'));
    expect(resolvePrecision('auto', 'cuda')).toBe('bf16');
  });

  test('a device that is not there is refused', () => {
    expect(resolveDevice('cpu')).toBe('cpu');
    expect(() => resolveDevice('cuda:97')).toThrow(
      /training.device is cuda:97, but LibTorch sees \d+ CUDA device/,
    );
  });
});

describe('LossScaler', () => {
  test('halves at an overflow and doubles after 2,000 good steps in a row', () => {
    const scaler = new LossScaler();
    for (let i = 0; i < 1999; i += 1) scaler.update(true);
    expect([scaler.scale, scaler.goodSteps]).toEqual([65536, 1999]);
    scaler.update(false);
    expect([scaler.scale, scaler.goodSteps]).toEqual([32768, 0]);
    for (let i = 0; i < 2000; i += 1) scaler.update(true);
    expect([scaler.scale, scaler.goodSteps]).toEqual([65536, 0]);
  });

  test('a scaled step is the unscaled one', () => {
    const [plain, scaled] = [trainer(tinyConfig()), trainer(tinyConfig())];
    const scaler = new LossScaler();
    for (const epoch of [0, 1]) expect(scaled.step({ epoch, scaler })).toEqual(plain.step({ epoch }));
    expect(scaler.goodSteps).toBe(2);
    const expected = snapshot(plain.method);
    for (const [name, value] of snapshot(scaled.method)) {
      expect(relativeError(value, expected.get(name)!), name).toBeLessThan(1e-6);
    }
  });

  test('gradients that overflow are not applied', () => {
    const { method, optimizer, step } = trainer(tinyConfig());
    const scaler = new LossScaler();
    scaler.scale = 2 ** 127;
    const before = numbers(method.parameters().get('head.weight')!);
    expect(step({ scaler }).finite).toBe(true);
    expect([scaler.scale, scaler.goodSteps]).toEqual([2 ** 126, 0]);
    expect(numbers(method.parameters().get('head.weight')!)).toEqual(before);
    expect(optimizer.state().size).toBe(0);
    for (const parameter of method.parameters().values()) expect(parameter.grad).toBeNull();
  });
});
