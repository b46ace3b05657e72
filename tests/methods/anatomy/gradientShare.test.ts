import { describe, expect, test } from 'vitest';
import type { Method } from '../../../src/methods/index.js';
import { Sgd } from '../../../src/optim/index.js';
import { gradientsOf, ops, tidy } from '../../../src/tensor/index.js';
import { type StepOptions, type StepResult, trainingStep } from '../../../src/training/step.js';
import { undisposedTensors } from '../../tensor/undisposed.js';
import { batchOf, freed, numbers, tinyConfig, tinyMethod, withOneThread } from '../../training/tiny.js';

withOneThread();

const BATCH = [0, 3, 5, 8, 10];
const SHARE = ['method.consistencyShare=0.1', 'method.consistencyWeight=5'];
const make = (...set: string[]): Method => tinyMethod(tinyConfig(...SHARE, ...set));

/** Takes one step, and leaves the weights as they are where the rate is 0. */
function step(method: Method, options: Partial<StepOptions> = {}): StepResult {
  const optimizer = freed(new Sgd(method.parameters(), { momentum: 0 }));
  const run = { learningRate: 0, precision: 'fp32', device: 'cpu' } as const;
  return tidy(() => trainingStep({ method, optimizer, batch: batchOf(BATCH), ...run, ...options }));
}

/** ‖∇L_C‖ and ‖∇(α·L_Glo)‖ over all parameters. */
function normsOf(method: Method): { consistency: number; global: number } {
  return tidy(() => {
    const batch = batchOf(BATCH);
    const forward = method.forward(method.views(batch));
    const parameters = [...method.parameters().values()];
    const { consistency } = forward.perPair;
    const { global } = method.loss!(forward.embeddings, batch);
    const [own, others] = [consistency!.value, global!.value.mul(global!.weight)].map((value) => {
      const found = gradientsOf([value], parameters, { retainGraph: true });
      return Math.hypot(
        ...found.map((gradient) => {
          return gradient === null ? 0 : ops.vectorNorm(gradient, 2, null, false).item();
        }),
      );
    });
    return { consistency: own!, global: others! };
  });
}

/** The weight of L_C in the next step. */
const weightOf = (method: Method): number =>
  tidy(() => method.forward(method.views(batchOf(BATCH))).perPair.consistency!.weight);

const state = (method: Method): number[] => numbers(method.state().get('share.consistency')!);

describe('consistencyShare', () => {
  test('sets the weight so that the gradient of L_C has that share of the rest', () => {
    const method = make();
    expect(state(method)).toEqual([0, 0]);
    expect(method.balance!.due).toBe(true);
    const { consistency, global } = normsOf(method);
    step(method);
    const [ratio, steps] = state(method);
    expect(steps).toBe(1);
    // f32 gradients of the same graph, summed in another order.
    expect(ratio! / (consistency / global)).toBeCloseTo(1, 5);
    const weight = 0.1 / ratio!;
    expect(weightOf(method)).toBe(weight);
    expect((weight * consistency) / global).toBeCloseTo(0.1, 6);
  });

  test('gives the first step the weight consistencyWeight, and measures every tenth one', () => {
    const [method, fixed] = [make(), tinyMethod(tinyConfig('method.consistencyWeight=5'))];
    expect(step(method).loss).toBe(step(fixed).loss);
    const due = Array.from({ length: 21 }, () => {
      const before = method.balance!.due;
      step(method);
      return before;
    });
    expect(due.flatMap((yes, i) => (yes ? [i + 1] : []))).toEqual([10, 20]);
  });

  test('takes a tenth of each measurement into the running ratio', () => {
    const method = make();
    step(method);
    const [first] = state(method);
    for (let i = 1; i < 10; i += 1) step(method);
    method.balance!.see(0, 1);
    expect(state(method)).toEqual([first, 10]);
    const weight = weightOf(method);
    method.balance!.see(2 * 0.1 * 7, 7);
    method.afterStep!({}, batchOf(BATCH));
    // The weighted gradient had twice its share, so the measured ratio is twice the running one.
    expect(state(method)[0]).toBeCloseTo(0.9 * first! + 0.1 * 2 * first!, 15);
    expect(weightOf(method)).toBeCloseTo(weight / 1.1, 9);
  });

  test('measures the same in micro-batches without batch norm', () => {
    const [whole, chunked] = [make('model.backbone=vgg16'), make('model.backbone=vgg16')];
    step(whole);
    step(chunked, { microBatch: 2 });
    expect(state(chunked)[1]).toBe(1);
    // f32 sums in another order; max-pools whose places are equal but for rounding choose differently.
    expect(state(chunked)[0]! / state(whole)[0]!).toBeCloseTo(1, 2);
  });

  test('leaves the training of a measuring step as it is without the measurement', () => {
    const [method, fixed] = [make(), tinyMethod(tinyConfig('method.consistencyWeight=5'))];
    for (const one of [method, fixed]) step(one, { learningRate: 0.01 });
    for (const [name, parameter] of fixed.parameters()) {
      expect(numbers(method.parameters().get(name)!)).toEqual(numbers(parameter));
    }
  });

  test('leaves no tensor behind, in one pass and in micro-batches', () => {
    const method = make();
    const optimizer = freed(new Sgd(method.parameters(), { momentum: 0 }));
    const batch = batchOf(BATCH);
    const run = { method, optimizer, batch, learningRate: 0, precision: 'fp32', device: 'cpu' } as const;
    trainingStep(run);
    const before = undisposedTensors();
    for (let i = 0; i < 20; i += 1) trainingStep({ ...run, ...(i % 2 === 0 ? {} : { microBatch: 2 }) });
    expect(undisposedTensors()).toBe(before);
  });

  test('refuses a share of nothing', () => {
    expect(() => tinyConfig('method.consistencyShare=0.1', 'method.alpha=0')).toThrow(
      /method.consistencyShare is 0.1: expected with alpha and consistencyWeight above 0/,
    );
    expect(() => tinyConfig('method.consistencyShare=0')).toThrow(/consistencyShare/);
  });
});
