/** Runs whose files, data or disk were harmed: nothing goes unseen, and errors name the file. */
import fs, {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DataError } from '../../src/errors.js';
import { readState } from '../../src/export/stateFile.js';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { pretrain } from '../../src/training/pretrain.js';
import { runPaths } from '../../src/training/runFolder.js';
import { listener, temporaryFolder, tinyConfig, withOneThread, writePairs } from './tiny.js';

withOneThread();

const STEPS = 4;
let data: string;
beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'anatomy-harmed-'));
  await writePairs(join(data, 'data'), { pairs: 8 });
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const settings = (cacheFolder: string, steps = STEPS) =>
  tinyConfig(
    `data.path=${data}/data/manifest.csv`,
    `data.cacheFolder=${cacheFolder}`,
    `training.steps=${steps}`,
    'training.batchSize=4',
    'training.checkpointEvery=2',
    'monitor.every=9',
    'monitor.pairs=4',
  );
const train = (out: string, console = listener().console, cacheFolder = join(data, 'cache')) =>
  pretrain(settings(cacheFolder), { out, console });

/** A run that was killed after its last step but one. */
async function unfinished() {
  const out = join(temporaryFolder(), 'run');
  await train(out);
  const paths = runPaths(out);
  rmSync(paths.encoder);
  for (const type of ['json', 'safetensors']) rmSync(checkpoint(out, STEPS, type));
  writeFileSync(paths.metrics, readFileSync(paths.metrics, 'utf8').split('\n').slice(0, 3).join('\n'));
  return { out, paths };
}

const checkpoint = (out: string, step: number, type: string) =>
  join(runPaths(out).checkpoints, `step-0000000${step}.${type}`);
const edit = (file: string, change: (text: string) => string) =>
  writeFileSync(file, change(readFileSync(file, 'utf8')));

describe('a flipped bit', () => {
  test('anywhere in the weights of an encoder is seen; a file without a digest is still read', async () => {
    const out = join(temporaryFolder(), 'run');
    await train(out);
    const { encoder } = runPaths(out);
    const whole = readFileSync(encoder);
    const start = 8 + Number(whole.readBigUInt64LE(0));
    for (const at of [start, start + Math.floor((whole.length - start) / 2), whole.length - 1]) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1;
      writeFileSync(encoder, bytes);
      expect(() => readState(encoder)).toThrow(DataError);
      expect(() => readState(encoder)).toThrow(`${encoder}: is damaged: its tensors do not match the digest`);
    }
    // As older versions and other programs write it.
    writeFileSync(
      encoder,
      Buffer.from(whole.toString('latin1').replace('anatomy-sha256', 'another-sha256'), 'latin1'),
    );
    for (const tensor of readState(encoder).state.values()) tensor.dispose();
  });
});

describe('the step of a checkpoint', () => {
  test.each([1, 3, 9999, -2, 2.5])('edited to %d in the voucher is damage', async (step) => {
    const { out } = await unfinished();
    edit(checkpoint(out, 2, 'json'), (text) => text.replace('"step": 2', `"step": ${step}`));
    await expect(train(out)).rejects.toThrow('no intact checkpoint among 1; start anew with --overwrite');
  });

  test('edited in the voucher and in the names is seen in the state', async () => {
    const { out } = await unfinished();
    edit(checkpoint(out, 2, 'json'), (text) => text.replace('"step": 2', '"step": 1'));
    for (const type of ['json', 'safetensors'])
      renameSync(checkpoint(out, 2, type), checkpoint(out, 1, type));
    await expect(train(out)).rejects.toThrow(
      'holds the state after step 2, but its name and voucher say 1; put the files back',
    );
  });

  test('beyond the end of the run is refused, and does not go on for ever', async () => {
    const { out, paths } = await unfinished();
    edit(paths.config, (text) => text.replace(`steps: ${STEPS}`, 'steps: 1'));
    const { console } = listener();
    await expect(pretrain(settings(join(data, 'cache'), 1), { out, console })).rejects.toThrow(
      'is the state after step 2, but the run has only 1; choose another --out',
    );
  });
});

describe('metrics.jsonl', () => {
  test.each([
    ['emptied', () => '', 2, 0, [3, 4]],
    ['cut', (text: string) => text.split('\n').slice(0, 1).join('\n'), 1, 0, [1, 3, 4]],
    ['doubled', (text: string) => `${text}\n${text}`, 0, 2, [1, 2, 3, 4]],
    ['without its first line', (text: string) => text.split('\n').slice(1).join('\n'), 1, 0, [2, 3, 4]],
  ])('%s: the run goes on, and tells', async (_, harm, missing, repeated, kept) => {
    const { out, paths } = await unfinished();
    edit(paths.metrics, (text) => harm(text.split('\n').slice(0, 2).join('\n')));
    const { console, text } = listener();
    await train(out, console);
    expect(text()).toContain(
      `of the 2 steps done, ${missing} are missing and ${repeated} lines were repeated; the curves have gaps`,
    );
    expect(readFileSync(paths.log, 'utf8')).toContain('was changed since it was written');
    const steps = readJsonLines(paths.metrics).map(({ step }) => step);
    expect(steps).toEqual(kept);
  });

  test('as it was left tells nothing', async () => {
    const { out } = await unfinished();
    const { console, text } = listener();
    await train(out, console);
    expect(text()).not.toContain('was changed since');
  });
});

