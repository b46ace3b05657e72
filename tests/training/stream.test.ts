import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openImageCache } from '../../src/data/loading/imageCache.js';
import { openDataset } from '../../src/data/openDataset.js';
import { writePack } from '../../src/data/pack/packWrite.js';
import type { MemberSource } from '../../src/data/sample.js';
import { writeShards } from '../../src/data/shards/shardsWrite.js';
import { makeSplits, saveSplits } from '../../src/data/splits/splits.js';
import { DataError } from '../../src/errors.js';
import { openRun } from '../../src/evaluation/encoders/runEncoders.js';
import { traceImages } from '../../src/evaluation/folds/imageTrace.js';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { dryRun } from '../../src/training/dryRun.js';
import { pretrain } from '../../src/training/pretrain.js';
import { runPaths } from '../../src/training/runFolder.js';
import { TrainingData } from '../../src/training/trainingData.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { listener, temporaryFolder, tinyConfig, withOneThread, writePairs } from './tiny.js';

withOneThread();

const STEPS = 7;
let folder: string;

/** Eighteen pairs, two of each subject, as files, shards, pack and pack under pseudonyms. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-stream-'));
  const original = await openDataset({ path: await writePairs(folder, { pairs: 18 }) });
  await writeShards(original, join(folder, 'shards'), { shardSize: 5 });
  await writePack(original, join(folder, 'pack.safetensors'), { size: 36 });
  await writePack(original, join(folder, 'hidden.safetensors'), { size: 40, pseudonyms: true });
  await saveSplits(makeSplits(original, { folds: 3 }), join(folder, 'splits.json'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = (data: string, ...set: string[]) =>
  tinyConfig(
    `data.path=${join(folder, data)}`,
    `data.cacheFolder=${join(folder, 'cache')}`,
    'training.batchSize=4',
    `training.steps=${STEPS}`,
    'training.checkpointEvery=1',
    'training.keepCheckpoints=10',
    'monitor.every=3',
    'monitor.pairs=4',
    ...set,
  );
const streaming = (...set: string[]) => config('shards', 'data.shuffleBuffer=6', ...set);

function outcome(out: string) {
  const { encoder, metrics } = runPaths(out);
  return {
    encoder: createHash('sha256').update(readFileSync(encoder)).digest('hex'),
    metrics: readJsonLines(metrics).map(({ pairsPerSecond: _, ...line }) => line),
  };
}

test('a streamed run resumed at any step ends on the same bits, and caches nothing', async () => {
  const { console } = listener();
  const out = join(temporaryFolder(), 'run');
  expect(await pretrain(streaming(), { out, console })).toEqual({ kind: 'finished', step: STEPS });
  const alone = outcome(out);
  expect(existsSync(join(folder, 'cache'))).toBe(false);
  const { checkpoints, encoder } = runPaths(out);
  // The fifth step is the last of the first epoch.
  for (let step = STEPS - 1; step > 0; step -= 3) {
    rmSync(encoder);
    for (const name of readdirSync(checkpoints))
      if (Number(/\d+/.exec(name)![0]) > step) rmSync(join(checkpoints, name));
    await pretrain(streaming(), { out, console });
    expect(outcome(out)).toEqual(alone);
  }
});

/** Which samples of this data the run has met, and which of its folds kept them out. */
async function trace(out: string, data: string) {
  const dataset = await openDataset({ path: data });
  const root = join(folder, 'judged');
  const cache = await openImageCache(dataset, { size: 64, root });
  const found = await traceImages(
    openRun(out, () => {}),
    dataset,
    cache,
    root,
  );
  return { ...found, met: found.inRun.filter(Boolean).length };
}

test('the folds of a streamed run are known wherever the same images lie and whatever they are called', async () => {
  const { console } = listener();
  const out = join(folder, 'folds');
  const splits = join(folder, 'splits.json');
  await pretrain(streaming(`data.splits=${splits}`, 'data.fold=all', 'training.steps=1'), { out, console });
  const folds = Object.values(JSON.parse(readFileSync(splits, 'utf8')).folds);
  for (const data of ['shards', 'manifest.csv', 'hidden.safetensors']) {
    const { met, keptOut } = await trace(out, join(folder, data));
    expect([data, met, keptOut]).toEqual([data, 18, folds]);
  }
});

