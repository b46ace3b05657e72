import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors } from '../../src/export/safetensors.js';
import { readState } from '../../src/export/stateFile.js';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { pretrain } from '../../src/training/pretrain.js';
import { runPaths } from '../../src/training/runFolder.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { listener, METHODS, methodConfig, temporaryFolder, withOneThread, writePairs } from './tiny.js';

withOneThread();

const STEPS = 4;
let pairs: string;

/** Ten pairs in batches of four: the last of an epoch is short. */
beforeAll(async () => {
  pairs = mkdtempSync(join(tmpdir(), 'anatomy-resume-'));
  await writePairs(join(pairs, 'data'), { pairs: 10 });
});
afterAll(() => rmSync(pairs, { recursive: true, force: true }));

function place(...set: string[]) {
  const out = join(temporaryFolder(), 'run');
  const config = methodConfig(
    ...set,
    `data.path=${pairs}/data/manifest.csv`,
    `data.cacheFolder=${pairs}/cache`,
    'training.batchSize=4',
    `training.steps=${STEPS}`,
    'training.checkpointEvery=2',
    'monitor.every=2',
    'monitor.pairs=4',
  );
  return { out, config };
}

/** Every tensor of the last checkpoint, the encoders, and what was logged, but for the speed. */
function outcome(out: string) {
  const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
  const encoders = readdirSync(out).filter((name) => name.endsWith('.safetensors'));
  const { checkpoints, metrics } = runPaths(out);
  return {
    state: hash(join(checkpoints, `step-0000000${STEPS}.safetensors`)),
    encoders: encoders.sort().map((name) => [name, hash(join(out, name))]),
    metrics: readJsonLines(metrics).map(({ pairsPerSecond: _, ...line }) => line),
  };
}

/** Leaves what a run killed after step 3 leaves. */
function killLate(out: string): void {
  const { checkpoints, metrics } = runPaths(out);
  for (const name of readdirSync(out)) if (name.endsWith('.safetensors')) rmSync(join(out, name));
  for (const type of ['json', 'safetensors']) rmSync(join(checkpoints, `step-0000000${STEPS}.${type}`));
  writeFileSync(metrics, readFileSync(metrics, 'utf8').split('\n').slice(0, 3).join('\n'));
}

describe('a run that was killed and resumed ends on the same bits and leaves no tensor', () => {
  const settings = [
    ...METHODS.filter((_, i) => ![1, 2, 5].includes(i)),
    ['method=cmc', 'method.loss=nce', 'training.microBatch=3'],
    [...METHODS[0]!, 'training.microBatch=3', 'training.precision=bf16'],
    ['method=densecl', 'model.backbone=resnet50', 'model.width=0.03125'],
    ['method=simclr', 'model.backbone=vit_s16', 'model.width=1', 'training.precision=bf16'],
  ];

  test.each(settings.map((set) => [set.join(' ').replaceAll('method.', ''), set] as const))(
    '%s',
    async (_, set) => {
      const { out, config } = place(...set);
      const { console, text } = listener();
      const before = undisposedTensors();
      await pretrain(config, { out, console });
      expect(undisposedTensors()).toBe(before);
      const alone = outcome(out);
      expect(alone.metrics).toHaveLength(STEPS);
      killLate(out);
      expect(await pretrain(config, { out, console })).toEqual({ kind: 'finished', step: STEPS });
      expect(undisposedTensors()).toBe(before);
      expect(text()).toContain('resuming after step 2 of 4');
      expect(outcome(out)).toEqual(alone);
    },
  );
});

test('the checkpoint holds banks, normalisers, queues and the momentum encoder', async () => {
  const held = async (...set: string[]) => {
    const { out, config } = place(...set);
    await pretrain(config, { out, console: listener().console });
    const { state } = readState(join(runPaths(out).checkpoints, `step-0000000${STEPS}.safetensors`));
    for (const tensor of state.values()) tensor.dispose();
    const names = [...state.keys()].filter((name) =>
      /^model\.(bank|queue|key\.features\.0\.|key\.dense\.0\.)/.test(name),
    );
    return names.map((name) => name.slice('model.'.length)).sort();
  };
  expect(await held('method=cmc', 'method.loss=nce', 'training.microBatch=2')).toEqual([
    'bank.a.normalizer',
    'bank.a.vectors',
    'bank.b.normalizer',
    'bank.b.vectors',
  ]);
  expect(await held('method=densecl')).toEqual([
    'key.dense.0.bias',
    'key.dense.0.weight',
    'key.features.0.bias',
    'key.features.0.weight',
    ...['dense', 'global'].flatMap((queue) =>
      ['keys', 'next', 'tags'].map((part) => `queue.${queue}.${part}`),
    ),
  ]);
});

test('auto keeps the micro-batch that the run began with, whatever memory is free by then', async () => {
  const { out, config } = place('method=simclr', 'training.microBatch=auto');
  const { console, text } = listener();
  await pretrain(config, { out, console });
  const voucher = join(runPaths(out).checkpoints, 'step-00000002.json');
  killLate(out);
  // As if it had begun on a machine with less memory.
  writeFileSync(voucher, readFileSync(voucher, 'utf8').replace('"microBatch": 4', '"microBatch": 2'));
  await pretrain(config, { out, console });
  expect(text()).toContain('4 steps of 4 (2 at a time)');
  expect(JSON.parse(readFileSync(runPaths(out).provenance, 'utf8')).microBatch).toBe(2);
});

test.each(['method=random', 'method=imagenet'])(
  '%s trains nothing, leaves an encoder and is finished',
  async (method) => {
    const { console, text } = listener();
    const weights = place('method=random', 'model.backbone=vgg16');
    await pretrain(weights.config, { out: weights.out, console });
    const given = method === 'method=imagenet' ? [`model.initFrom=${runPaths(weights.out).encoder}`] : [];
    const { out, config } = place(method, 'model.backbone=vgg16', ...given);
    const before = undisposedTensors();
    expect(await pretrain(config, { out, console })).toEqual({ kind: 'finished', step: 0 });
    expect(undisposedTensors()).toBe(before);
    expect(existsSync(runPaths(out).checkpoints)).toBe(false);
    const tensors = (folder: string) =>
      [...readSafetensors(runPaths(folder).encoder).tensors].map(([name, { data, ...of }]) => [
        name,
        of,
        createHash('sha256')
          .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
          .digest('hex'),
      ]);
    expect(tensors(out)).toEqual(tensors(weights.out));
    expect(await pretrain(config, { out, console })).toEqual({ kind: 'finished', step: 0 });
    expect(text()).toContain('is finished; --overwrite would start it anew');
  },
);

test('imagenet without weights, and supervised without labels, are refused with the fix', async () => {
  const { console } = listener();
  const imagenet = place('method=imagenet');
  await expect(pretrain(imagenet.config, { out: imagenet.out, console })).rejects.toThrow(
    /method imagenet needs weights; give .* by --init-from/,
  );
  const folder = temporaryFolder();
  const manifest = await writePairs(folder, { pairs: 4 });
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/,[^,\n]*$/gm, ''));
  const supervised = place('method=supervised');
  const unlabelled = { ...supervised.config, data: { ...supervised.config.data, path: manifest } };
  await expect(pretrain(unlabelled, { out: supervised.out, console })).rejects.toThrow(
    /method supervised needs a label for every pair/,
  );
  expect([existsSync(imagenet.out), existsSync(supervised.out)]).toEqual([false, false]);
});
