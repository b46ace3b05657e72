import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ops, type Tensor } from '../../src/tensor/index.js';
import { op } from '../../src/tensor/operator.js';
import { thrown } from './thrown.js';

const folder = mkdtempSync(join(tmpdir(), 'anatomy-map-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'bytes');
writeFileSync(path, Uint8Array.of(1, 2, 250, 4));

describe('mapping a file', () => {
  test('reads its bytes', () => {
    expect(ops.fromFile(path, false, 4, 'u8').toArray()).toEqual(Uint8Array.of(1, 2, 250, 4));
    expect(ops.fromFile(path, false, 2, 'u8').toArray()).toEqual(Uint8Array.of(1, 2));
    expect(ops.fromFile(path, false, 0, 'u8').shape).toEqual([0]);
    expect(ops.fromFile(path, false, 1, 'f32').toArray()).toEqual(
      new Float32Array(Uint8Array.of(1, 2, 250, 4).buffer),
    );
  });

  test('writing to the mapping leaves the file alone unless it is shared', () => {
    ops.addScalar_(ops.fromFile(path, false, 4, 'u8'), 9);
    expect([...readFileSync(path)]).toEqual([1, 2, 250, 4]);
    const shared = join(folder, 'shared');
    writeFileSync(shared, Uint8Array.of(1, 2, 3));
    ops.addScalar_(ops.fromFile(shared, true, 2, 'u8'), 9);
    expect([...readFileSync(shared)]).toEqual([10, 11, 3]);
  });

  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  mkdirSync(join(folder, 'folder'));
  test.each<[string, string, number, 'u8' | 'f32' | 'f64', RegExp]>([
    ['a file that is absent', join(folder, 'absent'), 1e10, 'u8', /absent cannot be opened: No such file/],
    ['a file that is too short', path, 5, 'u8', /bytes has 4 bytes, fewer than the 5 asked for/],
    ['one that is too short for the dtype', path, 2, 'f32', /has 4 bytes, fewer than the 8 asked for/],
    ['a folder', join(folder, 'folder'), 1, 'u8', /folder (is no regular file|cannot be opened)/],
    ['a device', '/dev/zero', 10, 'u8', /\/dev\/zero is no regular file/],
    ['a pipe without a writer', pipe, 1, 'u8', /pipe is no regular file/],
    ['a negative number of values', path, -1, 'u8', /is asked for -1 values/],
    ['more bytes than can be counted', path, 2 ** 52, 'f64', /has 4 bytes, fewer than the 36028797018963968/],
    ['a name that ends early', `${path}\0.png`, 1, 'u8', /zero byte/],
  ])('%s is refused, shared or not, and nothing is made', (_, file, count, dtype, message) => {
    for (const shared of [false, true]) {
      expect(thrown(() => ops.fromFile(file, shared, count, dtype))).toMatchObject({
        name: 'TensorError',
        code: 'argument',
        message: expect.stringMatching(message),
      });
    }
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });

  test('numbers of values beyond 64 bits, other options and LibTorch’s other way to the file are refused', () => {
    const loose = op<unknown[], Tensor>('aten::from_file');
    expect(() => loose(path, false, 2n ** 62n, 'f64')).toThrow(/asked for 4611686018427387904 values/);
    expect(() => loose(path, false, 1, 'u8', null, null, true)).toThrow(
      'is strided, on the cpu and not pinned',
    );
    expect(() => op<unknown[], Tensor>('aten::from_file.out')(path, false, 1)).toThrow('has no operator');
  });
});

describe('a mapped file that is cut short', () => {
  const length = 1 << 20;
  function child(mode: string, file: string) {
    writeFileSync(file, Buffer.alloc(length, 1));
    const script = fileURLToPath(new URL('children/mapped.mjs', import.meta.url));
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      [script, mode, file, String(length)],
      { encoding: 'utf8' },
    );
    return { status, signal, lines: stdout.trim().split('\n'), stderr };
  }

  test.each(['cut', 'released'])('ends the process with its name, the fix and exit code 3: %s', (mode) => {
    const file = join(folder, `a\u001b[31m\n${mode}`);
    const { status, signal, lines, stderr } = child(mode, file);
    expect({ status, signal, lines }).toEqual({ status: 3, signal: null, lines: [String(length)] });
    expect(stderr).toContain(`error: ${folder}/a?[31m?${mode} was cut short`);
    expect(stderr).toContain('copy it again');
  });

  test('leaves a SIGBUS that has another cause to whoever had it before', () => {
    expect(child('sent', join(folder, 'sent'))).toMatchObject({
      status: null,
      signal: 'SIGBUS',
      stderr: '',
    });
  });
});
