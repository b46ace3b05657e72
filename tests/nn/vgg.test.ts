import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { disposeModule, Encoder, loadState, namedParameters, stateDict, vgg16 } from '../../src/nn/index.js';
import { noGrad, ops, TensorError, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { expectDigest } from './digest.js';

interface Golden {
  width: 1 | 0.25;
  batchNorm: boolean;
  shape: number[];
  training: boolean;
  names: string[];
  loss: number;
  maps: number[][];
  pooled: number[];
  imageGradient: number[];
  gradients: Record<string, number[]>;
  buffers: Record<string, number[]>;
}
const golden: Golden[] = JSON.parse(readFileSync(new URL('../golden/vgg.json', import.meta.url), 'utf8'));
const tolerances = { f64: 1e-11, f32: 1e-5 } as const;

describe('VGG16 against torchvision in float64', () => {
  for (const dtype of ['f64', 'f32'] as const) {
    test.each(golden)(
      `agrees for width $width, batchNorm $batchNorm, training $training, $shape in ${dtype}`,
      (c) => {
        const network = vgg16({ width: c.width, batchNorm: c.batchNorm });
        expect([...stateDict(network).keys()].sort()).toEqual([...c.names].sort());
        tidy(() => {
          let seed = 100;
          for (const [name, parameter] of namedParameters(network)) {
            const { shape } = parameter;
            const conv = shape.length === 4;
            const bound = conv ? Math.sqrt(6 / (shape[1]! * 9)) : 0.2;
            const centre = c.batchNorm && name.endsWith('weight') && !conv ? 1 : 0;
            const filled = values(shape, seed, -bound, bound).map((value) => centre + value);
            seed += 1;
            noGrad(() => ops.setData(parameter, tensor(filled, shape, { dtype })));
          }
          for (const [name, buffer] of stateDict(network)) {
            if (/running_/.test(name)) noGrad(() => ops.setData(buffer, buffer.to({ dtype })));
          }
          const images = tensor(values(c.shape, 7, 0, 1), c.shape, { dtype, requiresGrad: true });
          const { maps, pooled, features } = network.forward(images, { training: c.training });
          const terms = maps.map((map, i) =>
            map.mul(tensor(values(map.shape, 60 + i), map.shape, { dtype })).mean(),
          );
          const loss = terms
            .reduce((sum, term) => sum.add(term))
            .add(features.mul(0.5).pow(2).sum())
            .add(pooled.mean());
          loss.backward();
          const tolerance = tolerances[dtype];
          // In f32 rounding flips the winner of a max-pool or the sign before a ReLU here and there: gradients jump
          // by that.
          const gradientTolerance = dtype === 'f64' ? 10 * tolerance : 1e-3;
          expect(relativeError([loss.item()], [c.loss])).toBeLessThan(tolerance);
          maps.forEach((map, i) => void expectDigest(map, c.maps[i]!, tolerance));
          expectDigest(pooled, c.pooled, tolerance);
          expectDigest(images.grad!, c.imageGradient, gradientTolerance);
          const largest = Math.max(...Object.values(c.gradients).map(([, norm]) => norm!));
          for (const [name, parameter] of namedParameters(network)) {
            // Before batch norm a bias has no effect: its gradient is rounding noise beside the others.
            expectDigest(parameter.grad!, c.gradients[name]!, gradientTolerance, 1e-3 * largest);
          }
          for (const [name, buffer] of stateDict(network)) {
            if (c.buffers[name]) expectDigest(buffer, c.buffers[name], tolerance);
          }
        });
        disposeModule(network);
      },
    );
  }
});

describe('the encoder', () => {
  test('gives five maps before their pools, pooled features and a raw embedding ≥ 0', () => {
    const backbone = vgg16({ width: 0.25, batchNorm: true });
    const encoder = new Encoder({ backbone, size: 64, headInput: 'map' });
    tidy(() => {
      const images = tensor(values([2, 3, 64, 64], 1, 0, 1), [2, 3, 64, 64], { dtype: 'f32' });
      const { maps, features, embedding } = encoder.forward(images, { training: true });
      expect(maps.map((map) => map.shape.slice(1).join('×'))).toEqual([
        '16×64×64',
        '32×32×32',
        '64×16×16',
        '128×8×8',
        '128×4×4',
      ]);
      expect(features.shape).toEqual([2, 128]);
      expect(embedding.shape).toEqual([2, 500]);
      expect(Math.min(...(embedding.toArray() as Float32Array))).toBe(0);
    });
    disposeModule(encoder);
  });

  test('treats a gray image as three equal channels, in the gradients too', () => {
    const network = vgg16({ width: 0.25 });
    tidy(() => {
      // In f64: in f32 rounding flips the winner of a max-pool now and then, which moves the gradient.
      for (const parameter of stateDict(network).values()) {
        noGrad(() => ops.setData(parameter, parameter.to({ dtype: 'f64' })));
      }
      const gray = tensor(values([2, 1, 32, 32], 1, 0, 1), [2, 1, 32, 32]);
      const weight = namedParameters(network).get('features.0.weight')!;
      const gradients = [gray, ops.expand(gray, [2, 3, 32, 32])].map((images) => {
        weight.grad = null;
        network.forward(images).features.sum().backward();
        return weight.grad!.toArray() as Float64Array;
      });
      expect(relativeError(gradients[0]!, gradients[1]!)).toBeLessThan(1e-12);
    });
    disposeModule(network);
  });

  test('has the same weights for the same seed, and others for another seed', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => vgg16({ width: 0.25, seed }));
    const first = (network: typeof a) => namedParameters(network!).get('features.5.weight')!.toArray();
    expect(first(a)).toEqual(first(b));
    expect(first(a)).not.toEqual(first(c));
    for (const network of [a, b, c]) disposeModule(network!);
  });

  test('names weights that do not fit, and copies nothing', () => {
    const network = vgg16({ width: 0.25 });
    const before = namedParameters(network).get('features.0.bias')!.toArray();
    const state = new Map(stateDict(network));
    state.set('features.0.bias', tensor(Array(16).fill(5)));
    state.set('features.2.bias', tensor([1, 2]));
    state.set('classifier.0.weight', tensor([1]));
    state.delete('features.5.weight');
    expect(() => loadState(network, state)).toThrow(
      /features\.2\.bias has shape \[2\], expected \[16\]; features\.5\.weight is missing; classifier\.0\.weight is unknown/,
    );
    expect(namedParameters(network).get('features.0.bias')!.toArray()).toEqual(before);
    disposeModule(network);
  });

  test('names wrong sizes', () => {
    const backbone = vgg16({ width: 0.25 });
    expect(() => vgg16({ width: 0.3 })).toThrow(
      'vgg16(): width is 0.3, expected a positive multiple of 1/64, so that all layers have a whole number of channels; 0.296875 is the nearest',
    );
    expect(() => vgg16({ width: 0.001 })).toThrow(/0.015625 is the nearest/);
    expect(() => new Encoder({ backbone, size: 100 })).toThrow(/size is 100, expected a multiple of 16/);
    const images = tensor(new Float32Array(3 * 16 * 16), [1, 3, 16, 16]);
    expect(() => backbone.forward(images)).toThrow(TensorError);
    images.dispose();
    disposeModule(backbone);
  });
});
