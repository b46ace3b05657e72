/** The method that CONTRIBUTING.md shows works as it stands there: one file, one line, and everything else follows. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const project = fileURLToPath(new URL('../../', import.meta.url));
let copy: string;

const anatomy = (...args: string[]): string =>
  execFileSync(process.execPath, [join(copy, 'dist/cli/main.js'), ...args], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'anatomy-contributing-'));
  for (const name of ['src', 'tools', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(project, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
  symlinkSync(join(project, 'native'), join(copy, 'native'));
  const guide = readFileSync(join(project, 'CONTRIBUTING.md'), 'utf8');
  const [file, line] = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
  writeFileSync(join(copy, 'src/methods/barlow.ts'), file!);
  const registry = join(copy, 'src/methods/registry.ts');
  const before = readFileSync(registry, 'utf8');
  writeFileSync(
    registry,
    before
      .replace("import { cmc } from './cmc.js';\n", (cmc) => line! + cmc)
      .replace('[anatomy, ', '[anatomy, barlow, '),
  );
  execFileSync(
    process.execPath,
    [join(project, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
    { cwd: copy, stdio: 'pipe' },
  );
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe('a new method', () => {
  const settings = ['data.size=32', 'model.width=0.25', 'training.batchSize=6', 'training.precision=fp32'];
  const pretrain = (out: string, ...more: string[]): string =>
    anatomy(
      'pretrain',
      ...['--data', 'phantom:breast,pairs=12', '--method', 'barlow', '--out', out],
      ...['--set', ...settings, ...more],
    );

  test('trains, in micro-batches too, and finds its settings in the config', () => {
    pretrain('run', 'training.steps=2', 'training.microBatch=4', 'method.lambda=0.01');
    const lines = readFileSync(join(copy, 'run/metrics.jsonl'), 'utf8').trim().split('\n');
    const [first, second] = lines.map((text) => JSON.parse(text));
    expect([first.step, second.step]).toEqual([1, 2]);
    expect(first['chance/redundancy']).toBe(500);
    expect(second.redundancy).toBeGreaterThan(0);
    expect(second.redundancy).not.toBe(first.redundancy);
    expect(readFileSync(join(copy, 'run/config.yaml'), 'utf8')).toMatch(/name: barlow\n {2}lambda: 0.01/);
  });

  test('refuses a setting that it does not have', () => {
    expect(() => pretrain('other', 'method.lamda=1')).toThrow(
      /unknown key method.lamda; did you mean method.lambda/,
    );
  });
});
