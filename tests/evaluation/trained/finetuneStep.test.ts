import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { EncoderFeatures } from '../../../src/evaluation/results/featureKinds.js';
import { classificationLoss } from '../../../src/evaluation/trained/classifier.js';
import { type EncoderGroup, partsOf, viewFeatures } from '../../../src/evaluation/trained/encoderGroups.js';
import { layerGroups, layerRates } from '../../../src/evaluation/trained/layerDecay.js';
import { optimizerOf } from '../../../src/evaluation/trained/presetOptimizer.js';
import { FINETUNE_PRESETS, LINEAR_PRESETS } from '../../../src/evaluation/trained/presets.js';
import {
  finetunedProbe,
  trainedProbe,
  trainingPlan,
  weightsOf,
} from '../../../src/evaluation/trained/trainedProbe.js';
import { crossEntropy } from '../../../src/losses/index.js';
import {
  backboneNamed,
  disposeModule,
  Encoder,
  Linear,
  namedParameters,
  stateDict,
  vgg16,
} from '../../../src/nn/index.js';
import { learningRateAt } from '../../../src/optim/index.js';
import { noGrad, ops, Random, type Tensor, tensor, tidy } from '../../../src/tensor/index.js';
import { relativeError, values } from '../../golden/formula.js';
import { undisposedTensors } from '../../tensor/undisposed.js';

interface Golden {
  kind: EncoderFeatures;
  batchNorm: 'train' | 'frozen';
  weights: number[] | null;
  encoders: 1 | 2;
  optimizer: 'sgd' | 'adamw';
  rate: number;
  loss: number;
  gradients: Record<string, number[]>;
  parameters: Record<string, number[]>;
  buffers: Record<string, number[]>;
}
const golden: Golden[] = JSON.parse(
  readFileSync(new URL('../../golden/finetune.json', import.meta.url), 'utf8'),
);
const PAIRS = 4;
const SIZE = 32;
const EMBEDDING = 20;
/** At a quarter of the width. */
const COLUMNS = { pooled: 128, head: EMBEDDING, maps: 64 + 128 + 128 };

/**
 * The largest
 * Δ
 * of the sum (per √count), the norm and the first values, over the norm or a scale.
 */
function digestError(x: Tensor, [sum, norm, ...first]: number[], scale = 0): number {
  const flat = x.detach().to({ dtype: 'f64' }).toArray() as Float64Array;
  let [ownSum, squares] = [0, 0];
  for (const value of flat) {
    ownSum += value;
    squares += value * value;
  }
  const errors = [
    Math.abs(ownSum - sum!) / Math.sqrt(flat.length),
    Math.abs(Math.sqrt(squares) - norm!),
    ...first.map((value, i) => Math.abs(flat[i]! - value)),
  ];
  return Math.max(...errors) / Math.max(norm!, scale, 1e-300);
}

/** Builds the network with the formula's weights and running statistics of finetune.py, in f64. */
function formulaEncoder(salt: number): Encoder {
  const encoder = new Encoder({
    backbone: vgg16({ width: 0.25, batchNorm: true }),
    size: SIZE,
    embeddingSize: EMBEDDING,
  });
  const fill = (target: Tensor, numbers: Float64Array) =>
    noGrad(() => tidy(() => ops.setData(target, tensor(numbers, target.shape, { dtype: 'f64' }))));
  [...namedParameters(encoder)].forEach(([name, parameter], seed) => {
    const { shape } = parameter;
    const fanIn = shape.slice(1).reduce((product, length) => product * length, 1);
    const bound = shape.length > 1 ? Math.sqrt(6 / fanIn) : 0.2;
    const centre = shape.length === 1 && name.startsWith('features') && name.endsWith('weight') ? 1 : 0;
    fill(
      parameter,
      values(shape, salt + seed, -bound, bound).map((value) => centre + value),
    );
  });
  const buffers = [...stateDict(encoder)].filter(([name]) => /running|tracked/.test(name));
  buffers.forEach(([name, buffer], seed) => {
    if (name.endsWith('running_mean')) fill(buffer, values(buffer.shape, salt + 200 + seed, -0.2, 0.2));
    if (name.endsWith('running_var')) fill(buffer, values(buffer.shape, salt + 200 + seed, 0.5, 1.5));
  });
  return encoder;
}

