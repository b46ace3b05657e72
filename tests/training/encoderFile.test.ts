import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { exportEncoder, importEncoder } from '../../src/export/encoder.js';
import { readSafetensors, writeSafetensors } from '../../src/export/safetensors.js';
import { saveState } from '../../src/export/stateFile.js';
import type { Encoder } from '../../src/nn/index.js';
import { stateDict } from '../../src/nn/index.js';
import { noGrad, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { buildEncoder, checkMethod } from '../../src/training/build.js';
import {
  numbers,
  pictures,
  temporaryFolder,
  tinyBatch,
  tinyConfig,
  tinyMethod,
  withOneThread,
} from './tiny.js';

withOneThread();

const file = () => join(temporaryFolder(), 'weights.safetensors');

/** An encoder whose running statistics and weights are no longer the initial ones. */
function trained(): Encoder {
  const method = tinyMethod(tinyConfig('seed=5'));
  tidy(() => {
    const { perPair } = method.forward(method.views(tinyBatch(4)));
    perPair.consistency!.value.item();
  });
  return method.encoderFor('a');
}

const output = (encoder: Encoder) =>
  tidy(() => {
    const { maps, embedding } = noGrad(() =>
      encoder.forward(pictures(2, 3, 'x').div(255).narrow(2, 0, 32).narrow(3, 0, 32)),
    );
    return [...maps, embedding].map(numbers);
  });

describe('encoder files', () => {
  test('export and import give the same outputs to the bit, by init-from too', () => {
    const path = file();
    const encoder = trained();
    exportEncoder(path, encoder, { note: 'x' });
    expect(readSafetensors(path).metadata).toEqual({ format: 'pt', note: 'x' });
    const other = tinyMethod(tinyConfig('seed=6')).encoderFor('a');
    expect(output(other)).not.toEqual(output(encoder));
    expect(importEncoder(path, other).sort()).toEqual([...stateDict(encoder).keys()].sort());
    expect(output(other)).toEqual(output(encoder));
    const built = tinyMethod(tinyConfig(`model.initFrom=${path}`));
    expect(output(built.encoderFor('a'))).toEqual(output(encoder));
    for (const parameter of built.parameters().values()) expect(parameter.requiresGrad).toBe(true);
    expect(built.parameters().get('features.3.weight')!.memoryFormat).toBe('channelsLast');
  });

  test('of a file like torchvision’s, features.* are taken, classifier.* is left out, and the head stays', () => {
    const path = file();
    const encoder = trained();
    const head = numbers(stateDict(encoder).get('head.weight')!);
    tidy(() => {
      const state = new Map<string, Tensor>();
      for (const [name, value] of stateDict(encoder)) {
        // Old files have no counters.
        if (!name.startsWith('head.') && !name.endsWith('num_batches_tracked')) {
          state.set(name, value.dtype === 'f32' ? value.detach().mul(0.5) : value);
        }
      }
      state.set('classifier.0.weight', tensor([1, 2, 3]));
      state.set('classifier.6.bias', tensor([1]));
      saveState(path, state);
    });
    const before = numbers(stateDict(encoder).get('features.0.weight')!);
    const taken = importEncoder(path, encoder);
    expect(taken).toHaveLength(13 * 6); // weight and bias of convolution and norm, and the norm's statistics
    expect(taken.every((name) => name.startsWith('features.'))).toBe(true);
    expect(numbers(stateDict(encoder).get('features.0.weight')!)).toEqual(before.map((value) => value / 2));
    expect(numbers(stateDict(encoder).get('head.weight')!)).toEqual(head);
  });

  test('a head of another shape is refused, or left out with a warning', () => {
    const path = file();
    const larger = tinyMethod(tinyConfig('seed=7', 'data.size=64')).encoderFor('a');
    exportEncoder(path, larger);
    const encoder = trained();
    const initial = numbers(stateDict(encoder).get('head.weight')!);
    const misfit = /head\.weight has shape \[500,512\], expected \[500,128\]/;
    expect(() => importEncoder(path, encoder)).toThrow(misfit);
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    const taken = importEncoder(path, encoder, { otherHead: 'leave out', onWarning });
    expect(warnings).toEqual([expect.stringMatching(misfit)]);
    expect(taken.filter((name) => !name.startsWith('features.'))).toEqual([]);
    const [weight, bias] = ['features.0.weight', 'head.bias'] as const;
    expect(numbers(stateDict(encoder).get(weight)!)).toEqual(numbers(stateDict(larger).get(weight)!));
    expect(numbers(stateDict(encoder).get('head.weight')!)).toEqual(initial);
    // The bias would fit, but belongs to the other head.
    expect(numbers(stateDict(encoder).get(bias)!)).not.toEqual(numbers(stateDict(larger).get(bias)!));
    // One that fits is taken, and nothing is said.
    exportEncoder(path, encoder);
    expect(importEncoder(path, trained(), { otherHead: 'leave out', onWarning })).toContain('head.weight');
    expect(warnings).toHaveLength(1);
  });

  test('half-precision files are widened', () => {
    const path = file();
    const encoder = trained();
    const entries = readFirst(encoder);
    tidy(() => {
      const state = readSafetensorsOf(encoder, path);
      const { data, shape } = state.get('features.0.bias')!;
      expect(data.byteLength).toBe(4 * shape[0]!);
      const bf16 = Uint8Array.from(Array.from({ length: shape[0]! }, () => [0x80, 0x3f]).flat()); // 1.0
      writeSafetensors(
        path,
        new Map([...state, ['features.0.bias', { dtype: 'BF16' as const, shape, data: bf16 }]]),
      );
    });
    importEncoder(path, encoder);
    expect(numbers(stateDict(encoder).get('features.0.bias')!)).toEqual(entries.map(() => 1));
  });

  test('weights that do not fit are refused and nothing is changed', () => {
    const encoder = trained();
    const before = numbers(stateDict(encoder).get('features.0.weight')!);
    const attempt = (state: Map<string, Tensor>) => {
      const path = file();
      saveState(path, state);
      return () => importEncoder(path, encoder);
    };
    tidy(() => {
      const own = new Map([...stateDict(encoder)]);
      expect(attempt(new Map([['conv1.weight', tensor([1])]]))).toThrow(
        /has no features\.0\.weight .*it holds conv1\.weight, …\)\. Expected the names of vgg16_bn, such as features\.0\.weight/,
      );
      expect(attempt(new Map([...own, ['features.0.weight', tensor([1, 2])]]))).toThrow(
        /features\.0\.weight has shape \[2\], expected \[16,3,3,3\]/,
      );
      expect(attempt(new Map([...own, ['features.99.weight', tensor([1])]]))).toThrow(
        /features\.99\.weight is unknown/,
      );
      const plain = tinyMethod(tinyConfig('model.backbone=vgg16')).encoderFor('a');
      expect(attempt(new Map([...stateDict(plain)]))).toThrow(/backbone tensors are missing/);
      const path = file();
      writeSafetensors(
        path,
        new Map([['features.0.weight', { dtype: 'U8', shape: [1], data: new Uint8Array(1) }]]),
      );
      expect(() => importEncoder(path, encoder)).toThrow(/features\.0\.weight is U8, expected F32/);
    });
    expect(numbers(stateDict(encoder).get('features.0.weight')!)).toEqual(before);
    expect(() =>
      saveState(file(), new Map([['x', tidy(() => tensor([1], [1], { dtype: 'bf16' }))]])),
    ).toThrow(/x is bf16, expected f32, f64 or i64/);
  });
});

