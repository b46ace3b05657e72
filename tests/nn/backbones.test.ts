import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type Backbone,
  backboneNamed,
  backboneNames,
  disposeModule,
  Encoder,
  mapSides,
  namedParameters,
  recognizeBackbone,
  resnet,
  stateDict,
  vgg16,
  vit,
} from '../../src/nn/index.js';
import { noGrad, ops, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { freed, numbers, withOneThread } from '../training/tiny.js';
import { expectDigest } from './digest.js';

withOneThread();

interface Golden {
  backbone: 'resnet18' | 'resnet50' | 'vit_s16' | 'vit_b16';
  shape: number[];
  training: boolean;
  names: string[];
  loss: number;
  maps: number[][];
  features: number[];
  imageGradient: number[];
  gradients: Record<string, number[]>;
  buffers: Record<string, number[]>;
}
const golden: Golden[] = JSON.parse(
  readFileSync(new URL('../golden/backbones.json', import.meta.url), 'utf8'),
).networks;

/** Frees a network when the test ends. */
const made = <B extends Backbone>(backbone: B): B => {
  freed({ dispose: () => disposeModule(backbone) });
  return backbone;
};

/** Gives a network the weights of the golden script. */
function fill(network: Backbone, dtype: 'f32' | 'f64'): void {
  let seed = 100;
  for (const [name, parameter] of namedParameters(network)) {
    const { shape } = parameter;
    const isNorm = shape.length === 1 && name.endsWith('weight');
    const fanIn = shape.length === 2 || shape.length === 4 ? shape.slice(1).reduce((a, b) => a * b) : 100;
    const bound = shape.length > 1 ? Math.sqrt(3 / fanIn) : 0.2;
    const filled = values(shape, seed, -bound, bound);
    if (isNorm) for (let i = 0; i < filled.length; i += 1) filled[i]! += 1;
    seed += 1;
    tidy(() => noGrad(() => ops.setData(parameter, tensor(filled, shape, { dtype }))));
  }
  for (const [name, buffer] of stateDict(network)) {
    if (/running_/.test(name)) tidy(() => noGrad(() => ops.setData(buffer, buffer.to({ dtype }))));
  }
}

describe('ResNets against torchvision, transformers against plain PyTorch, in float64', () => {
  test.each(golden)('$backbone $shape', (c) => {
    const network = made(backboneNamed(c.backbone).make({ width: 1, size: c.shape[2]!, seed: null }));
    expect([...stateDict(network).keys()].sort()).toEqual([...c.names].sort());
    fill(network, 'f64');
    tidy(() => {
      const images = tensor(values(c.shape, 7, 0, 1), c.shape, { requiresGrad: true });
      const { maps, features } = network.forward(images, { training: c.training });
      const loss = maps
        .map((map, i) => map.mul(tensor(values(map.shape, 60 + i), map.shape)).mean())
        .reduce((sum, term) => sum.add(term))
        .add(features.mul(0.5).pow(2).sum());
      loss.backward();
      expect(relativeError([loss.item()], [c.loss])).toBeLessThan(1e-11);
      maps.forEach((map, i) => void expectDigest(map, c.maps[i]!, 1e-11));
      expectDigest(features, c.features, 1e-11, Math.sqrt(features.size(1)));
      expectDigest(images.grad!, c.imageGradient, 1e-10);
      const largest = Math.max(...Object.values(c.gradients).map(([, norm]) => norm!));
      for (const [name, parameter] of namedParameters(network)) {
        // The keys' bias has no effect: its gradient is rounding noise beside the others.
        expectDigest(parameter.grad!, c.gradients[name]!, 1e-10, 1e-3 * largest);
      }
      const state = stateDict(network);
      for (const [name, found] of Object.entries(c.buffers)) expectDigest(state.get(name)!, found, 1e-11);
    });
  });

  // Forward alone: in f32 rounding flips signs before ReLUs, and the gradients of 50 layers jump by that.
  test.each(golden.filter(({ training }) => training))('$backbone $shape in f32', (c) => {
    const network = made(backboneNamed(c.backbone).make({ width: 1, size: c.shape[2]!, seed: null }));
    fill(network, 'f32');
    tidy(() => {
      const images = tensor(values(c.shape, 7, 0, 1), c.shape, { dtype: 'f32' });
      const { maps, features } = noGrad(() => network.forward(images, { training: c.training }));
      maps.forEach((map, i) => void expectDigest(map, c.maps[i]!, 2e-5));
      expectDigest(features, c.features, 2e-5, Math.sqrt(features.size(1)));
    });
  });
});

describe('every backbone', () => {
  const networks = [
    ['vgg16', 0.125],
    ['vgg16_bn', 0.125],
    ['resnet18', 0.125],
    ['resnet50', 0.125],
    ['vit_s16', 1],
  ] as const;
  const small = networks.map(([name, width]) => ({ name, width }));

  test('is in the registry with all that is known of it', () => {
    expect(backboneNames).toEqual(['vgg16', 'vgg16_bn', 'resnet18', 'resnet50', 'vit_s16', 'vit_b16']);
    expect(() => backboneNamed('alexnet')).toThrow(/no backbone alexnet, expected one of vgg16, vgg16_bn/);
  });

  test.each(small)(
    '$name gives five maps of the sides that its strides say, and features',
    ({ name, width }) => {
      const definition = backboneNamed(name);
      // 48 is no multiple of the stride of a ResNet's last map.
      for (const size of [32, 48]) {
        const network = made(definition.make({ width, size, seed: 0 }));
        expect([network.name, network.strides, network.batchNorm]).toEqual([
          name,
          definition.strides,
          definition.batchNorm,
        ]);
        tidy(() => {
          const images = tensor(values([2, 3, size, size], 1, 0, 1), [2, 3, size, size], { dtype: 'f32' });
          const { maps, pooled, features } = noGrad(() => network.forward(images));
          const sides = mapSides(network.strides, size);
          expect(maps.map(({ shape }) => shape)).toEqual(
            network.channels.map((count, i) => [2, count, sides[i]!, sides[i]!]),
          );
          const [last, side] = [network.channels.at(-1)!, network.pooledSide(size)];
          expect(pooled.shape).toEqual([2, last, side, side]);
          expect(numbers(features)).toEqual(numbers(maps[4]!.mean([2, 3])));
          if (!name.startsWith('vgg')) expect(numbers(pooled)).toEqual(numbers(features));
          for (const headInput of ['map', 'pool', 'gap'] as const) {
            const encoder = new Encoder({ backbone: network, size, headInput, embeddingSize: 7 });
            expect(encoder.forward(images).embedding.shape).toEqual([2, 7]);
            disposeModule(encoder.children.head!);
          }
        });
      }
    },
  );

  test.each(small)(
    '$name takes a gray image for three equal channels, in the gradients too',
    ({ name, width }) => {
      const network = made(backboneNamed(name).make({ width, size: 32, seed: 0 }));
      tidy(() => {
        // In f64: in f32 rounding flips the winner of a max-pool now and then, which moves the gradient.
        for (const parameter of stateDict(network).values()) {
          if (parameter.dtype === 'f32') noGrad(() => ops.setData(parameter, parameter.to({ dtype: 'f64' })));
        }
        const gray = tensor(values([3, 1, 32, 32], 1, 0, 1), [3, 1, 32, 32]);
        const [weight] = [...namedParameters(network).values()].filter(({ shape }) => shape.length === 4);
        const [one, three] = [gray, ops.expand(gray, [3, 3, 32, 32])].map((images) => {
          weight!.grad = null;
          const { maps } = network.forward(images, { training: true, record: false });
          maps
            .map((map) => map.pow(2).sum())
            .reduce((sum, term) => sum.add(term))
            .backward();
          return { map: numbers(maps[4]!), gradient: numbers(weight!.grad!) };
        });
        expect(relativeError(one!.map, three!.map)).toBeLessThan(1e-11);
        // The backward pass of 49 batch norms over 12 values and fewer makes more of the rounding.
        expect(relativeError(one!.gradient, three!.gradient)).toBeLessThan(1e-9);
      });
    },
  );

  test.each(small)(
    '$name has the same weights for the same seed, and others for another',
    ({ name, width }) => {
      const [a, b, c] = [1, 1, 2].map((seed) => {
        const network = made(backboneNamed(name).make({ width, size: 32, seed }));
        return [...namedParameters(network)]
          .filter(([, { shape }]) => shape.length > 1)
          .map(([weight, tensor]) => [
            weight,
            tidy(() => numbers(ops.flatten(tensor, 0, -1).narrow(0, 0, 4))),
          ]);
      });
      expect(a).toEqual(b);
      for (const [i, [weight, first]] of a!.entries()) expect(first, `${weight}`).not.toEqual(c![i]![1]);
      // No two layers start alike.
      expect(new Set(a!.map(([, first]) => `${first}`)).size).toBe(a!.length);
    },
  );

  test.each(small)('$name without a seed has zeros for all that is drawn otherwise', ({ name, width }) => {
    const backbone = backboneNamed(name).make({ width, size: 32, seed: null });
    const encoder = new Encoder({ backbone, size: 32, embeddingSize: 7, seed: null });
    freed({ dispose: () => disposeModule(encoder) });
    for (const [key, tensor] of stateDict(encoder)) {
      const squares = tidy(() => tensor.to({ dtype: 'f64' }).pow(2).sum().item());
      // Weights and running variances of norms are one.
      const ones = tensor.shape.length === 1 && /weight$|running_var$/.test(key);
      expect(squares, key).toBe(ones ? tensor.size(0) : 0);
    }
  });

  test.each(small)('$name knows its own weights by names and shapes', ({ name, width }) => {
    const network = made(backboneNamed(name).make({ width, size: 32, seed: null }));
    const shapes = new Map([...stateDict(network)].map(([key, { shape }]) => [key, shape]));
    expect(recognizeBackbone(shapes)).toEqual({ name, width });
  });

  test.each(small)('$name refuses images it cannot take', ({ name, width }) => {
    const network = made(backboneNamed(name).make({ width, size: 32, seed: null }));
    for (const shape of [
      [1, 3, 16, 16],
      [1, 2, 32, 32],
      [3, 32, 32],
    ]) {
      tidy(() =>
        expect(() => network.forward(ops.full(shape, 0, null, null, null))).toThrow(
          `${name}: images have shape [${shape}], expected [B, 3, H, W] or [B, 1, H, W]`,
        ),
      );
    }
  });
});

describe('widths', () => {
  test('are any that give whole channels, above 1 too', () => {
    expect(made(vgg16({ width: 3 / 64 })).channels).toEqual([3, 6, 12, 24, 24]);
    expect(made(resnet('resnet18', { width: (1.25 / 64) * 4 })).channels).toEqual([5, 5, 10, 20, 40]);
    expect(made(resnet('resnet50', { width: 1 / 64 })).channels).toEqual([1, 4, 8, 16, 32]);
    expect(() => resnet('resnet50', { width: 0.3 })).toThrow(
      /resnet50: width is 0.3, expected a positive multiple/,
    );
    expect(backboneNamed('vgg16').widthFault(1.5)).toBeUndefined();
    expect(backboneNamed('vit_b16').widthFault(0.5)).toMatch(
      /expected 1: a ViT has one width; choose vit_s16/,
    );
  });
});

describe('a ViT', () => {
  test('takes images of its own size alone', () => {
    const network = made(vit('vit_s16', { size: 48, seed: null }));
    expect(network.parameters.pos_embed.shape).toEqual([1, 10, 384]);
    tidy(() =>
      expect(() => network.forward(ops.full([1, 3, 32, 32], 0, null, null, null))).toThrow(
        /expected sides of 48, for which it has position embeddings/,
      ),
    );
    expect(() => vit('vit_s16', { size: 40 })).toThrow(/size is 40, expected a multiple of 16/);
  });

  test('starts as timm’s does: N(0, 0.02²), biases 0, norms 1', () => {
    const weights = namedParameters(made(vit('vit_s16', { size: 32 })));
    const of = (name: string) => numbers(weights.get(name)!);
    const fc1 = of('blocks.7.mlp.fc1.weight');
    const deviation = Math.sqrt(fc1.reduce((sum, x) => sum + x * x, 0) / fc1.length);
    expect(deviation).toBeGreaterThan(0.0199);
    expect(deviation).toBeLessThan(0.0201);
    expect(new Set(of('blocks.7.attn.qkv.bias'))).toEqual(new Set([0]));
    expect(new Set(of('norm.weight'))).toEqual(new Set([1]));
    expect(Math.max(...of('cls_token').map(Math.abs))).toBeLessThan(1e-5);
    // torch.nn.Conv2d's own: U(−1/√fan_in, 1/√fan_in) with fan_in = 3 · 16².
    const largest = Math.max(...of('patch_embed.proj.weight').map(Math.abs));
    expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(768));
    expect(largest).toBeGreaterThan(0.999 / Math.sqrt(768));
  });
});