function formulaClassifier(columns: number): Linear {
  const classifier = new Linear(columns, 2, new Random('unused'));
  const { weight, bias } = classifier.parameters;
  noGrad(() =>
    tidy(() => {
      ops.setData(weight, tensor(values([2, columns], 31, -0.3, 0.3), [2, columns], { dtype: 'f64' }));
      ops.setData(bias, tensor(values([2], 32, -0.3, 0.3), [2], { dtype: 'f64' }));
    }),
  );
  return classifier;
}

describe('one step of finetuning equals float64 PyTorch', () => {
  test.each(golden)('$optimizer, $kind, batch norm $batchNorm, $encoders encoder(s)', (one) => {
    const before = undisposedTensors();
    const modalities = ['a', 'b'];
    const encoders = Array.from({ length: one.encoders }, (_, k) => formulaEncoder(100 * (k + 1)));
    const groups: EncoderGroup[] = encoders.map((encoder, k) => ({
      encoder,
      modalities: one.encoders === 1 ? modalities : [modalities[k]!],
    }));
    const classifier = formulaClassifier(2 * COLUMNS[one.kind]);
    const preset = FINETUNE_PRESETS.find(
      ({ name }) => name === (one.optimizer === 'sgd' ? 'hu' : 'layer-decay'),
    )!;
    const optimizer = optimizerOf(preset, groups, new Map([['row', classifier]]));
    tidy(() => {
      const shape = [2 * PAIRS, 3, SIZE, SIZE];
      const images = tensor(values(shape, 7, 0, 1), shape, { dtype: 'f64' });
      const features = new Map<string, Tensor>();
      groups.forEach(({ encoder, modalities: used }, k) => {
        const own = one.encoders === 1 ? images : images.narrow(0, k * PAIRS, PAIRS);
        const training = one.batchNorm === 'train';
        for (const entry of viewFeatures(encoder, own, { used, kinds: [one.kind], training })) {
          features.set(...entry);
        }
      });
      const labels = tensor([0, 1, 1, 0], [PAIRS], { dtype: 'i64' });
      const loss = classificationLoss(
        classifier,
        partsOf(features, one.kind, modalities),
        labels,
        one.weights ?? undefined,
      );
      expect(relativeError([loss.item()], [one.loss])).toBeLessThan(1e-12);
      loss.backward();
      const named = new Map([
        ...encoders.flatMap((encoder, k) => [...namedParameters(encoder, `${k}.`)]),
        ...namedParameters(classifier, 'classifier.'),
      ]);
      const largest = Math.max(...Object.values(one.gradients).map(([, norm]) => norm!));
      // A head that nothing reads has no gradient, on both sides.
      const withGradient = [...named].filter(([, { grad }]) => grad !== null).map(([name]) => name);
      expect(withGradient.sort()).toEqual(Object.keys(one.gradients).sort());
      for (const name of withGradient) {
        // Before batch norm in training mode a bias has no effect: its gradient is rounding noise beside the others.
        expect(digestError(named.get(name)!.grad!, one.gradients[name]!, 1e-3 * largest)).toBeLessThan(1e-10);
      }
      optimizer.step(one.rate);
      optimizer.zeroGrad();
      for (const [name, parameter] of named) {
        // AdamW's first step divides a gradient by itself. Where the gradient is only noise, which differs on every
        // machine, 1e-16 to 1e-15 over its epsilon of 1e-8 remains, times the rate.
        const noise = (one.gradients[name]?.[1] ?? 0) < 1e-10 * largest;
        expect(digestError(parameter, one.parameters[name]!, 1)).toBeLessThan(noise ? 1e-9 : 1e-11);
      }
      for (const [k, encoder] of encoders.entries()) {
        for (const [name, buffer] of stateDict(encoder)) {
          const expected = one.buffers[`${k}.${name}`];
          if (expected !== undefined) expect(digestError(buffer, expected)).toBeLessThan(1e-12);
        }
      }
    });
    optimizer.dispose();
    for (const encoder of encoders) disposeModule(encoder);
    disposeModule(classifier);
    expect(undisposedTensors()).toBe(before);
  });

  test('frozen batch norm uses the running statistics and keeps them, while its weights train', () => {
    const frozen = golden.find(({ batchNorm }) => batchNorm === 'frozen')!;
    const trained = golden.find(({ batchNorm }) => batchNorm === 'train')!;
    const encoder = formulaEncoder(100);
    const at = '0.features.1.running_mean';
    const untouched = stateDict(encoder).get('features.1.running_mean')!;
    expect(digestError(untouched, frozen.buffers[at]!)).toBeLessThan(1e-15); // the sum in another order
    expect(digestError(untouched, trained.buffers[at]!)).toBeGreaterThan(1e-2);
    expect(Object.keys(frozen.gradients)).toContain('0.features.1.weight');
    disposeModule(encoder);
  });
});

