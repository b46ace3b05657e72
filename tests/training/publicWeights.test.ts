import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { importEncoder } from '../../src/export/encoder.js';
import { fitTransformer, positionsFor } from '../../src/export/publicWeights.js';
import { saveState } from '../../src/export/stateFile.js';
import { disposeModule, type Encoder, stateDict } from '../../src/nn/index.js';
import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { buildEncoder } from '../../src/training/build.js';
import { relativeError, values } from '../golden/formula.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { freed, methodConfig, methodOf, numbers, temporaryFolder, withOneThread } from './tiny.js';

withOneThread();

const stored = (name: string) => fileURLToPath(new URL(`../golden/weights/${name}`, import.meta.url));
const RESNET = ['model.backbone=resnet18', 'model.width=0.015625'];
const VGG = ['model.backbone=vgg16', 'model.width=0.015625'];
const VIT = ['model.backbone=vit_s16', 'model.width=1'];

const config = (...set: string[]) => methodConfig('method=simclr', ...set);

/** An encoder, with the messages of its making; freed after the test. */
function built(...set: string[]): { encoder: Encoder; told: string[] } {
  const told: string[] = [];
  const encoder = buildEncoder(config(...set), 'cpu', { onWarning: (message) => told.push(message) });
  freed({ dispose: () => disposeModule(encoder) });
  return { encoder, told };
}

/** Writes weights to a file; freed after it. */
function fileOf(weights: ReadonlyMap<string, Tensor>): string {
  const path = join(temporaryFolder(), 'weights.safetensors');
  saveState(path, weights);
  return path;
}

