import { describe, expect, test } from 'vitest';
import { resample } from '../../src/augment/index.js';
import type { Loader } from '../../src/data/loading/loader.js';
import { stateDict } from '../../src/nn/index.js';
import { noGrad, ops, tidy } from '../../src/tensor/index.js';
import { calibrate, embed } from '../../src/training/embed.js';
import { monitor } from '../../src/training/monitors.js';
import { numbers, pictures, tinyConfig, tinyMethod } from './tiny.js';

const size = tinyConfig().data.size;
const indices = [0, 1, 2, 3];
/** Four pairs; like the real one it makes fresh tensors at every call. */
const loader = {
  modalities: ['a', 'b'],
  prepare: async () => {},
  load: (chosen: readonly number[]) => ({
    images: Object.fromEntries(
      ['a', 'b'].map((modality) => [
        modality,
        ops.cat(
          chosen.map((index) => pictures(1, 1, `${modality}${index}`)),
          0,
        ),
      ]),
    ),
  }),
} as unknown as Loader;
const common = { loader, size, normalization: 'none', precision: 'fp32', device: 'cpu' } as const;

describe('calibrate', () => {
  test('sees both modalities of a pair in one batch, as training does, and averages over batches', async () => {
    const [whole, parts] = [tinyMethod(), tinyMethod()];
    const statistics = (method: typeof whole) =>
      numbers(stateDict(method.encoderFor('a')).get('features.1.running_mean')!);
    const run = (method: typeof whole, batchSize: number) =>
      calibrate({ ...common, encoder: method.encoderFor('a'), indices, batchSize }, ['a', 'b']);
    await run(whole, 4);
    await run(parts, 2);
    // The first layer's mean is the mean over all images however they are batched; its variance needs them together.
    statistics(parts).forEach((value, i) => void expect(value).toBeCloseTo(statistics(whole)[i]!, 5));
    const expected = tinyMethod();
    tidy(() => {
      const { a, b } = loader.load(indices).images;
      const images = ops.cat([resample(a!, null, { size }), resample(b!, null, { size })], 0);
      const [weight, bias] = ['features.0.weight', 'features.0.bias'].map(
        (name) => stateDict(expected.encoderFor('a')).get(name)!,
      );
      const made = ops.conv2d(images, weight!.sum([1], true), bias!, [1, 1], [1, 1]);
      const variance = made
        .sub(made.mean([0, 2, 3], true))
        .pow(2)
        .sum([0, 2, 3])
        .div(made.shape[0]! * size * size - 1);
      const found = numbers(stateDict(whole.encoderFor('a')).get('features.1.running_var')!);
      numbers(variance).forEach((value, i) => void expect(found[i]! / value).toBeCloseTo(1, 3));
    });
  });
});

describe('monitor', () => {
  test('an encoder whose values are not finite is reported, not a reason to fall', async () => {
    const method = tinyMethod();
    const plan = { queries: indices, references: indices, labels: [0, 1, 0, 1], neighbours: 2 };
    const look = () =>
      monitor(plan, {
        ...common,
        encoderFor: (modality) => method.encoderFor(modality),
        modalities: ['a', 'b'],
      });
    expect(Object.keys(await look())).toContain('knnAuc/both');
    noGrad(() =>
      ops.addScalar_(stateDict(method.encoderFor('a')).get('head.bias')!, Number.POSITIVE_INFINITY),
    );
    const { nonFinite, ...rest } = await look();
    expect(nonFinite).toBe(2 * 4 * 500);
    expect(rest).toEqual({});
    expect((await embed({ ...common, encoder: method.encoderFor('a'), modality: 'a', indices })).rows).toBe(
      4,
    );
  });
});
