import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mostThreads } from '../../src/tensor/cpu.js';
import { TINY } from '../training/tiny.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'threads-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['OMP_NUM_THREADS', '100000', []],
  ['OMP_NUM_THREADS', '-1', []],
  ['training.threads', '100000', ['training.threads=100000']],
])('%s of %s is refused by its name, before anything starts', (name, count, set) => {
  const threads = name === 'OMP_NUM_THREADS' ? count : '1';
  const words = [
    'pretrain',
    '--data',
    'phantom:breast,pairs=4',
    '--out',
    join(folder, 'run'),
    '--set',
    ...TINY,
  ];
  const { status, stderr } = spawnSync(process.execPath, [main, ...words, ...set], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: threads, XDG_CACHE_HOME: join(folder, 'cache') },
  });
  expect(stderr).toContain(
    `error: ${name}: ${count} threads, expected 1 to ${mostThreads()} on this machine`,
  );
  expect(status).toBe(2);
});