function readFirst(encoder: Encoder): number[] {
  return numbers(stateDict(encoder).get('features.0.bias')!);
}

function readSafetensorsOf(encoder: Encoder, path: string) {
  exportEncoder(path, encoder);
  return readSafetensors(path).tensors;
}

describe('buildEncoder', () => {
  test('initial weights are a function of the seed', () => {
    const weights = (seed: number) => {
      const encoder = buildEncoder(tinyConfig(`seed=${seed}`), 'cpu');
      const found = numbers(stateDict(encoder).get('features.0.weight')!);
      for (const value of stateDict(encoder).values()) value.dispose();
      return found;
    };
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)).not.toEqual(weights(2));
  });
});

describe('settings that do not fit the data', () => {
  test('a grid finer than its map names the smallest size that works', () => {
    const at =
      (...set: string[]) =>
      () =>
        checkMethod(tinyConfig(...set));
    expect(at('method.maps=[4]', 'method.patches=[4,4]')).toThrow(
      /4×4 on map 4, which is 2×2 at data.size 32; use data.size 64 or more/,
    );
    expect(at('method.maps=[1,4]', 'method.patches=[[8,8],[8,8]]')).toThrow(/8×8 on map 4.*data.size 128/);
    expect(at('method.maps=[1,2]', 'method.patches=[[8,8]]')).toThrow(/1 grids for 2 maps/);
    expect(at('method.maps=[1,4]', 'method.patches=[[8,8],[2,2]]')).not.toThrow();
    // The size named is the smallest: it works, and 32 less does not.
    expect(at('data.size=64', 'method.maps=[4]', 'method.patches=[4,4]')).not.toThrow();
  });

  test('relations are checked before anything is decoded', () => {
    const at =
      (...set: string[]) =>
      () =>
        checkMethod(tinyConfig(...set));
    expect(at('method.relation=kl', 'method.distance=frobenius')).toThrow(
      /^settings under method: distance frobenius goes with relation correlation or normed, not with kl/,
    );
    expect(at('method.relation=cka', 'method.relationTau=0.1')).toThrow(/relation cka has no temperature/);
    // The map by its own number, not by its place in method.maps.
    const fine = ['data.size=192', 'method.maps=[1]', 'method.patches=[96,96]'];
    expect(at(...fine, 'method.relation=kl')).toThrow(
      /of map 1 compares 9216×9216 patches.*5\.4 GiB.*coarser/,
    );
    expect(at(...fine)).not.toThrow();
    expect(at(...fine, 'method.relation=cka')).not.toThrow();
    const finest = ['data.size=224', 'method.maps=[1]', 'method.patches=[112,112]'];
    expect(at(...finest)).not.toThrow();
    expect(at(...finest, 'method.consistencyShift=1')).toThrow(/compares 12544×12544 patches.*coarser/);
  });

  test('settings for pairs that are not aligned are checked before anything is decoded', () => {
    const at =
      (...set: string[]) =>
      () =>
        checkMethod(tinyConfig(...set));
    expect(at('method.transportEpsilon=0.2')).toThrow(
      /^settings under method: transportEpsilon is 0\.2, but relation correlation transports nothing/,
    );
    expect(at('method.relation=transport', 'method.transportSigma=2')).not.toThrow();
    expect(at('method.relation=transport', 'method.transportSigma=0')).toThrow(/method\.transportSigma is 0/);
    // The map by its own number.
    const grids = 'method.patches=[[5,6],[3,3],[4,4]]';
    expect(at(grids, 'method.consistencyShift=1')).not.toThrow();
    expect(at(grids, 'method.consistencyShift=2')).toThrow(
      /^settings under method: consistencyShift is 2 with a grid of 3×3 patches on map 2, .*; use consistencyShift 1, or a grid of 5×5/,
    );
    expect(at(grids, 'method.consistencyShift=1', 'method.relation=kl')).toThrow(
      /consistencyShift is 1, which goes with relation correlation/,
    );
    expect(at('method.consistencyShift=1.5')).toThrow(/method\.consistencyShift is 1\.5/);
  });

  test('random starts from the seed, imagenet from a file', () => {
    const check = (method: string, initFrom: string | null) => () =>
      checkMethod(resolveConfig({ set: [`method=${method}`, `model.initFrom=${initFrom}`] }));
    expect(check('random', 'weights.safetensors')).toThrow(/leave out --init-from, or use --method imagenet/);
    expect(check('random', null)).not.toThrow();
    expect(check('imagenet', null)).toThrow(/needs weights; give a file by --init-from/);
    expect(check('imagenet', 'weights.safetensors')).not.toThrow();
  });
});

