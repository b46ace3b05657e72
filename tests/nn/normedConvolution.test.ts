import { describe, expect, test } from 'vitest';
import {
  type Backbone,
  BatchNorm,
  Branches,
  Conv3x3,
  disposeModule,
  FoldedNorms,
  NormedConvolution,
  resnet,
  stateDict,
  vgg16,
  vit,
} from '../../src/nn/index.js';
import { Convolution } from '../../src/nn/layers.js';
import {
  noGrad,
  ops,
  Random,
  supportsBf16,
  TensorError,
  tensor,
  tidy,
  toChannelsLast,
} from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { freed, numbers, withOneThread } from '../training/tiny.js';

withOneThread();

/** Gives batch norms means, variances, weights and biases as after a training, all in float64. */
function settle(network: Backbone): Backbone {
  freed({ dispose: () => disposeModule(network) });
  let seed = 1;
  for (const [name, own] of stateDict(network)) {
    if (own.dtype !== 'f32') continue;
    seed += 1;
    const range = /running_var|(bn\d|downsample\.1|features\.\d+)\.weight/.test(name)
      ? [0.5, 2]
      : [-0.3, 0.3];
    const vector = own.shape.length === 1 ? values(own.shape, seed, range[0], range[1]) : undefined;
    noGrad(() =>
      tidy(() =>
        ops.setData(own, vector ? tensor(vector, own.shape, { dtype: 'f64' }) : own.to({ dtype: 'f64' })),
      ),
    );
  }
  return network;
}

const BACKBONES = {
  'VGG16-BN': () => vgg16({ width: 1 / 16, batchNorm: true, seed: 1 }),
  'two branches': () => new Branches([1, 2].map((seed) => vgg16({ width: 1 / 16, batchNorm: true, seed }))),
  'ResNet-18': () => resnet('resnet18', { width: 1 / 16 }),
  'ResNet-50': () => resnet('resnet50', { width: 1 / 16 }),
};

