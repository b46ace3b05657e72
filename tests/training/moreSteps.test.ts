import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { learningRateAt } from '../../src/optim/index.js';
import { trainMore } from '../../src/training/moreSteps.js';
import { pretrain } from '../../src/training/pretrain.js';
import { readRunConfig, runPaths } from '../../src/training/runFolder.js';
import { listener, methodConfig, temporaryFolder, withOneThread, writePairs } from './tiny.js';

withOneThread();

let pairs: string;

beforeAll(async () => {
  pairs = mkdtempSync(join(tmpdir(), 'anatomy-more-'));
  await writePairs(join(pairs, 'data'), { pairs: 10 });
});
afterAll(() => rmSync(pairs, { recursive: true, force: true }));

const config = (...set: string[]) =>
  methodConfig(
    'method=instdis',
    `data.path=${pairs}/data/manifest.csv`,
    `data.cacheFolder=${pairs}/cache`,
    'training.batchSize=4',
    'training.steps=3',
    ...set,
  );

async function run(...set: string[]): Promise<string> {
  const out = join(temporaryFolder(), 'run');
  const { console } = listener();
  expect((await pretrain(config(...set), { out, console })).kind).toBe('finished');
  return out;
}

const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
/** Weights, velocities and memories. */
const stateAfter = (out: string, step: number) => [
  hash(runPaths(out).encoder),
  hash(join(runPaths(out).checkpoints, `step-0000000${step}.safetensors`)),
];

describe('a finished run that goes on is the run that was planned so long, to the bit', () => {
  test.each([
    ['constant', ['training.schedule={kind: constant}']],
    ['multistep', ['training.schedule={kind: multistep, milestones: [2, 4], gamma: 0.1, unit: step}']],
  ])('with a %s schedule', async (_, schedule) => {
    const out = await run(...schedule);
    expect(await trainMore(out, 2)).toEqual({ kind: 'finished', step: 5 });
    const planned = await run(...schedule, 'training.steps=5');
    expect(stateAfter(out, 5)).toEqual(stateAfter(planned, 5));
    expect(readRunConfig(out).training).toEqual(readRunConfig(planned).training);
  });

  test('with a cosine, which begins anew: as planned with the restart, twice', async () => {
    const out = await run();
    const { console, text } = listener();
    await trainMore(out, 2, { console });
    expect(text()).toContain(
      'will be as one planned with training.restarts=[3], not as one planned with 5 steps',
    );
    await trainMore(out, 3, { console });
    const planned = await run('training.steps=8', 'training.restarts=[3,5]');
    expect(stateAfter(out, 8)).toEqual(stateAfter(planned, 8));
    expect(stateAfter(out, 8)).not.toEqual(stateAfter(await run('training.steps=8'), 8));
  });
});

test('what was made of the earlier weights is kept', async () => {
  const out = await run();
  const before = hash(runPaths(out).encoder);
  mkdirSync(join(out, 'evaluation'));
  writeFileSync(join(out, 'evaluation', 'knn.json'), 'of step 3');
  await trainMore(out, 1);
  const kept = join(out, 'at-step-3');
  expect(hash(join(kept, 'encoder.safetensors'))).toBe(before);
  expect(readFileSync(join(kept, 'evaluation', 'knn.json'), 'utf8')).toBe('of step 3');
  expect(existsSync(join(out, 'evaluation'))).toBe(false);
});

test('the same command again resumes what it began', async () => {
  const whole = await run();
  await trainMore(whole, 2);
  const out = await run();
  await trainMore(out, 2);
  // What is left of a process that was killed after step 4.
  rmSync(runPaths(out).encoder);
  for (const type of ['json', 'safetensors']) {
    rmSync(join(runPaths(out).checkpoints, `step-00000005.${type}`));
  }
  expect(await trainMore(out, 2)).toEqual({ kind: 'finished', step: 5 });
  expect(stateAfter(out, 5)).toEqual(stateAfter(whole, 5));
});

test('all folds go on', async () => {
  const root = temporaryFolder();
  const { console } = listener();
  for (const fold of [0, 1]) await pretrain(config(), { out: join(root, `fold-${fold}`), console });
  await trainMore(root, 1);
  for (const fold of [0, 1]) expect(readRunConfig(join(root, `fold-${fold}`)).training.steps).toBe(4);
});

describe('refused', () => {
  test('a run that is not finished, one without checkpoints, no run, no steps', async () => {
    const out = await run();
    await expect(trainMore(out, 0)).rejects.toThrow('--more-steps is 0, expected a whole number from 1');
    await expect(trainMore(join(out, 'nowhere'), 1)).rejects.toThrow(/no run here/);
    const { encoder, checkpoints } = runPaths(out);
    const weights = readFileSync(encoder);
    rmSync(encoder);
    await expect(trainMore(out, 1)).rejects.toThrow(/is not finished \(step 3\).*finish it with the command/);
    writeFileSync(encoder, weights);
    rmSync(checkpoints, { recursive: true });
    await expect(trainMore(out, 1)).rejects.toThrow(
      /begin another run from its weights with anatomy pretrain --init-from .*run$/,
    );
    expect(readFileSync(encoder).equals(weights)).toBe(true);
  });

  test('a plain command with more steps names the one that works', async () => {
    const out = await run();
    const { console } = listener();
    await expect(pretrain(config('training.steps=9'), { out, console })).rejects.toThrow(
      /finish it and give --more-steps N, as in anatomy pretrain --out .* --more-steps 100/,
    );
    await expect(pretrain(config('training.steps=9', 'seed=2'), { out, console })).rejects.toThrow(
      /another config; choose another --out/,
    );
  });
});

test('a schedule with restarts is the schedules of its parts one after another, warm-up in the first alone', () => {
  const cosine = { kind: 'cosine', minimum: 0.01 } as const;
  const context = { base: 1, stepsPerEpoch: 10, warmupSteps: 2 };
  for (let step = 0; step < 20; step += 1) {
    const rate = learningRateAt(step, cosine, { ...context, totalSteps: 20, restarts: [5, 12] });
    const [start, end] = step < 5 ? [0, 5] : step < 12 ? [5, 12] : [12, 20];
    const warmupSteps = start === 0 ? 2 : 0;
    const expected = learningRateAt(step - start, cosine, {
      ...context,
      warmupSteps,
      totalSteps: end - start,
    });
    expect(rate).toBe(expected);
  }
});
