import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { methodNames } from '../../src/methods/index.js';
import { backboneNames } from '../../src/nn/index.js';
import { Sgd } from '../../src/optim/index.js';
import { noGrad, ops, tidy } from '../../src/tensor/index.js';
import { checkMethod } from '../../src/training/build.js';
import { trainingStep } from '../../src/training/step.js';
import { batchOf, freed, methodConfig, numbers, tinyMethod, withOneThread } from './tiny.js';

withOneThread();

/** The methods that train, each once, the paper's with all of its terms. */
const TRAINED = [
  [
    'method=anatomy',
    'method.maps=[0,1,2,3,4]',
    'method.patches=[1,1]',
    'method.relation=cka',
    'method.reconstruction={}',
    'method.mask=subject',
  ],
  ...['instdis', 'simclr', 'cmc', 'densecl', 'decur', 'supervised'].map((name) => [`method=${name}`]),
];

/**
 * The smallest of each backbone. A ViT has one width, and four patches at 32². A bottleneck of one channel would begin with a
 * factor that batch norm takes out, whose gradient is 0 but for rounding.
 */
const NETWORKS = [
  ['vgg16', 'model.width=0.015625'],
  ['vgg16_bn', 'model.width=0.015625'],
  ['resnet18', 'model.width=0.015625'],
  ['resnet50', 'model.width=0.03125'],
  ['vit_s16', 'model.width=1'],
] as const;

/** One step on four pairs, with the norm of each gradient. */
function stepped(set: readonly string[], microBatch = 4) {
  const config = methodConfig(...set, 'model.embeddingSize=16');
  checkMethod(config);
  const method = tinyMethod(config);
  const sgd = freed(new Sgd(method.parameters(), { momentum: 0.9 }));
  const norms = new Map<string, number>();
  const step = (rate: number) => {
    for (const [name, { grad }] of method.parameters()) {
      norms.set(name, grad === null ? 0 : tidy(() => noGrad(() => ops.sqrt(grad.pow(2).sum()).item())));
    }
    sgd.step(rate);
  };
  const result = trainingStep({
    method,
    optimizer: { step, zeroGrad: () => sgd.zeroGrad() } as unknown as Sgd,
    batch: batchOf([0, 2, 5, 7], { channels: [1, 3] }),
    learningRate: 1e-3,
    precision: 'fp32',
    device: 'cpu',
    microBatch,
    inspect: true,
  });
  return { method, result, norms };
}

type Stepped = ReturnType<typeof stepped>;

describe('every method takes a step with every backbone', () => {
  test('all methods and all backbones are here', () => {
    const trained = TRAINED.map(([name]) => name!.slice('method='.length));
    expect([...trained, 'random', 'imagenet'].sort()).toEqual([...methodNames].sort());
    // ViT-B/16 is ViT-S/16 with other numbers, and takes a step of its own below.
    expect([...NETWORKS.map(([name]) => name), 'vit_b16']).toEqual(backboneNames);
  });

  const cases = TRAINED.flatMap((set) =>
    NETWORKS.map(([name, width]) => ({
      title: `${set[0]!.slice('method='.length)}, ${name}`,
      set: [...set, `model.backbone=${name}`, width],
    })),
  );
  test.each(cases)('$title', ({ set }) => {
    const { method, result, norms } = stepped(set);
    expect(Number.isFinite(result.loss)).toBe(true);
    const encoder = method.encoderFor('a');
    // All of the network learns, but for biases before a norm and of keys, whose gradients are rounding noise.
    const still = [...norms].filter(([name, norm]) => !(norm > 0) && !name.endsWith('.bias'));
    expect(still).toEqual([]);
    const finite = tidy(() =>
      noGrad(() => {
        const { images } = method.views(batchOf([1, 3]));
        return numbers(encoder.forward(images).embedding).every(Number.isFinite);
      }),
    );
    expect(finite).toBe(true);
  });

  test('ViT-B/16, the paper’s method', () => {
    const { result } = stepped([...TRAINED[0]!, 'model.backbone=vit_b16', 'model.width=1']);
    expect(Number.isFinite(result.loss)).toBe(true);
  });

  // Sides that are no multiple of 32: the last map of a ResNet at 48² is 2×2, and its decoder paints 12×12.
  test.each([['resnet18'], ['resnet50']])('the decoder of %s paints a quarter of 48²', (name) => {
    const { result } = stepped([
      'method=anatomy',
      'method.alpha=0',
      'method.consistencyWeight=0',
      'method.reconstruction={channels: 4}',
      'method.patches=[1,1]',
      'data.size=48',
      `model.backbone=${name}`,
      'model.width=0.015625',
    ]);
    expect(result.terms.reconstruction).toBeGreaterThan(0);
  });

  test.each([['resnet18'], ['vit_s16']])('two branches of %s', (name) => {
    const { method } = stepped([
      'method=anatomy',
      'method.maps=[2]',
      'method.patches=[2,2]',
      'method.common={}',
      'method.reconstruction={channels: 4}',
      'model.branches=2',
      `model.backbone=${name}`,
      name === 'vit_s16' ? 'model.width=1' : 'model.width=0.015625',
    ]);
    expect([...method.parameters().keys()].some((key) => key.startsWith('branches.1.'))).toBe(true);
  });

  test('a ViT in micro-batches takes the whole step, as it has no batch norm', () => {
    const set = ['method=simclr', 'model.backbone=vit_s16', 'model.width=1'];
    const [whole, parts] = [4, 3].map((size) => stepped(set, size)) as [Stepped, Stepped];
    expect(Math.abs(parts.result.loss - whole.result.loss)).toBeLessThan(1e-5 * whole.result.loss);
    const largest = Math.max(...whole.norms.values());
    for (const [name, norm] of parts.norms) {
      expect(Math.abs(norm - whole.norms.get(name)!), name).toBeLessThan(1e-5 * largest);
    }
  });
});

describe('settings', () => {
  test.each(backboneNames)('the paper’s of %s at 224² fit its maps', (name) => {
    expect(() => checkMethod(resolveConfig({ set: [`model.backbone=${name}`] }))).not.toThrow();
  });

  test('a grid finer than a map names the smallest size that works', () => {
    const check =
      (...set: string[]) =>
      () =>
        checkMethod(resolveConfig({ set }));
    expect(check('model.backbone=resnet18', 'data.size=64')).toThrow(
      /method\.patches is 4×4 on map 4, which is 2×2 at data\.size 64; use data\.size 112 or more/,
    );
    expect(check('model.backbone=resnet18', 'data.size=112')).not.toThrow();
    expect(check('model.backbone=resnet18', 'data.size=96')).toThrow(/which is 3×3 at data\.size 96/);
    expect(check('model.backbone=vit_s16', 'data.size=48')).toThrow(
      /on map 1, which is 3×3 .* use data\.size 64/,
    );
  });

  test('a width that a backbone cannot have is refused', () => {
    const at =
      (...set: string[]) =>
      () =>
        resolveConfig({ set });
    expect(at('model.backbone=vit_s16', 'model.width=0.5')).toThrow(
      'model.width is 0.5: expected 1: a ViT has one width; choose vit_s16 or vit_b16',
    );
    expect(at('model.width=0.3')).toThrow(/model\.width is 0\.3: expected a positive multiple of 1\/64/);
    expect(at('model.width=0')).toThrow(/model\.width is 0: /);
    expect(at('model.backbone=resnet')).toThrow(/model\.backbone is "resnet": .*; did you mean resnet18\?/);
    expect(at('model.width=1.5')).not.toThrow();
  });
});
