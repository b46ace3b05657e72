import { describe, expect, test, vi } from 'vitest';
import { resample } from '../../src/augment/index.js';
import type { Loader } from '../../src/data/loading/loader.js';
import { joinViews } from '../../src/methods/index.js';
import { averagedMaps, Branches, Encoder, stateDict, vgg16 } from '../../src/nn/index.js';
import { noGrad, ops, tensor, tidy, toChannelsLast } from '../../src/tensor/index.js';
import { calibrate, embed } from '../../src/training/embed.js';
import { monitor } from '../../src/training/monitors.js';
import { undisposedTensors } from '../tensor/undisposed.js';
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

describe('embed', () => {
  const own = { ...common, modality: 'a', indices };

  test('averages the last three maps of the same forward pass, and the last of them are the pooled features', async () => {
    const encoder = tinyMethod().encoderFor('a');
    const { features, maps } = await embed({ ...own, encoder, batchSize: 3 }, ['features', 'maps']);
    const by = tidy(() => {
      const images = toChannelsLast(joinViews([resample(loader.load(indices).images.a!, null, { size })]));
      const all = noGrad(() => encoder.forward(images)).maps;
      return all.slice(2).map((map) => ({ channels: map.size(1), side: map.size(2), pixels: numbers(map) }));
    });
    expect(by.map(({ side }) => side)).toEqual([size / 4, size / 8, size / 16]);
    const columns = by.reduce((sum, { channels }) => sum + channels, 0);
    expect(maps).toHaveLength(indices.length * columns);
    for (const row of indices) {
      let at = row * columns;
      for (const { channels, side, pixels } of by) {
        for (let c = 0; c < channels; c += 1, at += 1) {
          const start = (row * channels + c) * side ** 2;
          const mean = pixels.slice(start, start + side ** 2).reduce((sum, x) => sum + x, 0) / side ** 2;
          // Batches of three and one round otherwise than a batch of four.
          expect(Math.abs(maps[at]! - mean)).toBeLessThan(1e-5 * (1 + Math.abs(mean)));
        }
      }
      const last = by.at(-1)!.channels;
      const pooled = features.subarray(row * last, (row + 1) * last);
      expect([...maps.subarray(at - last, at)]).toEqual([...pooled]);
    }
  });

  test('gives the value of maps that are the same everywhere', async () => {
    const encoder = new Encoder({ backbone: vgg16({ width: 0.125 }), size, embeddingSize: 4 });
    // Where all weights are 0 a convolution gives its bias at every pixel.
    const bias = (name: string, at: number) => (name === 'features.28.bias' ? -1 : 1) * (at + 1);
    for (const [name, parameter] of stateDict(encoder)) {
      noGrad(() => tidy(() => ops.zero_(parameter)));
      if (!name.endsWith('bias')) continue;
      const values = Float32Array.from({ length: parameter.size(0) }, (_, at) => bias(name, at));
      noGrad(() => tidy(() => ops.copy_(parameter, tensor(values, parameter.shape))));
    }
    const { maps } = await embed({ ...own, encoder }, ['maps']);
    const counted = (channels: number) => Array.from({ length: channels }, (_, at) => at + 1);
    // The last map has negative biases, of which its ReLU leaves nothing.
    const row = [...counted(32), ...counted(64), ...Array<number>(64).fill(0)];
    expect([...maps]).toEqual(indices.flatMap(() => row));
  });

  test.each(['fp32', 'bf16'] as const)(
    'gives the same other features with maps as without, in %s',
    async (precision) => {
      const encoder = tinyMethod().encoderFor('a');
      const without = await embed({ ...own, precision, encoder }, ['features', 'embedding']);
      expect(Object.keys(without).sort()).toEqual(['embedding', 'features', 'rows']);
      const before = undisposedTensors();
      const passes = vi.spyOn(encoder.backbone, 'forward');
      const { maps, ...others } = await embed({ ...own, precision, encoder }, [
        'features',
        'embedding',
        'maps',
      ]);
      expect(passes).toHaveBeenCalledTimes(1);
      expect(undisposedTensors()).toBe(before);
      expect(others).toEqual(without);
      expect(maps.every(Number.isFinite)).toBe(true);
    },
  );

  test('averages the maps of branches side by side', () => {
    tidy(() => {
      const images = resample(pictures(2, 3, 'branches'), null, { size });
      const backbone = (seed: number) => vgg16({ width: 0.125, seed });
      const encoder = new Encoder({
        backbone: new Branches([backbone(1), backbone(2)]),
        size,
        embeddingSize: 4,
      });
      const found = averagedMaps(encoder.forward(images));
      expect(found.shape).toEqual([2, 2 * (32 + 64 + 64)]);
      const [, , third] = backbone(2).forward(images).maps;
      expect(numbers(found.narrow(1, 32, 32))).toEqual(numbers(third!.mean([2, 3])));
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
    const own = { ...common, encoder: method.encoderFor('a'), modality: 'a', indices };
    expect((await embed(own, ['embedding'])).rows).toBe(4);
  });
});