test('layer decay trains the deepest convolution at .65 of the rate and the first at .65¹³, batch norm with its convolution', () => {
  const encoder = new Encoder({
    backbone: vgg16({ width: 0.25, batchNorm: true }),
    size: 32,
    embeddingSize: 8,
  });
  const rates = new Map(layerRates(encoder, 0.65).map(({ name, rate }) => [name, rate]));
  expect(rates.get('features.0.weight')).toBeCloseTo(0.65 ** 13, 15);
  expect(rates.get('features.1.bias')).toBeCloseTo(0.65 ** 13, 15);
  expect(rates.get('features.3.weight')).toBeCloseTo(0.65 ** 12, 15);
  expect(rates.get('features.40.weight')).toBeCloseTo(0.65, 15);
  expect(rates.get('features.41.weight')).toBeCloseTo(0.65, 15);
  expect([rates.get('head.weight'), rates.get('head.bias')]).toEqual([1, 1]);
  expect(new Set(rates.values()).size).toBe(14);
  disposeModule(encoder);
});

test.each([
  [
    'resnet18',
    {
      'conv1.weight': 5,
      'bn1.weight': 5,
      'layer1.1.conv2.weight': 4,
      'layer2.0.downsample.1.bias': 3,
      'layer4.0.bn2.bias': 1,
      'head.weight': 0,
    },
  ],
  [
    'vit_s16',
    {
      cls_token: 13,
      pos_embed: 13,
      'patch_embed.proj.bias': 13,
      'blocks.0.norm1.weight': 12,
      'blocks.7.attn.qkv.weight': 5,
      'blocks.11.mlp.fc2.bias': 1,
      // As MAE has it, what comes after the blocks trains as the classifier does.
      'norm.weight': 0,
      'head.bias': 0,
    },
  ],
])('layer decay of %s, by the exponent of .65', (name, exponents) => {
  const width = name === 'vit_s16' ? 1 : 0.125;
  const encoder = new Encoder({
    backbone: backboneNamed(name).make({ width, size: 32, seed: 0 }),
    size: 32,
    embeddingSize: 8,
  });
  const rates = new Map(layerRates(encoder, 0.65).map((layer) => [layer.name, layer.rate]));
  for (const [parameter, exponent] of Object.entries(exponents)) {
    expect(rates.get(parameter), parameter).toBeCloseTo(0.65 ** exponent, 15);
  }
  expect(new Set(rates.values()).size).toBe(1 + encoder.backbone.depth);
  const groups = layerGroups([{ encoder, modalities: ['a'] }], new Map(), {
    layerDecay: 0.65,
    weightDecay: 0.05,
  });
  const decays = groups
    .filter(({ weightDecay = 0 }) => weightDecay > 0)
    .flatMap(({ parameters }) => [...parameters]);
  expect(decays.every(([, { shape }]) => shape.length === 2 || shape.length === 4)).toBe(true);
  expect(decays.length).toBeGreaterThan(10);
  disposeModule(encoder);
});

