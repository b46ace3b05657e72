import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PairsResult } from '../../src/evaluation/results/pairsResult.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;
let run: string;

function anatomy(...words: string[]) {
  return spawnSync(process.execPath, [main, ...words], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
}

const measure = (...words: string[]) =>
  anatomy('evaluate', 'pairs', '--run', run, '--replicates', '50', '--precision', 'fp32', ...words);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evaluate-pairs-cli-'));
  run = join(folder, 'run');
  const { status, stderr } = anatomy(
    ...['pretrain', '--data', 'phantom:breast,pairs=6,seed=1', '--steps', '1', '--out', run, '--set'],
    ...[
      'data.size=32',
      'model.width=0.25',
      'method.patches=[2,2]',
      'method.maps=[1,2,3]',
      'training.batchSize=6',
    ],
  );
  expect(stderr).toContain('finished');
  expect(status).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('prints tables, or with --json only the JSON that it also wrote', () => {
  const table = measure();
  expect(table.status).toBe(0);
  expect(table.stdout).toMatch(/^\| L_C \(Eq\. 6\) +\| run, transductive/m);
  expect(table.stdout).toMatch(/^\| Fig\. 5: agreement of patches, map 1, 4×4 +\| untrained, calibrated/m);
  expect(table.stdout).toMatch(/in 6 pairs with a known lesion/);
  const written = readFileSync(join(run, 'evaluation', 'pairs.json'), 'utf8');

  const out = join(folder, 'elsewhere');
  const { status, stdout } = measure('--json', '--out', out);
  expect(status).toBe(0);
  expect(stdout).toBe(written);
  expect(readFileSync(join(out, 'pairs.json'), 'utf8')).toBe(written);
  const result = JSON.parse(stdout) as PairsResult;
  expect([result.protocol, result.version, result.data.pairs]).toEqual(['pairs', 1, 6]);
  expect(stdout).not.toContain(folder);
  expect(stdout).not.toContain('patient-');
});

it('exits with 2 for a wrong command and with 3 for data it cannot measure', () => {
  expect(anatomy('evaluate', 'pairs').status).toBe(2);
  const misspelt = measure('--mask', folder);
  expect(misspelt.status).toBe(2);
  expect(misspelt.stderr).toContain('Did you mean --masks');
  for (const [flag, value, expected] of [
    ['--pairs', '1', 'Expected a whole number from 2.'],
    ['--replicates', '49', 'Expected a whole number from 50.'],
    ['--device', 'gpu', '--device is gpu, expected'],
  ] as const) {
    const { status, stderr } = measure(flag, value);
    expect([status, stderr]).toEqual([2, expect.stringContaining(expected)]);
  }
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const noMask = measure('--masks', empty);
  expect([noMask.status, noMask.stdout]).toEqual([3, '']);
  expect(noMask.stderr).toContain('none of the 6 pairs has a mask in it');
});
