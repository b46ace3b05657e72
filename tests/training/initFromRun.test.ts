import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { exportEncoder } from '../../src/export/encoder.js';
import { writeSafetensors } from '../../src/export/safetensors.js';
import { readState } from '../../src/export/stateFile.js';
import { disposeModule, stateDict } from '../../src/nn/index.js';
import { buildEncoder } from '../../src/training/build.js';
import { pretrain } from '../../src/training/pretrain.js';
import { encoderPath, runPaths } from '../../src/training/runFolder.js';
import { resolveStart } from '../../src/training/startingWeights.js';
import { listener, methodConfig, numbers, withOneThread, writePairs } from './tiny.js';

withOneThread();

let folder: string;
let run: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-init-'));
  await writePairs(join(folder, 'data'), { pairs: 6 });
  run = join(folder, 'run');
  const config = methodConfig(
    ...['method=cmc', 'training.batchSize=6', 'training.steps=1', 'data.normalize=imagenet'],
    ...[`data.path=${folder}/data/manifest.csv`, `data.cacheFolder=${folder}/cache`],
  );
  await pretrain(config, { out: run, console: listener().console });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a run is as good as its file, and of encoders for each modality the one of the same name is taken', () => {
  const asked = methodConfig('method=cmc', 'data.normalize=imagenet', `model.initFrom=${run}`);
  for (const [name, file] of [
    [undefined, runPaths(run).encoder],
    ['b', encoderPath(run, 'b')],
    ['c', runPaths(run).encoder],
  ] as const) {
    const told: string[] = [];
    const own = stateDict(buildEncoder(asked, 'cpu', { name, onWarning: (text) => told.push(text) }));
    const { state } = readState(file);
    for (const weight of ['features.0.weight', 'head.weight'])
      expect(numbers(own.get(weight)!)).toEqual(numbers(state.get(weight)!));
    for (const tensor of [...own.values(), ...state.values()]) tensor.dispose();
    expect(told).toEqual([]);
  }
});

test('a head that does not fit starts as the seed has it, and the backbone as the file has it', () => {
  const settings = ['method=cmc', 'data.normalize=imagenet', 'model.embeddingSize=9'];
  const [given, fresh] = [[`model.initFrom=${run}`], []].map((start) =>
    stateDict(buildEncoder(methodConfig(...settings, ...start), 'cpu')),
  );
  const { state } = readState(runPaths(run).encoder);
  const weight = 'features.0.weight';
  expect(numbers(given!.get(weight)!)).toEqual(numbers(state.get(weight)!));
  expect(numbers(given!.get('head.weight')!)).toEqual(numbers(fresh!.get('head.weight')!));
  for (const tensor of [...given!.values(), ...fresh!.values(), ...state.values()]) tensor.dispose();
});

test('another normalisation than the run’s is told, with the setting', () => {
  const told: string[] = [];
  const other = methodConfig('method=cmc', `model.initFrom=${run}`);
  const encoder = buildEncoder(other, 'cpu', { onWarning: (text) => told.push(text) });
  for (const tensor of stateDict(encoder).values()) tensor.dispose();
  expect(told).toEqual([
    expect.stringMatching(
      /was trained with data\.normalize=imagenet, and it is none; give --set data\.normalize=imagenet$/,
    ),
  ]);
});

test('a run without normalisation wants none, whatever public weights of its backbone want', async () => {
  const plain = join(folder, 'plain');
  const config = methodConfig('method=random', `data.path=${folder}/data/manifest.csv`);
  await pretrain({ ...config, data: { ...config.data, cacheFolder: join(folder, 'cache') } }, { out: plain });
  const told = (normalize: string) => {
    const texts: string[] = [];
    const asked = methodConfig('method=cmc', `model.initFrom=${plain}`, `data.normalize=${normalize}`);
    const encoder = buildEncoder(asked, 'cpu', { onWarning: (text) => texts.push(text) });
    for (const tensor of stateDict(encoder).values()) tensor.dispose();
    return texts;
  };
  expect(told('none')).toEqual([]);
  expect(told('imagenet')).toEqual([
    expect.stringMatching(/was trained with data\.normalize=none, and it is imagenet/),
  ]);
});

describe('the normalisation of a run that begins from weights', () => {
  const asked = (initFrom: string, ...set: string[]) => {
    const told: string[] = [];
    const sources = { set: ['method=cmc', `model.initFrom=${initFrom}`, ...set] };
    const { data } = resolveStart(sources, { onNotice: (text) => told.push(text) });
    return { normalize: data.normalize, told };
  };

  test('is that of the run whose weights they are, and this is told', () => {
    expect(asked(run)).toEqual({
      normalize: 'imagenet',
      told: [
        `data.normalize is set to imagenet, which ${run} expects; give --set data.normalize=none if its weights were trained otherwise`,
      ],
    });
    expect(asked(runPaths(run).encoder).normalize).toBe('imagenet');
  });

  test('is what is asked for, by a setting or by a file', () => {
    expect(asked(run, 'data.normalize=none')).toEqual({ normalize: 'none', told: [] });
    expect(asked(run, 'data.normalize=imagenet')).toEqual({ normalize: 'imagenet', told: [] });
    const file = join(folder, 'config.yaml');
    writeFileSync(file, `model: { initFrom: ${run} }\ndata: { normalize: none }\n`);
    expect(resolveStart({ file }, { onNotice: () => {} }).data.normalize).toBe('none');
  });

  test('is ImageNet’s of public weights, and none where nothing tells', async () => {
    const file = join(folder, 'public.safetensors');
    writeSafetensors(file, new Map());
    expect(asked(file).normalize).toBe('imagenet');
    const torch = join(folder, 'public.pth');
    writeFileSync(torch, 'PK');
    expect(asked(torch).normalize).toBe('imagenet');
    // Ours from before files said what they are of.
    const older = join(folder, 'older.safetensors');
    const encoder = buildEncoder(methodConfig(), 'cpu');
    exportEncoder(older, encoder);
    disposeModule(encoder);
    expect(asked(older)).toEqual({ normalize: 'none', told: [] });
    expect(() => asked(join(folder, 'missing.safetensors'))).toThrow(
      /model\.initFrom is .*missing\.safetensors, and there is no such file; name weights/,
    );
    expect(resolveStart({}, { onNotice: () => {} }).data.normalize).toBe('none');
  });

  test('stays as it was in a run that has begun', async () => {
    const out = join(folder, 'begun');
    const set = [
      'method=random',
      `data.path=${folder}/data/manifest.csv`,
      `data.cacheFolder=${folder}/cache`,
    ];
    await pretrain(resolveConfig({ set }), { out });
    const told: string[] = [];
    const sources = { set: [...set, `model.initFrom=${run}`] };
    expect(resolveStart(sources, { out, onNotice: (text) => told.push(text) }).data.normalize).toBe('none');
    expect(told).toEqual([]);
  });
});

test('a folder without a finished run is refused', () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  expect(() => buildEncoder(methodConfig('method=cmc', `model.initFrom=${empty}`), 'cpu')).toThrow(
    /model\.initFrom is .*empty: the folder has no encoder\.safetensors; name a file of weights, or a finished run/,
  );
});
