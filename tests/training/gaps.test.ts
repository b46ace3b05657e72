/** Trains on samples of which three in ten images are missing. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writePack } from '../../src/data/pack/packWrite.js';
import type { Dataset } from '../../src/data/sample.js';
import { writeShards } from '../../src/data/shards/shardsWrite.js';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { dryRun } from '../../src/training/dryRun.js';
import { pretrain } from '../../src/training/pretrain.js';
import { runPaths } from '../../src/training/runFolder.js';
import { gappedDataset, withGaps } from '../data/gapped.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { listener, METHODS, methodConfig, temporaryFolder, withOneThread } from './tiny.js';

withOneThread();

const STEPS = 4;
let folder: string;
let gapped: Dataset;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-gaps-'));
  gapped = await gappedDataset(folder);
  await writePack(gapped, join(folder, 'gapped.safetensors'), { size: 40 });
  await writeShards(gapped, join(folder, 'shards'), { shardSize: 5 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function place(data: string, ...set: string[]) {
  const out = join(temporaryFolder(), 'run');
  const config = methodConfig(
    `data.path=${join(folder, data)}`,
    `data.cacheFolder=${folder}/cache`,
    'training.batchSize=5',
    `training.steps=${STEPS}`,
    'training.checkpointEvery=2',
    'monitor.every=2',
    'monitor.pairs=6',
    ...set,
  );
  return { out, config };
}

/** The same samples without `c`. */
function twoOf(dataset: Dataset): Dataset {
  const samples = dataset.samples.map((sample) => {
    const { c: _, ...images } = sample.images;
    return { ...sample, images };
  });
  return { ...dataset, modalities: ['a', 'b'], samples };
}

/** Packs other samples. */
async function packed(name: string, dataset: Dataset): Promise<string> {
  await writePack(dataset, join(folder, name), { size: 40, overwrite: true });
  return name;
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

const name = (set: readonly string[]) => set.join(' ').replaceAll(/method\.|training\./g, '');

describe('a killed and resumed run on samples with gaps ends on the same bits, with finite losses', () => {
  const settings = METHODS.map((set, i) => {
    return ['gapped.safetensors', i % 2 === 0 ? set : [...set, 'training.microBatch=2']] as const;
  });
  const streamed = [METHODS[0]!, METHODS[8]!].map((set) => {
    return ['shards', [...set, 'training.microBatch=2', 'data.shuffleBuffer=4']] as const;
  });
  test.each([...settings, ...streamed].map(([data, set]) => [`${data}: ${name(set)}`, data, set] as const))(
    '%s',
    async (_, data, set) => {
      const { out, config } = place(data, ...set);
      const { console, text } = listener();
      const before = undisposedTensors();
      expect(await pretrain(config, { out, console })).toEqual({ kind: 'finished', step: STEPS });
      expect(undisposedTensors()).toBe(before);
      const alone = outcome(out);
      expect(alone.metrics).toHaveLength(STEPS);
      for (const line of alone.metrics) expect(line.loss).toSatisfy(Number.isFinite);
      killLate(out);
      await pretrain(config, { out, console });
      expect(text()).toContain('resuming after step 2 of 4');
      expect(outcome(out)).toEqual(alone);
    },
  );
});

test('a streamed batch of all samples gives the loss that the cached one gives', async () => {
  const losses: number[] = [];
  for (const more of [[], ['data.shuffleBuffer=12']]) {
    const { out, config } = place(
      'shards',
      ...METHODS[0]!,
      'training.batchSize=12',
      'training.steps=1',
      ...more,
    );
    await pretrain(config, { out, console: listener().console });
    losses.push(readJsonLines(runPaths(out).metrics)[0]!.loss as number);
  }
  expect(losses[1]).toBeCloseTo(losses[0]!, 4);
});

/** In `gapped`, samples 3, 7 and 11 have `a` alone. */
test.each([
  ['method=cmc', 3],
  ['method=densecl', 3],
  ['method=simclr', 3],
  ['method=anatomy method.maps=[2] method.patches=[2,2] method.alpha=0', 3],
  ['method=instdis method.images=b', 3],
])('%s leaves out the samples that lack what it compares, and counts them', async (set, unused) => {
  const { config } = place('gapped.safetensors', ...set.split(' '));
  const { console, text } = listener();
  const { pairs } = await dryRun(config, console);
  expect(pairs).toBe(12 - unused);
  const method = config.method.name;
  expect(text()).toContain(`${unused} of the 12 samples lack images that method ${method} compares`);
  expect(text().split('lack images that method')).toHaveLength(2);
});

test.each([
  'method=simclr method.views=4',
  'method=decur method.projector=[8]',
  'method=instdis',
  'method=anatomy method.maps=[2] method.patches=[2,2]',
  'method=supervised',
])('%s learns from all samples, and says nothing', async (set) => {
  const { config } = place('gapped.safetensors', ...set.split(' '));
  const { console, text } = listener();
  expect((await dryRun(config, console)).pairs).toBe(12);
  expect(text()).not.toContain('lack images');
});

test('where one sample or none has what the method compares, the run is refused with the reason', async () => {
  const one = await packed(
    'one.safetensors',
    twoOf(withGaps(gapped, (i, modality) => modality === 'b' && i > 0 && i !== 6)),
  );
  const { console } = listener();
  const first = place(one, 'method=cmc');
  await expect(pretrain(first.config, { out: first.out, console })).rejects.toThrow(
    /one is left; expected at least 2/,
  );
});

test('a set in which no sample has two images trains each image alone, or is refused by what it compares', async () => {
  const apart = await packed(
    'apart.safetensors',
    twoOf(withGaps(gapped, (i, modality) => modality !== (i === 6 || i % 3 === 1 ? 'b' : 'a'))),
  );
  const { console } = listener();
  const refused = place(apart, 'method=cmc');
  await expect(pretrain(refused.config, { out: refused.out, console })).rejects.toThrow(/cmc/);
  for (const set of [METHODS[0]!, ['method=simclr', 'method.views=4'], ['method=instdis']]) {
    const { out, config } = place(apart, ...set);
    expect(await pretrain(config, { out, console })).toEqual({ kind: 'finished', step: STEPS });
  }
});
