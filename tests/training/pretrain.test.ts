import { createHash } from 'node:crypto';
import fs, {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { formatConfig } from '../../src/config/index.js';
import { openImageCache } from '../../src/data/loading/imageCache.js';
import { ImageLoader } from '../../src/data/loading/loader.js';
import { openDataset } from '../../src/data/openDataset.js';
import { pseudonym } from '../../src/data/pseudonym.js';
import { makeSplits, saveSplits } from '../../src/data/splits/splits.js';
import { DataError, UsageError } from '../../src/errors.js';
import { readSafetensors } from '../../src/export/safetensors.js';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { Sgd } from '../../src/optim/index.js';
import { pretrain, withoutFolders } from '../../src/training/pretrain.js';
import { openRunFolder, readFolds, readRunConfig, runPaths } from '../../src/training/runFolder.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { listener, temporaryFolder, tinyConfig, withOneThread, writePairs } from './tiny.js';

withOneThread();

const STEPS = 6;
const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const lossesOf = (out: string) => readJsonLines(runPaths(out).metrics).map(({ step, loss }) => [step, loss]);

/** A folder with data and a config that trains on it, six steps. */
async function place(...set: string[]) {
  const folder = temporaryFolder();
  const manifest = await writePairs(join(folder, 'data'), { pairs: 12 });
  const settings = (...more: string[]) =>
    tinyConfig(
      `data.path=${manifest}`,
      `data.cacheFolder=${folder}/cache`,
      `training.steps=${STEPS}`,
      'training.checkpointEvery=2',
      'training.batchSize=4',
      'monitor.every=3',
      'monitor.pairs=4',
      ...set,
      ...more,
    );
  return { folder, manifest, settings, out: (name: string) => join(folder, name) };
}

/** Makes a finished run one that was killed after its last checkpoint but one, in the middle of a line. */
function unfinish(out: string, last = STEPS): void {
  const { encoder, checkpoints, metrics } = runPaths(out);
  rmSync(encoder);
  rmSync(join(checkpoints, `step-0000000${last}.json`));
  writeFileSync(metrics, readFileSync(metrics, 'utf8').slice(0, -30));
}

async function refusal(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => new Error('nothing was refused'),
    (reason: Error) => reason,
  );
  return error;
}