test('an encoder refuses images of another size', () => {
  const encoder = trained();
  tidy(() =>
    expect(() => encoder.forward(ops.full([1, 3, 64, 64], 0, null, null, null))).toThrow(
      /expected \[B, 3, 32, 32\]/,
    ),
  );
});

describe('weights under the names of other programs', () => {
  const renamed = (
    rename: (name: string) => string | undefined,
    further: Record<string, readonly number[]> = {},
  ) => {
    const path = file();
    const state = new Map<string, Tensor>();
    for (const [name, value] of stateDict(trained())) {
      const other = name.startsWith('features.') ? rename(name) : undefined;
      if (other !== undefined) state.set(other, value);
    }
    for (const [name, values] of Object.entries(further)) state.set(name, tensor([...values]));
    saveState(path, state, {});
    return path;
  };
  const backbone = (path: string) => {
    const encoder = tinyMethod(tinyConfig('seed=6')).encoderFor('a');
    importEncoder(path, encoder, { otherHead: 'leave out' });
    return output(encoder).slice(0, -1);
  };

  test('are taken: timm’s classifier is left out, and a prefix that all share is taken off', () => {
    const expected = output(trained()).slice(0, -1);
    const timm = { 'pre_logits.fc1.weight': [1], 'head.fc.weight': [1], 'head.fc.bias': [1] };
    expect(backbone(renamed((name) => name, timm))).toEqual(expected);
    for (const prefix of ['module.', 'model.', 'backbone.', 'encoder.', 'module.model.backbone.'])
      expect(backbone(renamed((name) => prefix + name, { [`${prefix}classifier.0.weight`]: [1] }))).toEqual(
        expected,
      );
  });

  test('are refused where two networks are in the file', () => {
    const path = renamed((name) => `encoder.${name}`, { 'backbone.features.0.weight': [1] });
    expect(() => backbone(path)).toThrow('has no features.0.weight');
  });
});