describe('public weights', () => {
  test('of a checkpoint of torch.save are taken, under its prefix and without the classifier', () => {
    const { encoder, told } = built(...RESNET, `model.initFrom=${stored('resnet18.pth')}`);
    const state = stateDict(encoder);
    // Tensor i of the file is values(shape, i), in half precision.
    for (const [name, place] of [
      ['conv1.weight', 0],
      ['bn1.running_var', 4],
      ['layer4.1.conv2.weight', 114],
    ] as const) {
      const found = state.get(name)!;
      expect(relativeError(numbers(found), values(found.shape, place)), name).toBeLessThan(1e-3);
    }
    expect(numbers(state.get('bn1.num_batches_tracked')!)).toEqual([5]);
    expect(told).toEqual([
      expect.stringMatching(
        /resnet18\.pth: public weights of resnet18 expect data\.normalize=imagenet, and it is none; give --set data\.normalize=imagenet, unless these were trained otherwise$/,
      ),
    ]);
    const fitting = built(...RESNET, `model.initFrom=${stored('resnet18.pth')}`, 'data.normalize=imagenet');
    expect(fitting.told).toEqual([]);
  });

  test('of the older form are taken', () => {
    const { encoder } = built(...VGG, `model.initFrom=${stored('vgg16-old.pth')}`);
    const last = stateDict(encoder).get('features.28.weight')!;
    expect(relativeError(numbers(last), values(last.shape, 24))).toBeLessThan(1e-7);
  });

  test('of another network are refused with the settings that fit', () => {
    const from =
      (name: string, ...set: string[]) =>
      () =>
        built(`model.initFrom=${stored(name)}`, ...set);
    expect(from('resnet18.pth')).toThrow(
      /has no features\.0\.weight \(78 of 91 .*This looks like resnet18; set model\.backbone=resnet18 model\.width=0\.015625/,
    );
    expect(from('vgg16-old.pth', ...RESNET)).toThrow(
      /This looks like vgg16; set model\.backbone=vgg16 model\.width=0\.015625/,
    );
    // Its names are a part of ours, and its shapes are others.
    expect(from('resnet18.pth', 'model.backbone=resnet18')).toThrow(
      /conv1\.weight has shape \[1,3,7,7\], expected \[16,3,7,7\].*This looks like resnet18; set .* model\.width=0\.015625/,
    );
    expect(from('resnet18.pth', ...VIT)).toThrow(/This looks like resnet18/);
  });

  test('tell what has no part in the network, and are refused for a layer that it lacks', () => {
    const { encoder } = built(...RESNET);
    tidy(() => {
      const own = [...stateDict(encoder)].filter(([name]) => !name.startsWith('head.'));
      const told: string[] = [];
      const onWarning = (message: string) => told.push(message);
      const of = (prefix: string, further: Record<string, readonly number[]>) =>
        fileOf(
          new Map([
            ...own.map(([name, value]) => [prefix + name, value] as const),
            ...Object.entries(further).map(([name, some]) => [name, tensor([...some])] as const),
          ]),
        );
      // MoCo's: the slow copy and the queue beside the network, whose classifier is an MLP.
      const moco = of('module.encoder_q.', {
        'module.encoder_k.conv1.weight': [1],
        'module.encoder_q.fc.0.weight': [1],
        'module.queue': [1],
      });
      const taken = importEncoder(moco, encoder, { onWarning });
      expect(taken.sort()).toEqual(own.map(([name]) => name).sort());
      expect(told).toEqual([
        `${moco}: 2 of its 123 tensors have no part in resnet18 and are left out: module.encoder_k.conv1.weight, module.queue`,
      ]);
      expect(() => importEncoder(of('', { 'layer1.2.conv1.weight': [1] }), encoder)).toThrow(
        /layer1\.2\.conv1\.weight is unknown/,
      );
    });
  });

  test('leave no tensor behind, taken or refused', () => {
    const { encoder } = built(...RESNET);
    const before = undisposedTensors();
    importEncoder(stored('resnet18.pth'), encoder);
    expect(() => importEncoder(stored('vgg16-old.pth'), encoder)).toThrow();
    expect(undisposedTensors()).toBe(before);
  });

  test('are told of once by a method with two encoders', () => {
    const told: string[] = [];
    const settings = methodConfig('method=cmc', ...RESNET, `model.initFrom=${stored('resnet18.pth')}`);
    methodOf(settings, ['a', 'b'], undefined, (message) => told.push(message));
    expect(told).toHaveLength(1);
  });
});

describe('a transformer', () => {
  test('takes position embeddings on its own grid, as timm interpolates them', () => {
    const golden: { source: number; target: number; values: number[] }[] = JSON.parse(
      readFileSync(new URL('../golden/backbones.json', import.meta.url), 'utf8'),
    ).positions;
    for (const { source, target, values: expected } of golden) {
      tidy(() => {
        const shape = [1, 1 + source ** 2, 5];
        const found = positionsFor('x', tensor(values(shape, 3), shape), target);
        expect(found.shape).toEqual([1, 1 + target ** 2, 5]);
        expect(relativeError(numbers(found), expected)).toBeLessThan(1e-14);
        // On the same grid they are the same, to the bit.
        const same = positionsFor('x', tensor(values(shape, 3), shape), source);
        expect(numbers(same)).toEqual([...values(shape, 3)]);
        // DeiT III adds the class token afterwards.
        const without = positionsFor(
          'x',
          tensor(values([1, source ** 2, 5], 3), [1, source ** 2, 5]),
          source,
        );
        expect(numbers(without)).toEqual([0, 0, 0, 0, 0, ...values([1, source ** 2, 5], 3)]);
      });
    }
    tidy(() =>
      expect(() => positionsFor('x', tensor(values([1, 8, 5], 3), [1, 8, 5]), 2)).toThrow(
        /x: pos_embed has shape \[1,8,5\], expected \[1, 1 \+ n², C\]/,
      ),
    );
  });

  test('takes a layer scale as part of the layer before it', () => {
    tidy(() => {
      const tensorOf = (shape: number[], seed: number) => tensor(values(shape, seed), shape);
      const [weight, bias, gamma, x] = [
        tensorOf([4, 3], 1),
        tensorOf([4], 2),
        tensorOf([4], 3),
        tensorOf([5, 3], 4),
      ];
      for (const [scale, layer] of [
        ['ls1', 'attn.proj'],
        ['ls2', 'mlp.fc2'],
      ]) {
        const weights = new Map([
          ['pos_embed', tensorOf([1, 5, 4], 5)],
          [`blocks.3.${layer}.weight`, weight!],
          [`blocks.3.${layer}.bias`, bias!],
          [`blocks.3.${scale}.gamma`, gamma!],
        ]);
        fitTransformer('x', weights, 2);
        expect([...weights.keys()].filter((name) => name.includes('.ls'))).toEqual([]);
        const [folded, own] = ['weight', 'bias'].map((name) => weights.get(`blocks.3.${layer}.${name}`)!);
        const expected = ops.linear(x!, weight!, bias!).mul(gamma!);
        expect(relativeError(numbers(ops.linear(x!, folded!, own!)), numbers(expected))).toBeLessThan(1e-14);
      }
    });
  });

  test('takes a teacher of DINO at another size, its head left out', () => {
    const source = built(...VIT, 'data.size=48', 'seed=5').encoder;
    const { encoder } = built(...VIT, 'seed=6');
    tidy(() => {
      const weights = [...stateDict(source)].filter(([name]) => !name.startsWith('head.'));
      const path = fileOf(
        new Map([
          ...weights.map(([name, value]) => [`backbone.${name}`, value] as const),
          ['head.mlp.0.weight', tensor([1, 2])],
          ['backbone.head.weight', ops.full([1000, 384], 1, 'f32', null, null)],
          ['backbone.mask_token', tensor([1])],
        ]),
      );
      const initial = numbers(stateDict(encoder).get('head.weight')!);
      const told: string[] = [];
      const taken = importEncoder(path, encoder, { onWarning: (message) => told.push(message) });
      expect(taken).toHaveLength(weights.length);
      expect(told).toEqual([
        expect.stringMatching(
          /2 of its 153 tensors have no part in vit_s16 .*: head\.mlp\.0\.weight, mask_token/,
        ),
      ]);
      const [from, to] = [source, encoder].map((network) => stateDict(network));
      for (const name of ['patch_embed.proj.weight', 'blocks.11.mlp.fc2.bias', 'cls_token']) {
        expect(numbers(to!.get(name)!), name).toEqual(numbers(from!.get(name)!));
      }
      const moved = positionsFor('x', from!.get('pos_embed')!, 2);
      expect(numbers(to!.get('pos_embed')!)).toEqual(numbers(moved));
      expect(numbers(to!.get('head.weight')!)).toEqual(initial);
    });
  });

  test('of another kind is refused, and what it is is said', () => {
    const { encoder } = built(...VIT);
    const refused = (weights: Record<string, number[]>) => () =>
      tidy(() => {
        const tensors = Object.entries(weights).map(
          ([name, shape]) => [name, ops.full(shape, 0, 'f32', null, null)] as const,
        );
        return importEncoder(fileOf(new Map(tensors)), encoder);
      });
    const embedding = { 'patch_embed.proj.weight': [384, 3, 16, 16] };
    expect(refused({ 'patch_embed.proj.weight': [384, 3, 14, 14], pos_embed: [1, 1370, 384] })).toThrow(
      /This looks like a ViT with patches of 14 pixels, as DINOv2’s are; vit_s16 and vit_b16 have patches of 16/,
    );
    expect(refused({ ...embedding, register_tokens: [1, 4, 384] })).toThrow(
      /has register_tokens, tokens that/,
    );
    expect(refused(embedding)).toThrow(/has no pos_embed: a ViT with rotary .* such as DINOv3’s/);
    expect(refused({ ...embedding, pos_embed: [1, 198, 384] })).toThrow(/pos_embed has shape \[1,198,384\]/);
    expect(refused({ 'patch_embed.proj.weight': [1024, 3, 16, 16] })).toThrow(
      /looks like a ViT of width 1024/,
    );
    expect(refused({ 'patch_embed.proj.weight': [768, 3, 16, 16] })).toThrow(/set model\.backbone=vit_b16/);
  });
});