test('a run on a pack knows the images it saw in the files, and the other way round', async () => {
  const { console } = listener();
  for (const [trained, other] of [
    ['hidden.safetensors', 'manifest.csv'],
    ['manifest.csv', 'hidden.safetensors'],
  ] as const) {
    const out = join(folder, `run-${trained}`);
    await pretrain(config(trained, 'training.steps=1'), { out, console });
    expect(await trace(out, join(folder, other))).toMatchObject({ known: true, met: 18 });
  }
  const strangers = await writePairs(temporaryFolder(), { pairs: 6, salt: () => 1 });
  const run = join(folder, 'run-hidden.safetensors');
  expect(await trace(run, strangers)).toMatchObject({ known: true, met: 0 });
});

test('only shards are streamed; a dry run streams too', async () => {
  const { console } = listener();
  await expect(
    pretrain(config('manifest.csv', 'data.shuffleBuffer=6'), { out: join(folder, 'no'), console }),
  ).rejects.toThrow(/data\.shuffleBuffer is 6, but .* is no tar shards/);
  expect((await dryRun(streaming(), console)).stepsPerEpoch).toBe(5);
});

test('a first image that cannot be decoded ends the run and leaves no tensors', async () => {
  const broken = join(temporaryFolder(), 'broken');
  cpSync(join(folder, 'shards'), broken, { recursive: true });
  const { samples } = await openDataset({ path: broken });
  const first = samples[0]!.images.a as MemberSource;
  const bytes = readFileSync(first.path);
  writeFileSync(first.path, bytes.fill(0, first.offset, first.offset + first.length));
  const before = undisposedTensors();
  const run = pretrain(streaming(`data.path=${broken}`), {
    out: `${broken}-run`,
    console: listener().console,
  });
  await expect(run).rejects.toThrow(DataError);
  expect(undisposedTensors()).toBe(before);
});

test('images are known again in copies, in other programs’ shards and whatever their classes are called', async () => {
  const { console } = listener();
  const lines = readFileSync(join(folder, 'manifest.csv'), 'utf8').trim().split('\n');
  const manifest = join(folder, 'named.csv');
  // Which of the two is positive cannot be told, and need not be.
  writeFileSync(manifest, lines.map((line) => line.replace(/,([01])$/, ',class $1')).join('\n'));
  const out = join(folder, 'run-named');
  await pretrain(config('named.csv', 'training.steps=1'), { out, console });

  const members = join(folder, 'members');
  mkdirSync(members);
  for (let pair = 0; pair < 18; pair += 1) {
    for (const modality of ['a', 'b'])
      copyFileSync(
        join(folder, 'images', `${modality}${pair}.png`),
        join(members, `${pair}.${modality}.png`),
      );
  }
  execFileSync('tar', ['--sort=name', '-cf', join(folder, 'other.tar'), '-C', members, '.']);
  const copy = temporaryFolder();
  cpSync(join(folder, 'images'), join(copy, 'images'), { recursive: true });
  writeFileSync(join(copy, 'part.csv'), lines.slice(0, 8).join('\n'));
  expect(await trace(out, join(folder, 'other.tar'))).toMatchObject({ known: true, met: 18 });
  expect(await trace(out, join(copy, 'part.csv'))).toMatchObject({ known: true, met: 7 });
  rmSync(join(folder, 'images', 'a3.png'));
  expect(await trace(out, join(copy, 'part.csv'))).toMatchObject({ known: false, met: 0 });
});

test('of a streamed set a thousand images at most are opened before the first step, however many it has', async () => {
  const [small, large] = await Promise.all([8, 32].map(grayPng));
  const place = temporaryFolder();
  const tar = pack();
  const written = pipeline(tar, createWriteStream(join(place, 'many.tar')));
  // Every second sample is opened, and the first large image is not among these.
  for (let i = 0; i < 1200; i += 1) {
    for (const modality of ['a', 'b']) tar.entry({ name: `${i}.${modality}.png` }, i === 1 ? large! : small!);
  }
  tar.finalize();
  await written;
  const { console } = listener();
  const data = new TrainingData(
    tinyConfig(`data.path=${join(place, 'many.tar')}`, 'data.shuffleBuffer=10', 'data.cacheSize=32'),
    console,
  );
  const loader = (await data.images()).makeLoader('cpu');
  expect(loader.size).toBe(8);
  loader.dispose();
});

function grayPng(side: number): Promise<Buffer> {
  return sharp({ create: { width: side, height: side, channels: 3, background: '#777' } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
}
