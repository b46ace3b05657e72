import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readState } from '../../src/export/stateFile.js';
import { stateDict } from '../../src/nn/index.js';
import { buildEncoder } from '../../src/training/build.js';
import { pretrain } from '../../src/training/pretrain.js';
import { encoderPath, runPaths } from '../../src/training/runFolder.js';
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

test('a folder without a finished run is refused', () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  expect(() => buildEncoder(methodConfig('method=cmc', `model.initFrom=${empty}`), 'cpu')).toThrow(
    /model\.initFrom is .*empty: the folder has no encoder\.safetensors; name a file of weights, or a finished run/,
  );
});
