import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OnnxExport } from '../../src/use/exportRunOnnx.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const main = join(repository, 'dist/cli/main.js');
let folder: string;

function anatomy(words: readonly string[], program: readonly string[] = [main]) {
  return spawnSync(process.execPath, [...program, ...words], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'export-cli-'));
  const settings = ['data.size=32', 'model.width=0.25', 'training.batchSize=4'];
  const { status, stderr } = anatomy([
    ...['pretrain', '--data', 'phantom:breast,pairs=6', '--method', 'instdis', '--set', ...settings],
    ...['--steps', '1', '--out', 'run'],
  ]);
  expect([status, stderr]).toEqual([0, expect.stringContaining('finished')]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('prints the file on stdout and the largest difference of each output on stderr', () => {
  const { status, stdout, stderr } = anatomy(['export', 'onnx', '--run', 'run', '--out', 'a.onnx']);
  expect([status, stdout]).toEqual([0, 'a.onnx\n']);
  for (const output of ['features', 'embedding', 'map0', 'map1', 'map2', 'map3', 'map4']) {
    expect(stderr).toMatch(new RegExp(`^${output}: within \\S+e-\\d+ of LibTorch, values up to \\S+$`, 'm'));
  }
});

test('with --json what was written and how it was checked', () => {
  const words = ['export', 'onnx', '--run', 'run', '--out', 'b.onnx', '--preprocess', '--json'];
  const { status, stdout } = anatomy(words);
  expect(status).toBe(0);
  const written = JSON.parse(stdout) as OnnxExport;
  expect(written).toMatchObject({ file: 'b.onnx', bytes: statSync(join(folder, 'b.onnx')).size });
  expect(written.metadata.method).toBe('instdis');
  expect(written.check!.length).toBe(7);
});

test('ends with 2 and writes nothing where the file is there or the run is not', () => {
  const words = ['export', 'onnx', '--run', 'run', '--out', 'c.onnx'];
  expect(anatomy(words).status).toBe(0);
  const again = anatomy(words);
  expect([again.status, again.stdout]).toEqual([2, '']);
  expect(again.stderr).toContain(
    '--out c.onnx: it is there already; choose another, or replace it with --overwrite',
  );
  expect(anatomy([...words, '--overwrite']).status).toBe(0);
  const missing = anatomy(['export', 'onnx', '--run', 'nowhere', '--out', 'd.onnx']);
  expect([missing.status, missing.stdout]).toEqual([2, '']);
  expect(missing.stderr).toContain('nowhere: no run here');
  expect(existsSync(join(folder, 'd.onnx'))).toBe(false);
});

test('tells how the file is checked where onnxruntime-node is not installed', () => {
  // The same program beside all packages but that one.
  const bare = join(folder, 'bare');
  mkdirSync(join(bare, 'node_modules'), { recursive: true });
  for (const name of ['dist', 'native', 'tools', 'package.json']) {
    symlinkSync(join(repository, name), join(bare, name));
  }
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    if (name === 'onnxruntime-node') continue;
    symlinkSync(join(repository, 'node_modules', name), join(bare, 'node_modules', name));
  }
  const program = ['--preserve-symlinks', '--preserve-symlinks-main', join(bare, 'dist/cli/main.js')];
  const words = ['export', 'onnx', '--run', 'run', '--out', 'e.onnx'];
  const { status, stdout, stderr } = anatomy(words, program);
  expect([status, stdout]).toEqual([0, 'e.onnx\n']);
  expect(stderr).toContain(
    'not checked: npm install --no-save onnxruntime-node, then export again with --overwrite',
  );
  expect(JSON.parse(anatomy([...words, '--overwrite', '--json'], program).stdout).check).toBeNull();
});
