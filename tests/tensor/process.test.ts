import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { EngineMissingError } from '../../src/errors.js';
import { mostThreads } from '../../src/tensor/cpu.js';
import { setThreads, TensorError, threads, watchSignals } from '../../src/tensor/index.js';
import { load, native, nativeBuild } from '../../src/tensor/native.js';
import { thrown } from './thrown.js';

const script = (name: string) => fileURLToPath(new URL(`children/${name}.mjs`, import.meta.url));
const run = promisify(execFile);

describe('signals during a synchronous loop', () => {
  /** Starts the loop and calls `react` at each line it prints. Resolves to how it ended, and its lines. */
  async function loop(
    mode: string,
    react: (line: string, child: ReturnType<typeof spawn>) => void = () => {},
  ) {
    const child = spawn(process.execPath, [script('signals'), mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const lines: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) {
        lines.push(line);
        react(line, child);
      }
    });
    const [code, signal] = await once(child, 'exit');
    return { code, signal, lines };
  }

  test.each([
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const)('the first %s is noted and the loop ends by itself', async (signal, number) => {
    const ended = await loop('finish', (line, child) => line === 'ready' && child.kill(signal));
    expect(ended).toEqual({ code: 7, signal: null, lines: ['ready', `noted ${number}`] });
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second %s ends the process at once with %i', async (signal, code) => {
    let timer: NodeJS.Timeout | undefined;
    const ended = await loop('stubborn', (line, child) => {
      if (line === 'ready') child.kill(signal);
      else timer ??= setInterval(() => child.kill(signal), 100);
    });
    clearInterval(timer);
    expect(ended).toMatchObject({ code, signal: null });
  });

  test('another signal than the first ends it without delay', async () => {
    const ended = await loop('stubborn', (line, child) =>
      child.kill(line === 'ready' ? 'SIGINT' : 'SIGTERM'),
    );
    expect(ended).toMatchObject({ code: 143, signal: null });
  });

  test('one Ctrl-C that arrives twice counts once', async () => {
    expect(await loop('twice')).toMatchObject({ code: 7, lines: ['ready', 'noted 2'] });
  });

  test('afterwards the handlers of before are back', async () => {
    const ended = await loop('restored', (line, child) => line === 'ready' && child.kill('SIGINT'));
    expect(ended).toMatchObject({ code: 9 });
  });

  test('nothing is pending at first, and stop() may be called twice', () => {
    const outer = watchSignals();
    const inner = watchSignals();
    expect(inner.pending()).toBeUndefined();
    inner.stop();
    inner.stop();
    outer.stop();
  });
});

describe('worker threads', () => {
  test('the addon works in workers beside the main thread, and they may be terminated', async () => {
    const { stdout, stderr } = await run(process.execPath, [script('workers')]); // rejects unless it exits with 0
    const [answers, after] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers).toEqual({
      mine: [301, 602, 903],
      theirs: [[2, 4, 6], true],
      ended: 0,
      terminated: [1, 1, 1],
    });
    expect(after).toEqual([0, 1]);
    expect(stderr).toBe('');
  });
});

test('processes can be started while a worker multiplies matrices', async () => {
  const { stdout } = await run(process.execPath, [script('forks')], {
    timeout: 240_000,
    killSignal: 'SIGKILL',
  });
  expect(stdout.trim()).toBe('0');
});

test("LibTorch's warnings are collected and not printed", async () => {
  const { stdout, stderr } = await run(process.execPath, [script('warnings')]);
  const [first, second] = JSON.parse(stdout) as string[][];
  expect(first).toEqual([expect.stringContaining('An output with one or more elements was resized')]);
  expect(second).toEqual([]);
  expect(stderr).toBe('');
});

describe('loading', () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'anatomy-build-'));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return path;
  }

  test('without a build the error names the fix', () => {
    const empty = folder();
    for (const attempt of [() => load(empty), () => nativeBuild(empty)]) {
      expect(attempt).toThrow(EngineMissingError);
      expect(attempt).toThrow(/has not been built.*npx anatomy setup/);
    }
  });

  test('an addon that does not load names its LibTorch and the fix', () => {
    const broken = folder();
    const torch = { version: '1.13.0', root: '/opt/torch', source: 'LIBTORCH', cuda: false };
    writeFileSync(join(broken, 'current.json'), JSON.stringify({ addon: 'anatomy.node', torch }));
    writeFileSync(join(broken, 'anatomy.node'), 'no library');
    expect(() => load(broken)).toThrow(EngineMissingError);
    expect(() => load(broken)).toThrow(/LibTorch 1\.13\.0 in \/opt\/torch does not load.*npx anatomy setup/);
  });

  test.runIf('glibcVersionRuntime' in reportHeader())('the allocator of glibc takes the settings', () => {
    expect(native().tuneAllocator()).toBe(true);
  });

  test.runIf(process.platform === 'linux')('memory of large tensors is used again', async () => {
    const { stdout } = await run(process.execPath, [script('memory')]);
    const { sameSizes, growingSizes, whole } = JSON.parse(stdout);
    expect(whole).toBe(true);
    // 30 MiB are alive at once, 79 in the end: in the C library’s heap they came to 1,080.
    expect(sameSizes).toBeLessThan(100);
    expect(growingSizes).toBeLessThan(500);
  });

  test('the number of threads can be set, to whole numbers that the machine can run', () => {
    const before = threads();
    setThreads(1);
    expect(threads()).toBe(1);
    setThreads(before);
    expect(threads()).toBe(before);
    for (const count of [0, 1.5, -1, Number.NaN, 100_000, 2 ** 32 + 1, '2' as unknown as number]) {
      expect(thrown(() => setThreads(count))).toMatchObject({
        name: 'TensorError',
        message: `setThreads(): ${count} threads, expected 1 to ${mostThreads()} on this machine`,
      });
    }
    expect(() => native().setThreads(2 ** 32 + 1)).toThrow(TensorError);
    expect(threads()).toBe(before);
    expect([mostThreads(2), mostThreads(96)]).toEqual([64, 384]);
  });

  test('it is the number of OpenBLAS’s threads too, whatever the environment says: the bits depend on them', async () => {
    const products = ['1', '2'].map(async (OPENBLAS_NUM_THREADS) => {
      const env = { ...process.env, OPENBLAS_NUM_THREADS };
      return (await run(process.execPath, [script('threads')], { env })).stdout;
    });
    const [one, two] = await Promise.all(products);
    expect(two).toBe(one);
  });
});

function reportHeader(): object {
  return (process.report.getReport() as unknown as { header: object }).header;
}
