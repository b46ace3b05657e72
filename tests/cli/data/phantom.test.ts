import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'data-phantom-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** @param interruptAt text on stderr at which Ctrl-C is pressed, once */
function anatomy(args: readonly string[], interruptAt?: string): Promise<Ended> {
  const child = spawn(process.execPath, [main, 'data', 'phantom', ...args], { cwd: root });
  let [stdout, stderr, interrupted] = ['', '', false];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    if (interruptAt === undefined || interrupted || !stderr.includes(interruptAt)) return;
    interrupted = child.kill('SIGINT');
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

test('data phantom writes what is asked for, says so as JSON, and refuses what makes no sense with exit code 2', async () => {
  const written = await anatomy(['phantom:fundus,pairs=2', '--size', '32', '--out', 'deep/eyes', '--json']);
  expect(JSON.parse(written.stdout)).toEqual({
    out: 'deep/eyes',
    name: 'phantom:fundus',
    samples: 2,
    simulated: ['a', 'b'],
  });
  expect(written.code).toBe(0);
  expect(readdirSync(path.join(root, 'deep/eyes')).sort()).toEqual([
    'a',
    'b',
    'dataset.json',
    'manifest.csv',
    'masks',
  ]);

  const refusals = await Promise.all([
    anatomy(['phantom:fundus,pairs=2', '--out', 'deep/eyes']),
    anatomy(['--out', 'other']),
    anatomy(['phantom:fundus', '--from', 'deep/eyes', '--out', 'other']),
    anatomy(['phantom:fundus', '--seed', '3', '--out', 'other']),
    anatomy(['phantom:fundus', '--size', '7', '--out', 'other']),
  ]);
  const expected = [
    'deep/eyes exists; choose another --out, or --overwrite it',
    'name a phantom, such as phantom:fundus,pairs=50, or photographs with --from',
    'both phantom:fundus and --from deep/eyes are given',
    'a phantom has its seed in its name',
    "'--size <n>' argument '7' is invalid. Expected a whole number from 16 to 2048.",
  ];
  for (const [i, { code, stderr }] of refusals.entries()) {
    expect(stderr).toContain(expected[i]);
    expect(code).toBe(2);
  }
  expect(existsSync(path.join(root, 'other'))).toBe(false);
});

test('data phantom leaves nothing when interrupted', async () => {
  const args = ['phantom:fundus,pairs=2000', '--size', '64', '--out', 'cut/eyes'];
  const { code, stderr } = await anatomy(args, ' 1/2000');
  expect(stderr).toContain('interrupted; nothing was written to cut/eyes');
  expect(code).toBe(130);
  expect(readdirSync(path.join(root, 'cut'))).toEqual([]);
});