describe('batch norm in the weights of convolutions', () => {
  test('gives s · W and β + s · (b − μ) with s = γ / √(σ² + ε)', () => {
    const [conv, norm] = [new Conv3x3(1, 1, new Random(0)), new BatchNorm(1)];
    freed({ dispose: () => [conv, norm].forEach(disposeModule) });
    const set = (module: BatchNorm | Conv3x3, own: Record<string, number>) => {
      for (const [name, value] of Object.entries(own))
        noGrad(() => tidy(() => ops.copy_(stateDict(module).get(name)!, tensor([value], [1]))));
    };
    set(conv, { bias: 3 });
    set(norm, { weight: 6, bias: 0.5, running_mean: 1, running_var: 4 - 1e-5 });
    const single = conv.withNorm(norm, null);
    const { weight, bias } = single.parameters;
    expect(numbers(bias!)[0]).toBeCloseTo(0.5 + 3 * (3 - 1), 6);
    numbers(weight!).forEach(
      (value, i) => void expect(value).toBeCloseTo(3 * numbers(conv.parameters.weight!)[i]!, 6),
    );
    disposeModule(single);
    const half = conv.withNorm(norm, 'bf16');
    expect(Object.values(half.parameters).map(({ dtype }) => dtype)).toEqual(['bf16', 'bf16']);
    disposeModule(half);
  });

  test.each(Object.entries(BACKBONES))('%s gives the same maps, in colour and in gray', (_, make) => {
    const network = settle(make());
    const folded = freed(new FoldedNorms(network.convolutions, null));
    for (const channels of [3, 1]) {
      tidy(() => {
        const images = tensor(values([2, channels, 64, 64], 7, 0, 1), [2, channels, 64, 64], {
          dtype: 'f64',
        });
        const [apart, single] = [network.forward(images), network.forward(images, { folded })];
        for (const [i, map] of apart.maps.entries()) {
          expect(numbers(map).some((value) => value > 0)).toBe(true);
          // Sums in another order, through up to 53 layers.
          expect(relativeError(numbers(single.maps[i]!), numbers(map))).toBeLessThan(1e-12);
        }
        expect(numbers(single.features)).not.toEqual(numbers(apart.features));
      });
    }
  });

  test('has no part in training, and leaves a network without batch norm alone', () => {
    const network = settle(BACKBONES['VGG16-BN']());
    const folded = freed(new FoldedNorms(network.convolutions, null));
    tidy(() => {
      const images = tensor(values([2, 3, 32, 32], 7, 0, 1), [2, 3, 32, 32], { dtype: 'f64' });
      const options = { training: true, record: false };
      const found = [{ ...options, folded }, options].map((own) =>
        numbers(network.forward(images, own).features),
      );
      expect(found[0]).toEqual(found[1]);
    });
    for (const plain of [vgg16({ width: 1 / 16 }), vit('vit_s16', { size: 32 })]) {
      const before = undisposedTensors();
      const none = new FoldedNorms(plain.convolutions, null);
      expect(undisposedTensors()).toBe(before);
      for (const layer of plain.convolutions) expect(none.of(layer)).toBeUndefined();
      disposeModule(plain);
    }
  });

  test('holds the weights as they were, until it is disposed', () => {
    const [conv, norm] = [new Conv3x3(3, 2, new Random(0)), new BatchNorm(2)];
    const layer = new NormedConvolution(conv, norm);
    freed({ dispose: () => [conv, norm].forEach(disposeModule) });
    const before = undisposedTensors();
    const folded = new FoldedNorms([layer], null);
    tidy(() => {
      const x = tensor(values([1, 3, 4, 4], 1), [1, 3, 4, 4], { dtype: 'f32' });
      const first = numbers(layer.forward(x, { folded }));
      noGrad(() => ops.zero_(conv.parameters.weight!));
      expect(numbers(layer.forward(x, { folded }))).toEqual(first);
    });
    folded.dispose();
    expect(undisposedTensors()).toBe(before);
  });

  // [in, out, side of the kernel, stride, padding], as in the networks; the last one has gray images for colour weights.
  test.each([
    [3, 16, 3, 1, 1, 3],
    [16, 24, 3, 1, 1, 16],
    [16, 32, 3, 2, 1, 16],
    [32, 64, 1, 1, 0, 32],
    [3, 16, 7, 2, 3, 3],
    [3, 16, 3, 1, 1, 1],
  ])(
    'packed weights give the bits of conv2d and ReLU, 1×1 in f32 all but the last: %i to %i, %i², stride %i',
    (from, to, side, stride, padding, channels) => {
      const before = undisposedTensors();
      for (const dtype of supportsBf16() ? (['f32', 'bf16'] as const) : (['f32'] as const)) {
        tidy(() => {
          const make = (shape: number[], seed: number) =>
            toChannelsLast(tensor(values(shape, seed, -1, 1), shape, { dtype: 'f32' }).to({ dtype }));
          const weight = make([to, from, side, side], 1);
          const bias = tensor(values([to], 2, -1, 1), [to], { dtype: 'f32' }).to({ dtype });
          const conv = new Convolution({ weight, bias, stride, padding });
          const like = make([5, channels, 18, 18], 3);
          for (const relu of [false, true]) {
            const packed = conv.packed(like, relu)!;
            // Smaller batches come last, and images of another size may.
            for (const x of [like, make([2, channels, 18, 18], 4), make([3, channels, 9, 12], 5)]) {
              noGrad(() => {
                const y = conv.forward(x);
                const expected = relu ? ops.relu_(y) : y;
                const found = packed.forward(x);
                expect([found.dtype, found.shape]).toEqual([dtype, expected.shape]);
                if (dtype === 'bf16' || side > 1) expect(numbers(found)).toEqual(numbers(expected));
                // On some CPUs (seen on a Zen 5) oneDNN adds up the products of 1×1 in f32 in another order for packed
                // weights. The sum of 32 of them differs by 3e-7 of the largest.
                else expect(relativeError(numbers(found), numbers(expected))).toBeLessThan(1e-6);
              });
            }
            packed.dispose();
            expect(() => packed.forward(like)).toThrow(TensorError);
          }
        });
      }
      expect(undisposedTensors()).toBe(before);
    },
  );

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1e30])(
    'a weight of %d is seen behind a ReLU',
    (broken) => {
      const layer = new NormedConvolution(new Conv3x3(3, 2, new Random(0)), new BatchNorm(2));
      freed({ dispose: () => [layer.conv, layer.norm].forEach(disposeModule) });
      const { weight } = layer.conv.parameters;
      noGrad(() =>
        tidy(() =>
          ops.copy_(weight!.narrow(0, 0, 1), tensor(new Float32Array(27).fill(broken), [1, 3, 3, 3])),
        ),
      );
      const folded = freed(new FoldedNorms([layer], null));
      tidy(() => {
        const x = tensor(values([1, 3, 4, 4], 1, -1e9, 1e9), [1, 3, 4, 4], { dtype: 'f32' });
        const [plain, own] = [{}, { folded }].map((options) =>
          numbers(noGrad(() => layer.forwardRelu(x, options))),
        );
        expect([plain, own].map((found) => found!.every(Number.isFinite))).toEqual([false, false]);
      });
    },
  );

  test('there are no packed weights in f64', () => {
    const conv = freed({
      conv: new Conv3x3(3, 2, new Random(0)),
      dispose() {
        disposeModule(this.conv);
      },
    }).conv;
    tidy(() => {
      for (const own of stateDict(conv).values()) noGrad(() => ops.setData(own, own.to({ dtype: 'f64' })));
      expect(
        conv.packed(tensor(values([1, 3, 4, 4], 1), [1, 3, 4, 4], { dtype: 'f64' }), true),
      ).toBeUndefined();
    });
  });
});