describe('a run', () => {
  test('finishes, leaves no tensors, logs what the monitors say, and is not run again', async () => {
    const { settings, out } = await place();
    const before = undisposedTensors();
    const { console, text } = listener();
    const run = out('run');
    expect(await pretrain(settings(), { out: run, console })).toEqual({ kind: 'finished', step: STEPS });
    expect(undisposedTensors()).toBe(before);
    expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual(
      [4, 6].flatMap((step) => [`step-0000000${step}.json`, `step-0000000${step}.safetensors`]),
    );
    const lines = readJsonLines(runPaths(run).metrics);
    expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(lines.map(({ epoch }) => epoch)).toEqual([0, 0, 0, 1, 1, 1]);
    for (const name of [
      'chance/global',
      'gradientRatio/map2',
      'alignment',
      'uniformity/a',
      'featureDeviation/b',
      'retrieval/a-to-b',
      'retrievalPairs',
      'knnAuc/both',
    ]) {
      expect(
        lines.filter((line) => line[name] !== undefined).map(({ step }) => step),
        name,
      ).toEqual([1, 3, 6]);
    }
    expect(readdirSync(run).some((name) => name.startsWith('events.out.tfevents.'))).toBe(true);
    expect(existsSync(runPaths(run).failure)).toBe(false);

    const digest = hash(runPaths(run).encoder);
    expect(await pretrain(settings(), { out: run, console })).toEqual({ kind: 'finished', step: STEPS });
    expect(text()).toMatch(/is finished; --overwrite would start it anew/);
    expect(text().match(/finished: /g)).toHaveLength(1);
    expect(readJsonLines(runPaths(run).metrics)).toHaveLength(STEPS);
    await pretrain(settings('seed=3'), { out: run, console, overwrite: true });
    expect(hash(runPaths(run).encoder)).not.toBe(digest);
    expect(readJsonLines(runPaths(run).metrics)).toHaveLength(STEPS);
  });

  test('that was cut short goes on to the same bits, also past a damaged checkpoint', async () => {
    const { settings, out } = await place();
    const { console, text } = listener();
    const run = out('run');
    await pretrain(settings(), { out: run, console });
    const [digest, losses] = [hash(runPaths(run).encoder), lossesOf(run)];

    unfinish(run);
    await pretrain(settings(), { out: run, console });
    expect(text()).toContain('resuming after step 4 of 6');
    expect([hash(runPaths(run).encoder), lossesOf(run)]).toEqual([digest, losses]);

    rmSync(runPaths(run).encoder);
    const newest = join(run, 'checkpoints', 'step-00000006.safetensors');
    writeFileSync(newest, readFileSync(newest).fill(0, 5000, 5100));
    await pretrain(settings(), { out: run, console });
    expect(text()).toContain('checkpoints/step-00000006 is damaged; trying the one before');
    expect([hash(runPaths(run).encoder), lossesOf(run)]).toEqual([digest, losses]);
  });

  test('with another config is refused with the differences; its data must be the same too', async () => {
    const { folder, settings, out } = await place();
    const { console } = listener();
    const run = out('run');
    await pretrain(settings(), { out: run, console });
    const other = await refusal(pretrain(settings('seed=9', 'method.alpha=2'), { out: run, console }));
    expect(other).toBeInstanceOf(UsageError);
    expect(other.message).toMatch(
      /holds a run with another config.*\n {2}seed: 0 → 9\n {2}method.alpha: 3 → 2$/s,
    );
    // The same bits come of it.
    await pretrain(settings('training.recompute=cheap'), { out: run, console });
    unfinish(run);
    await writePairs(join(folder, 'data'), { pairs: 12, salt: (pair) => Number(pair === 11) });
    const told = readFileSync(runPaths(run).provenance, 'utf8');
    const changed = await refusal(pretrain(settings(), { out: run, console, allowInexact: true }));
    expect(changed).toBeInstanceOf(DataError);
    expect(changed.message).toContain('the data has changed since step 4 of this run');
    expect(readFileSync(runPaths(run).provenance, 'utf8')).toBe(told);
  });

  test('from another LibTorch or thread count is refused, and continued with --allow-inexact', async () => {
    const { settings, out } = await place();
    const { console } = listener();
    const run = out('run');
    await pretrain(settings(), { out: run, console });
    unfinish(run);
    const voucher = join(run, 'checkpoints', 'step-00000004.json');
    writeFileSync(voucher, readFileSync(voucher, 'utf8').replace(/"torch": "[^"]+"/, '"torch": "0.0.1"'));
    const refused = await refusal(pretrain(settings(), { out: run, console }));
    expect(refused).toBeInstanceOf(UsageError);
    expect(refused.message).toMatch(/would not be exact to the bit \(torch: 0\.0\.1 → .*--allow-inexact/);
    expect(existsSync(runPaths(run).encoder)).toBe(false);
    const precision = await refusal(pretrain(settings('training.precision=bf16'), { out: run, console }));
    expect(precision.message).toContain('training.precision: "fp32" → "bf16"');
    const changed = settings('training.precision=bf16');
    expect(await pretrain(changed, { out: run, console, allowInexact: true })).toMatchObject({
      kind: 'finished',
    });
    expect(readRunConfig(run).training.precision).toBe('bf16');
    const provenance = JSON.parse(readFileSync(runPaths(run).provenance, 'utf8'));
    expect([provenance.precision, provenance.earlier[0].precision]).toEqual(['bf16', 'fp32']);
  });
});

describe('a run that goes wrong', () => {
  const explode = (gamma: number) =>
    `training.schedule={kind: multistep, milestones: [3], gamma: ${gamma}, unit: step}`;

  test.each([
    [
      'a loss that is not finite',
      /^the loss is NaN \(consistency NaN, global NaN\)$/,
      3,
      [explode(1e20), 'training.checkpointEvery=3'],
    ],
    [
      'weights that are not, where a checkpoint is due',
      /^\S+ holds a number that is not finite$/,
      2,
      [
        explode(1e46),
        'training.learningRate=1e-9',
        'training.weightDecay=1000',
        'training.checkpointEvery=2',
      ],
    ],
  ])('%s: stops with a report and keeps the last good checkpoint', async (_, reason, lastGood, set) => {
    const { settings, out } = await place(...set, 'training.steps=40');
    const { console } = listener();
    const run = out('run');
    const outcome = await pretrain(settings(), { out: run, console });
    if (outcome.kind !== 'failed') throw new Error(`ended ${outcome.kind}`);
    expect(outcome.reason).toMatch(reason);
    const report = JSON.parse(readFileSync(runPaths(run).failure, 'utf8'));
    expect(report).toMatchObject({
      step: outcome.step + 1,
      reason: outcome.reason,
      batchSize: 4,
      lastGoodCheckpoint: lastGood,
    });
    const kept = readdirSync(join(run, 'checkpoints')).filter((name) => name.endsWith('.json'));
    expect(kept).toEqual([`step-0000000${lastGood}.json`]);
    expect(existsSync(runPaths(run).encoder)).toBe(false);
    // The same command goes on from there and fails the same way.
    expect(await pretrain(settings(), { out: run, console })).toEqual(outcome);
  });

  test('bad data or a grid that does not fit leaves no run behind, and deletes none', async () => {
    const { settings, out, folder } = await place();
    const { console } = listener();
    const bad = join(folder, 'bad.csv');
    writeFileSync(bad, 'id,subject,a,b\np1,s1,nowhere.png,nowhere.png\n');
    const refused = await refusal(pretrain(settings(`data.path=${bad}`), { out: out('new'), console }));
    expect(refused).toBeInstanceOf(DataError);
    expect(existsSync(out('new'))).toBe(false);
    await pretrain(settings(), { out: out('run'), console });
    const digest = hash(runPaths(out('run')).encoder);
    await refusal(pretrain(settings(`data.path=${bad}`), { out: out('run'), console, overwrite: true }));
    expect(hash(runPaths(out('run')).encoder)).toBe(digest);
    const fine = settings(`data.path=${bad}`, 'method.patches=[8,8]');
    // Said before the data is even opened.
    expect((await refusal(pretrain(fine, { out: out('new'), console }))).message).toContain('8×8 on map 3');
    expect((await refusal(pretrain(tinyConfig(), { out: out('new'), console }))).message).toContain(
      'no data',
    );
  });
});

describe('before anything is decoded', () => {
  test('a cache smaller than the images shown, or weights that do not fit, are refused', async () => {
    const { settings, out, folder } = await place();
    const { console } = listener();
    const refused = async (...set: string[]) => {
      const error = await refusal(pretrain(settings(...set), { out: out('run'), console }));
      expect([existsSync(join(folder, 'cache')), existsSync(out('run'))]).toEqual([false, false]);
      return error;
    };
    const small = await refused('data.size=64', 'data.cacheSize=32');
    expect(small).toBeInstanceOf(UsageError);
    expect(small.message).toBe(
      'data.cacheSize is 32, less than data.size 64: every image would be enlarged from fewer pixels; set data.cacheSize to 64 or more, or to null for 128',
    );
    const weights = await refused(`model.initFrom=${folder}/none.safetensors`);
    expect(weights.message).toContain('none.safetensors');
  });

  test('an image that cannot be decoded leaves no tensors', async () => {
    const { settings, out, folder } = await place();
    writeFileSync(join(folder, 'data', 'images', 'b3.png'), 'no image');
    const before = undisposedTensors();
    const refused = await refusal(pretrain(settings(), { out: out('run'), console: listener().console }));
    expect(refused.message).toContain('b3.png');
    expect(undisposedTensors()).toBe(before);
  });
});

describe('folds', () => {
  test('training never touches the pairs held out; their pixels change nothing', async () => {
    const { folder, manifest, settings, out } = await place();
    const { console } = listener();
    const splits = makeSplits(await openDataset({ path: manifest }), { folds: 3 });
    const file = join(folder, 'splits.json');
    await saveSplits(splits, file);
    const one = settings(`data.splits=${file}`, 'data.fold=1');
    await pretrain(one, { out: out('before'), console });
    const heldOut = (pair: number) => splits.folds[`pair-${pair}`] === 1;
    await writePairs(join(folder, 'data'), { pairs: 12, salt: (pair) => Number(heldOut(pair)) });
    await pretrain(one, { out: out('after'), console });
    // The file also tells the digest of all images, which did change.
    const weights = (name: string) =>
      [...readSafetensors(runPaths(out(name)).encoder).tensors].map(([tensor, { data }]) => [
        tensor,
        Buffer.from(data).toString('base64'),
      ]);
    expect(weights('after')).toEqual(weights('before'));
    await writePairs(join(folder, 'data'), { pairs: 12, salt: (pair) => Number(!heldOut(pair)) });
    await pretrain(one, { out: out('other'), console });
    expect(weights('other')).not.toEqual(weights('before'));
  });

  test('--fold all trains an encoder for each fold, the same that --fold k gives', async () => {
    const { folder, manifest, settings, out } = await place('training.steps=2');
    const { console, text } = listener();
    const dataset = await openDataset({ path: manifest });
    const splits = makeSplits(dataset, { folds: 2 });
    const file = join(folder, 'splits.json');
    await saveSplits(splits, file);
    copyFileSync(join(folder, 'data', 'images', 'b0.png'), join(folder, 'data', 'images', 'b1.png'));
    await pretrain(settings(`data.splits=${file}`, 'data.fold=all'), { out: out('all'), console });
    expect(text().match(/1 sample repeats an image/g)).toHaveLength(1);
    await pretrain(settings(`data.splits=${file}`, 'data.fold=1'), { out: out('one'), console });
    const encoder = (name: string) => hash(runPaths(out(name)).encoder);
    expect(encoder('all/fold-1')).toBe(encoder('one'));
    expect(encoder('all/fold-0')).not.toBe(encoder('one'));
    expect(readRunConfig(out('all/fold-0')).data.fold).toBe(0);
    const mixed = await refusal(
      pretrain(settings(`data.splits=${file}`, 'data.fold=all'), { out: out('one'), console }),
    );
    expect(mixed.message).toContain('holds a run of one encoder');
    const none = await refusal(pretrain(settings('data.fold=0'), { out: out('x'), console }));
    expect(none.message).toMatch(/publishes none; make some with `anatomy data split/);
    const beyond = settings(`data.splits=${file}`, 'data.fold=2');
    expect((await refusal(pretrain(beyond, { out: out('x'), console }))).message).toContain(
      'expected 0 to 1',
    );
  });
});

describe('what is opened', () => {
  test('folds share their data: the second one neither opens nor audits them again', async () => {
    const { folder, manifest, settings, out } = await place('training.steps=2');
    const lines = readFileSync(manifest, 'utf8').trim().split('\n');
    // The positive class cannot be told, of which opening warns.
    writeFileSync(manifest, lines.map((line) => line.replace(/,([01])$/, ',class $1')).join('\n'));
    copyFileSync(join(folder, 'data', 'images', 'b0.png'), join(folder, 'data', 'images', 'b1.png'));
    const file = join(folder, 'splits.json');
    await saveSplits(
      makeSplits(await openDataset({ path: manifest, positive: 'class 1' }), { folds: 2 }),
      file,
    );
    const audits = join(folder, 'cache', 'audits');
    const gone = [join(folder, 'data'), file, audits];
    const { console, text } = listener();
    const info = vi.spyOn(console, 'info').mockImplementation((line) => {
      if (line === 'fold 1 of 2') for (const path of gone) rmSync(path, { recursive: true });
    });
    const config = settings(`data.splits=${file}`, 'data.fold=all');
    expect(await pretrain(config, { out: out('all'), console })).toEqual({ kind: 'finished', step: 2 });
    expect(info).toHaveBeenCalledWith('fold 1 of 2');
    expect(existsSync(audits)).toBe(false);
    expect(text().match(/Until then no monitor looks at the labels/g)).toHaveLength(1);
    expect(text().match(/1 sample repeats an image/g)).toHaveLength(1);
  });

  test('finished folds open no images', async () => {
    const { folder, manifest, settings, out } = await place('training.steps=1');
    const file = join(folder, 'splits.json');
    await saveSplits(makeSplits(await openDataset({ path: manifest }), { folds: 2 }), file);
    const config = settings(`data.splits=${file}`, 'data.fold=all');
    const { console } = listener();
    await pretrain(config, { out: out('all'), console });
    rmSync(join(folder, 'cache'), { recursive: true });
    await pretrain(config, { out: out('all'), console });
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });

  test('loader and optimiser are freed once for each run, also when the run is refused', async () => {
    const { folder, manifest, settings, out } = await place('training.steps=2', 'training.checkpointEvery=1');
    const file = join(folder, 'splits.json');
    await saveSplits(makeSplits(await openDataset({ path: manifest }), { folds: 2 }), file);
    const { console } = listener();
    const freed = [ImageLoader, Sgd].map((kind) => vi.spyOn(kind.prototype, 'dispose'));
    onTestFinished(() => {
      for (const spy of freed) spy.mockRestore();
    });
    const counts = () => freed.map((spy) => spy.mock.calls.length);
    await pretrain(settings(`data.splits=${file}`, 'data.fold=all'), { out: out('all'), console });
    expect(counts()).toEqual([2, 2]);
    const last = out('all/fold-1');
    unfinish(last, 2);
    await writePairs(join(folder, 'data'), { pairs: 12, salt: () => 1 });
    const before = undisposedTensors();
    const refused = await refusal(
      pretrain(settings(`data.splits=${file}`, 'data.fold=1'), { out: last, console }),
    );
    expect(refused.message).toContain('the data has changed since step 1 of this run');
    expect(counts()).toEqual([3, 3]);
    expect(undisposedTensors()).toBe(before);
  });

  test.each(['auto', '2'])('a resume reads its checkpoint once, with microBatch %s', async (microBatch) => {
    const { settings, out } = await place(`training.microBatch=${microBatch}`);
    const { console, text } = listener();
    const run = out('run');
    await pretrain(settings(), { out: run, console });
    unfinish(run);
    // Every way of reading a file opens it first. The call makes named imports of node:fs see the spy.
    const open = vi.spyOn(fs, 'openSync');
    syncBuiltinESMExports();
    onTestFinished(() => {
      open.mockRestore();
      syncBuiltinESMExports();
    });
    await pretrain(settings(), { out: run, console });
    expect(text()).toContain('resuming after step 4 of 6');
    const checkpoint = join(runPaths(run).checkpoints, 'step-00000004.safetensors');
    expect(open.mock.calls.filter(([file]) => file === checkpoint)).toHaveLength(1);
  });
});

describe('the run folder', () => {
  test('overwrite deletes runs and nothing else', () => {
    const folder = temporaryFolder();
    const config = tinyConfig();
    writeFileSync(join(folder, 'config.yaml'), formatConfig(config)); // somebody's settings beside their work
    writeFileSync(join(folder, 'thesis.tex'), 'years');
    expect(() => openRunFolder(folder, config, { overwrite: true })).toThrow(/holds files but no run/);
    expect(existsSync(join(folder, 'thesis.tex'))).toBe(true);
    const other = join(folder, 'papers');
    mkdirSync(other);
    writeFileSync(join(other, 'a.pdf'), 'x');
    expect(() => openRunFolder(other, config)).toThrow(/exists and holds no run/);
    expect(() => openRunFolder(other, config, { overwrite: true })).toThrow(/holds files but no run/);
  });

  test('a process killed while it opened the folder is no obstacle', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '.config.yaml.12-0.tmp'), 'seed');
    expect(openRunFolder(folder, tinyConfig())).toBe('new');
    expect(openRunFolder(folder, tinyConfig())).toBe('unfinished');
    expect(openRunFolder(folder, tinyConfig('seed=1'), { overwrite: true })).toBe('new');
  });

  test('paths are stored relative to the run, and come back', () => {
    const folder = temporaryFolder();
    const init = join(folder, 'weights.safetensors');
    const config = tinyConfig(
      `data.path=${folder}/pairs.csv`,
      `data.splits=${folder}/splits.json`,
      `data.cacheFolder=${folder}/cache`,
      `model.initFrom=${init}`,
    );
    const run = join(folder, 'runs', 'first');
    vi.spyOn(process, 'cwd').mockReturnValue(folder);
    openRunFolder(run, config);
    vi.restoreAllMocks();
    const text = readFileSync(runPaths(run).config, 'utf8');
    expect(text).toContain('path: ../../pairs.csv');
    expect(text).not.toContain(folder);
    const { data, model } = readRunConfig(run);
    expect([data.path, data.splits, model.initFrom]).toEqual([config.data.path, config.data.splits, init]);
    expect(data.cacheFolder).toBeNull();
    openRunFolder(join(folder, 'phantom'), tinyConfig('data.path="phantom:breast,pairs=4"'));
    expect(readRunConfig(join(folder, 'phantom')).data.path).toBe('phantom:breast,pairs=4');
    expect(() => readRunConfig(folder)).toThrow(/no run here/);
  });

  test('nothing in it names a subject, a sample or a folder', async () => {
    const { folder, manifest, settings, out } = await place('training.steps=2');
    const { console } = listener();
    const dataset = await openDataset({ path: manifest });
    const file = join(folder, 'splits.json');
    await saveSplits(makeSplits(dataset, { folds: 2 }), file);
    const run = out('run');
    await pretrain(settings(`data.splits=${file}`, 'data.fold=0'), { out: run, console });
    expect(readFileSync(runPaths(run).log, 'utf8')).toContain('finished: run');
    for (const name of readdirSync(run, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(json|jsonl|yaml|log)$/.test(name)) continue;
      const text = readFileSync(join(run, name), 'utf8');
      expect(text, name).not.toMatch(/patient-|pair-\d/);
      expect(text, name).not.toContain(folder);
    }
    expect(withoutFolders('is /home/ann/study/x.csv; "/tmp/a b" (../up/y.json) 3/4')).toBe(
      'is x.csv; "a b" (y.json) 3/4',
    );
  });

  test('folds come back by sample id for those who hold the data, and for nobody else', async () => {
    const { folder, manifest, settings, out } = await place('training.steps=1');
    const { console } = listener();
    const dataset = await openDataset({ path: manifest });
    const splits = makeSplits(dataset, { folds: 2 });
    const file = join(folder, 'splits.json');
    await saveSplits(splits, file);
    const run = out('run');
    await pretrain(settings(`data.splits=${file}`, 'data.fold=0'), { out: run, console });
    const { dataHash } = await openImageCache(dataset, {
      size: 64,
      root: settings().data.cacheFolder ?? undefined,
    });
    // It is the key of the pseudonyms: nothing in the run may tell it.
    for (const name of readdirSync(run, { recursive: true, encoding: 'utf8' })) {
      const path = join(run, name);
      if (statSync(path).isFile()) expect(readFileSync(path).includes(dataHash)).toBe(false);
    }
    const ids = dataset.samples.map(({ id }) => id);
    expect(Object.fromEntries(readFolds(run, ids, dataHash)!)).toEqual(splits.folds);
    expect(() => readFolds(run, ids, 'other')).toThrow(/folds of other data than this/);
    expect(readFolds(folder, ids, dataHash)).toBeUndefined();
    expect(pseudonym('subject', 'x', 'k')).toMatch(/^S-[0-9a-f]{12}$/);
    expect(pseudonym('subject', 'x', 'k')).not.toBe(pseudonym('subject', 'x', 'l'));
  });
});