test.each([
  ['', 'is empty'],
  ['{"torch', 'is not JSON'],
  ['[]', 'is damaged'],
  ['{"earlier": 3}', 'is damaged (earlier: '],
])('provenance.json that holds %j is named', async (content, why) => {
  const { out, paths } = await unfinished();
  writeFileSync(paths.provenance, content);
  await expect(train(out)).rejects.toThrow(`${paths.provenance}: ${why}`);
  expect(readFileSync(paths.log, 'utf8')).toMatch(/ error {3}run\/provenance\.json: is /);
  rmSync(paths.provenance);
  expect(await train(out)).toEqual({ kind: 'finished', step: STEPS });
});

describe('images that are changed while a run uses them', () => {
  /** Trains, and does something to a file of the images after the first step. */
  async function trainWhile(act: (file: string) => void) {
    const folder = temporaryFolder();
    const { console } = listener();
    let acted = false;
    const info = console.info.bind(console);
    console.info = (text) => {
      info(text);
      if (acted || !text.startsWith('training 1/')) return;
      acted = true;
      const images = join(folder, 'cache', 'images');
      const file = readdirSync(images, { recursive: true, encoding: 'utf8' }).find((name) =>
        name.endsWith('.u8'),
      );
      act(join(images, file!));
    };
    const out = join(folder, 'run');
    const outcome = await train(out, console, join(folder, 'cache')).catch((error: Error) => error);
    expect(acted).toBe(true);
    return { outcome, out };
  }
  /** Writes into the file that is there. */
  function rewrite(file: string): void {
    const handle = fs.openSync(file, 'r+');
    fs.writeSync(
      handle,
      readFileSync(file).map((byte) => 255 - byte),
    );
    fs.closeSync(handle);
  }

  test.each([
    ['in place', rewrite],
    [
      'in place, with the old time of change but for a moment',
      (file: string) => {
        const { atime, mtime } = statSync(file);
        rewrite(file);
        utimesSync(file, atime, mtime);
      },
    ],
  ])('%s: the run stops with the file, and saves nothing of it', async (_, act) => {
    const { outcome, out } = await trainWhile(act);
    expect(outcome).toBeInstanceOf(DataError);
    expect((outcome as Error).message).toMatch(/\/\d-[ab]\.u8 was changed while its images were in use/);
    expect(existsSync(runPaths(out).checkpoints)).toBe(false);
    expect(existsSync(runPaths(out).encoder)).toBe(false);
    expect(readFileSync(runPaths(out).log, 'utf8')).toMatch(/ error {3}.*\.u8 was changed while/);
  });

  test('deleted or replaced by another: what is mapped stays as it was, and the run ends', async () => {
    const { outcome } = await trainWhile((file) => rmSync(join(file, '..'), { recursive: true }));
    expect(outcome).toEqual({ kind: 'finished', step: STEPS });
    const replaced = await trainWhile((file) => {
      writeFileSync(`${file}.new`, 'another');
      renameSync(`${file}.new`, file);
    });
    expect(replaced.outcome).toEqual({ kind: 'finished', step: STEPS });
  });
});

test.each(['ENOSPC', 'EIO'])(
  '%s at an fsync of the metrics names the file, on the screen and in the log',
  async (code) => {
    const out = join(temporaryFolder(), 'run');
    const { metrics, log } = runPaths(out);
    const { fsyncSync, openSync } = fs;
    let handle: number | undefined;
    vi.spyOn(fs, 'openSync').mockImplementation((...args) => {
      const opened = openSync(...args);
      if (args[0] === metrics) handle = opened;
      return opened;
    });
    vi.spyOn(fs, 'fsyncSync').mockImplementation((file) => {
      if (file !== handle) return fsyncSync(file);
      throw Object.assign(new Error(`${code}: it failed, fsync`), { code, syscall: 'fsync' });
    });
    syncBuiltinESMExports();
    onTestFinished(() => {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    });
    await expect(train(out)).rejects.toThrow(`cannot write ${metrics}: ${code}: it failed, fsync`);
    expect(readFileSync(log, 'utf8')).toMatch(
      new RegExp(` error {3}cannot write run/metrics.jsonl: ${code}`),
    );
    vi.restoreAllMocks();
    syncBuiltinESMExports();
    expect(await train(out)).toEqual({ kind: 'finished', step: STEPS });
  },
);
