import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { layerRates } from '../../src/evaluation/trained/layerDecay.js';
import { exportEncoder, importEncoder } from '../../src/export/encoder.js';
import { Branches, branchOf, Encoder, loadState, stateDict, vgg16 } from '../../src/nn/index.js';
import { ops, tensor, tidy } from '../../src/tensor/index.js';
import { buildEncoder } from '../../src/training/build.js';
import { freed, numbers, temporaryFolder, tinyConfig } from '../training/tiny.js';

const SIZE = 32;
const images = () =>
  tensor(
    Float32Array.from({ length: 2 * SIZE * SIZE }, (_, i) => ((i * 37) % 101) / 101),
    [2, 1, SIZE, SIZE],
  );
const backbone = (seed: number) => vgg16({ width: 0.125, batchNorm: true, seed });

describe('branches', () => {
  test('are the backbones side by side, in every map and in the features', () => {
    tidy(() => {
      const [one, two] = [backbone(1), backbone(2)];
      const both = new Branches([one, two]);
      expect(both.channels).toEqual([16, 32, 64, 128, 128]);
      const x = images();
      const joined = both.forward(x);
      for (const [branch, alone] of [one, two].entries()) {
        const own = alone.forward(x);
        for (const [stage, map] of own.maps.entries()) {
          expect(numbers(branchOf(joined.maps[stage]!, branch, 2))).toEqual(numbers(map));
        }
        expect(numbers(branchOf(joined.features, branch, 2))).toEqual(numbers(own.features));
        expect(numbers(branchOf(joined.pooled, branch, 2))).toEqual(numbers(own.pooled));
      }
      expect(both.savedBytes(64, 4)).toBe(2 * one.savedBytes(64, 4));
    });
  });

  test.each(['map', 'pool', 'gap'] as const)('have a head each, from their own %s', (headInput) => {
    tidy(() => {
      const encoder = new Encoder({
        backbone: new Branches([backbone(1), backbone(2)]),
        size: SIZE,
        headInput,
        embeddingSize: 6,
      });
      const { embedding, maps, features } = encoder.forward(images());
      const { pooled } = encoder.backbone.forward(images());
      const input = { map: maps.at(-1)!, pool: pooled, gap: features }[headInput];
      const state = stateDict(encoder);
      for (const branch of [0, 1]) {
        const own = branchOf(input, branch, 2);
        const flat = headInput === 'gap' ? own : ops.flatten(own, 1, -1);
        const [weight, bias] = ['weight', 'bias'].map((name) => state.get(`head.${branch}.${name}`)!);
        const expected = ops.relu(ops.linear(flat, weight!, bias!));
        expect(numbers(embedding.narrow(1, 3 * branch, 3))).toEqual(numbers(expected));
      }
    });
  });

  test('refuse an embedding that cannot be halved', () => {
    const branched = () =>
      new Encoder({ backbone: new Branches([backbone(1), backbone(2)]), size: SIZE, embeddingSize: 5 });
    expect(() => tidy(branched)).toThrow('embeddingSize is 5, expected a multiple of the 2 branches');
  });

  test('start from different weights, the first from those of a network without branches', () => {
    const one = freed(statesOf('model.embeddingSize=6'));
    const two = freed(statesOf('model.embeddingSize=6', 'model.branches=2'));
    const weight = 'features.0.weight';
    expect(two.get(`branches.0.${weight}`)).toEqual(one.get(weight));
    expect(two.get(`branches.1.${weight}`)).not.toEqual(one.get(weight));
  });

  test('come back from their file, and refuse one of a network without branches', () => {
    const folder = temporaryFolder();
    const [branched, plain] = [join(folder, 'branched.safetensors'), join(folder, 'plain.safetensors')];
    tidy(() => {
      const config = tinyConfig('model.branches=2', 'model.embeddingSize=6');
      const encoder = buildEncoder(config, 'cpu');
      exportEncoder(branched, encoder);
      exportEncoder(plain, buildEncoder(tinyConfig('model.embeddingSize=6'), 'cpu'));
      const other = buildEncoder({ ...config, seed: 7 }, 'cpu');
      importEncoder(branched, other);
      const state = stateDict(encoder);
      for (const [name, value] of stateDict(other)) {
        expect(numbers(value), name).toEqual(numbers(state.get(name)!));
      }
      expect(() => importEncoder(plain, other)).toThrow(/has no branches\.0\.features\.0\.weight/);
      loadState(other, state);
    });
  });

  test('train at the same rates in each branch when layers decay', () => {
    tidy(() => {
      const encoder = buildEncoder(tinyConfig('model.branches=2', 'model.embeddingSize=6'), 'cpu');
      const rates = new Map(layerRates(encoder, 0.5).map(({ name, rate }) => [name, rate]));
      const plain = buildEncoder(tinyConfig('model.embeddingSize=6'), 'cpu');
      for (const { name, rate } of layerRates(plain, 0.5)) {
        if (name.startsWith('head.')) continue;
        expect(rates.get(`branches.0.${name}`), name).toBe(rate);
        expect(rates.get(`branches.1.${name}`), name).toBe(rate);
      }
      expect(rates.get('head.0.weight')).toBe(1);
    });
  });
});

/** The values of a built encoder's tensors, by name. */
function statesOf(...set: string[]) {
  const values = tidy(() => {
    return new Map(
      [...stateDict(buildEncoder(tinyConfig(...set), 'cpu'))].map(([name, x]) => [name, numbers(x)]),
    );
  });
  return Object.assign(values, { dispose: () => values.clear() });
}