test('class weights are scikit-learn’s balanced ones, and the loss of a batch is the weighted mean', () => {
  expect(weightsOf('none', [0, 1], 2)).toBeUndefined();
  expect(weightsOf('balanced', [0, 0, 0, 1], 2)).toEqual([4 / 6, 2]);
  tidy(() => {
    const logits = tensor([1, 0, 0, 0, -1, 2], [3, 2], { dtype: 'f64' });
    const classes = tensor([0, 1, 1], [3], { dtype: 'i64' });
    const each = [Math.log(1 + Math.exp(-1)), Math.log(2), Math.log(1 + Math.exp(-3))];
    const expected = (0.5 * each[0]! + 2 * each[1]! + 2 * each[2]!) / 4.5;
    expect(crossEntropy(logits, classes, [0.5, 2]).item()).toBeCloseTo(expected, 14);
    expect(crossEntropy(logits, classes, [3, 3]).item()).toBeCloseTo(
      crossEntropy(logits, classes).item(),
      14,
    );
    expect(() => crossEntropy(logits, classes, [1])).toThrow('1 weights, expected one for each of 2 classes');
  });
});

describe('presets', () => {
  const rateOf = (name: string, step: number, samples: number, epochs?: number) => {
    const { preset } = trainedProbe('linear', LINEAR_PRESETS, { preset: name, epochs });
    const plan = trainingPlan(preset, samples);
    const { learningRate: base, totalSteps, stepsPerEpoch, warmupSteps } = plan;
    const context = { base, totalSteps, stepsPerEpoch, warmupSteps };
    return { ...plan, rate: learningRateAt(step, preset.schedule, context) };
  };

  test('batches are no larger than the training samples, and only rates that are for a batch size shrink with them', () => {
    expect(trainingPlan(LINEAR_PRESETS.find(({ name }) => name === 'simclr')!, 64)).toMatchObject({
      batchSize: 64,
      learningRate: 0.025,
      stepsPerEpoch: 1,
    });
    expect(rateOf('moco', 0, 64)).toMatchObject({ batchSize: 64, learningRate: 30 });
    expect(trainingPlan(FINETUNE_PRESETS.find(({ name }) => name === 'layer-decay')!, 100)).toMatchObject({
      batchSize: 16,
      learningRate: (5e-3 * 16) / 256,
      stepsPerEpoch: 6, // the rest of 4 is left out
      warmupSteps: 30,
    });
  });

  test('milestones are epochs and move with --epochs', () => {
    // 300 samples: two steps an epoch.
    const rates = (epochs?: number) => [119, 120, 160].map((step) => rateOf('moco', step, 300, epochs).rate);
    expect(rates()).toEqual([30, 3, expect.closeTo(0.3, 12)]);
    expect(rateOf('moco', 11, 300, 10).rate).toBe(30);
    expect(rateOf('moco', 12, 300, 10).rate).toBeCloseTo(3, 12);
    expect(rateOf('moco', 16, 300, 10).rate).toBeCloseTo(0.3, 12);
  });

  test('an unknown preset is refused with the name that was meant', () => {
    expect(() => finetunedProbe('finetune', FINETUNE_PRESETS, { preset: 'layer-deacy' })).toThrow(
      '--preset is layer-deacy, expected one of hu, simclr, layer-decay for evaluate finetune; did you mean layer-decay?',
    );
    expect(() => trainedProbe('linear', LINEAR_PRESETS, { preset: 'layer-decay' })).toThrow(
      'expected one of hu, moco,',
    );
    expect(() => finetunedProbe('finetune', FINETUNE_PRESETS, { epochs: 0 })).toThrow(
      '--epochs is 0, expected a whole number from 1',
    );
    expect(() => trainedProbe('linear', LINEAR_PRESETS, { learningRate: Number.NaN })).toThrow(
      '--learning-rate is NaN',
    );
    expect(() => trainedProbe('linear', LINEAR_PRESETS, { classWeights: 'equal' as 'none' })).toThrow(
      '--class-weights is equal',
    );
    expect(() => finetunedProbe('finetune', FINETUNE_PRESETS, { batchNorm: 'eval' as 'train' })).toThrow(
      '--batch-norm is eval',
    );
  });
});
