import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DataError, UsageError } from '../../src/errors.js';
import { type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import {
  checkFingerprint,
  fingerprint,
  latestCheckpoint,
  readCheckpoint,
  saveCheckpoint,
  sweepCheckpoints,
} from '../../src/training/checkpoint.js';
import { numbers, temporaryFolder } from './tiny.js';

const mark = fingerprint({ device: 'cpu', precision: 'fp32', microBatch: 8 });

function save(folder: string, step: number, { keep = 2, value = step } = {}): void {
  tidy(() =>
    saveCheckpoint(
      folder,
      { step, dataHash: 'd', fingerprint: mark },
      new Map([['features.0.weight', tensor([value, 1, 2, 3], [2, 2])]]),
      new Map([['features.0.weight', tensor([0.5, value, 0, 0], [2, 2])]]),
      keep,
    ),
  );
}

/** The newest checkpoint's step, and what was warned of. */
function latest(folder: string): { step: number | undefined; warnings: string[] } {
  const warnings: string[] = [];
  const step = latestCheckpoint(folder, (text) => void warnings.push(text))?.step;
  return { step, warnings };
}

const path = (folder: string, step: number, ending: 'json' | 'safetensors') =>
  join(folder, `step-${String(step).padStart(8, '0')}.${ending}`);

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
}

describe('checkpoints', () => {
  test('come back as they were', () => {
    const folder = join(temporaryFolder(), 'new', 'checkpoints');
    expect(latest(folder)).toEqual({ step: undefined, warnings: [] });
    tidy(() => {
      const info = { step: 7, dataHash: 'd', fingerprint: mark, lossScale: { scale: 1024, goodSteps: 3 } };
      saveCheckpoint(folder, info, new Map([['w', tensor([1.5, -2])]]), new Map(), 1);
      const checkpoint = latestCheckpoint(folder, () => {})!;
      expect(checkpoint).toEqual({ ...info, file: path(folder, 7, 'safetensors') });
      const { model, velocities } = readCheckpoint(checkpoint);
      expect([...model].map(([name, value]: [string, Tensor]) => [name, numbers(value)])).toEqual([
        ['w', [1.5, -2]],
      ]);
      expect(velocities.size).toBe(0);
    });
  });

  test('only the newest k are kept', () => {
    const folder = temporaryFolder();
    for (const step of [1, 2, 10]) save(folder, step);
    expect(readdirSync(folder).sort()).toEqual([
      'step-00000002.json',
      'step-00000002.safetensors',
      'step-00000010.json',
      'step-00000010.safetensors',
    ]);
    save(folder, 11, { keep: 1 });
    expect(readdirSync(folder)).toHaveLength(2);
    expect(latest(folder)).toEqual({ step: 11, warnings: [] });
  });

  test.each([
    ['a changed state', (folder: string) => damage(path(folder, 2, 'safetensors'))],
    ['a cut voucher', (folder: string) => writeFileSync(path(folder, 2, 'json'), '{"step": 2, "sha')],
    ['a voucher of nothing', (folder: string) => writeFileSync(path(folder, 2, 'json'), 'null')],
    ['an absent state', (folder: string) => rmSync(path(folder, 2, 'safetensors'))],
  ])('%s: the one before is used, with a warning', (_, harm) => {
    const folder = temporaryFolder();
    save(folder, 1);
    save(folder, 2);
    harm(folder);
    const { step, warnings } = latest(folder);
    expect(step).toBe(1);
    expect(warnings).toEqual(['checkpoints/step-00000002 is damaged; trying the one before']);
  });

  test('a state without its voucher is not used: the process died between the two', () => {
    const folder = temporaryFolder();
    save(folder, 1);
    save(folder, 2);
    rmSync(path(folder, 2, 'json'));
    expect(latest(folder)).toEqual({ step: 1, warnings: [] });
    sweepCheckpoints(folder);
    expect(readdirSync(folder).sort()).toEqual(['step-00000001.json', 'step-00000001.safetensors']);
  });

  test('a damaged later one does not push out the good ones', () => {
    const folder = temporaryFolder();
    save(folder, 10, { keep: 1 });
    damage(path(folder, 10, 'safetensors'));
    for (const step of [4, 5]) save(folder, step, { keep: 1 });
    expect(latest(folder)).toEqual({ step: 5, warnings: [] });
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test('a folder without an intact checkpoint is an error, not a new start', () => {
    const folder = temporaryFolder();
    save(folder, 1);
    damage(path(folder, 1, 'safetensors'));
    expect(() => latest(folder)).toThrow(DataError);
    expect(() => latest(folder)).toThrow(/no intact checkpoint among 1; start anew with --overwrite/);
  });

  test('one of another version, or with other contents, is refused', () => {
    const folder = temporaryFolder();
    save(folder, 1);
    const voucher = path(folder, 1, 'json');
    writeFileSync(voucher, readFileSync(voucher, 'utf8').replace('"version": 1', '"version": 2'));
    expect(() => latest(folder)).toThrow(/checkpoint of version 2, expected 1/);
  });

  test('the unfinished files of a killed process are swept, and others stay', () => {
    const folder = temporaryFolder();
    save(folder, 1);
    writeFileSync(join(folder, '.step-00000002.safetensors.99-0.tmp'), 'half');
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    sweepCheckpoints(folder);
    expect(readdirSync(folder).sort()).toEqual([
      'notes.txt',
      'step-00000001.json',
      'step-00000001.safetensors',
    ]);
    sweepCheckpoints(join(folder, 'absent'));
  });
});

describe('checkFingerprint', () => {
  test('the same machine passes, another is refused by what differs', () => {
    expect(() => checkFingerprint(mark, { ...mark })).not.toThrow();
    const other = { ...mark, threads: mark.threads + 1, torch: '9.9.9' };
    expect(() => checkFingerprint(mark, other)).toThrow(UsageError);
    expect(() => checkFingerprint(mark, other)).toThrow(
      `(torch: ${mark.torch} → 9.9.9; threads: ${mark.threads} → ${mark.threads + 1})`,
    );
    expect(() => checkFingerprint(mark, other)).toThrow(/--allow-inexact/);
  });
});
