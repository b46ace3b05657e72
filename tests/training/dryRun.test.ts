import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AnatomyError } from '../../src/errors.js';
import { dryRun } from '../../src/training/dryRun.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { listener, tinyConfig, withOneThread, writePairs } from './tiny.js';

withOneThread();

let folder: string;
let manifest: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-dry-'));
  manifest = await writePairs(folder, { pairs: 12 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings = (...more: string[]) =>
  tinyConfig(
    `data.path=${manifest}`,
    `data.cacheFolder=${folder}/cache`,
    'training.batchSize=4',
    'training.steps=6',
    ...more,
  );

/** The warnings of a dry run. */
async function warningsOf(...more: string[]): Promise<string[]> {
  const { console, text } = listener();
  await dryRun(settings(...more), console);
  return text()
    .split('\n')
    .filter((line) => line.startsWith('warning:'));
}

test.each([
  ['dropLast', /training\.dropLast would leave out the only batch, 12 pairs where training\.batchSize is 16/],
  ['single', /the last batch of each epoch is a single pair \(12 pairs, training\.batchSize 11\)/],
  ['one', /training\.batchSize is 1: with no other pair/],
  ['fine', undefined],
])('batches that are hardly meant are told once: %s', async (name, warning) => {
  const batches = {
    dropLast: ['training.batchSize=16', 'training.dropLast=true'],
    single: ['training.batchSize=11'],
    one: ['training.batchSize=1'],
    fine: ['training.batchSize=11', 'training.dropLast=true'],
  }[name]!;
  expect(await warningsOf(...batches)).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)]);
});

test('faults of the images are told as before a run', async () => {
  const repeated = join(folder, 'repeated.csv');
  copyFileSync(manifest, repeated);
  writeFileSync(
    repeated,
    'id,subject,a,b\n0,0,images/a0.png,images/b0.png\n1,1,images/a0.png,images/b0.png\n',
  );
  expect(await warningsOf(`data.path=${repeated}`)).toEqual([
    expect.stringContaining('1 sample repeats an image of another, to the pixel'),
  ]);
});

test.each([
  [
    'a rate that breaks the weights',
    ['training.learningRate=1e30'],
    /loss is NaN \(consistency NaN, global NaN\)/,
  ],
  [
    'a temperature that overflows',
    ['method.tau=1e-40'],
    /loss is (NaN|Infinity) \(consistency [\d.]+, global /,
  ],
])('a loss that is not finite is an error: %s', async (_, set, reason) => {
  const before = undisposedTensors();
  const refused = await dryRun(settings(...set), listener().console).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AnatomyError);
  expect((refused as Error).message).toMatch(reason);
  expect((refused as Error).message).toContain('lower training.learningRate');
  expect(undisposedTensors()).toBe(before);
});

test('the rate is that of the schedule, so a slow warm-up is not taken for a fast one', async () => {
  const rate = 'training.learningRate=1e12';
  await expect(dryRun(settings(rate), listener().console)).rejects.toThrow('training would fail');
  await dryRun(settings(rate, 'training.warmupSteps=100000000000000'), listener().console);
});
