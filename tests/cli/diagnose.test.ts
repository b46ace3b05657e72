import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import picocolors from 'picocolors';
import { expect, test, vi } from 'vitest';
import { type CheckName, diagnose, doctor, exitCodeOf, renderChecks } from '../../src/cli/diagnose.js';
import { type LoadedAddon, type Machine, thisMachine } from '../../src/cli/machine.js';
import { EngineMissingError } from '../../src/errors.js';
import type { LibTorch } from '../../tools/libtorch.mjs';

const torch: LibTorch = {
  source: 'system',
  root: '/usr',
  include: ['/usr/include'],
  lib: '/usr/lib/x86_64-linux-gnu',
  version: '1.13.0',
  cuda: false,
  cxx11Abi: true,
  rpath: [],
  systemBlas: true,
};

const addon: LoadedAddon = {
  build: {
    addon: 'k/anatomy.node',
    torch: { version: '1.13.0', root: '/usr', source: 'system', cuda: false },
  },
  torchVersion: '1.13.0',
  cudaDevices: 0,
  threads: 4,
};

/** A machine on which all is well, except for what the test says. */
function machine(different: Partial<Machine> = {}): Machine {
  return {
    nodeVersion: '20.20.2',
    compiler: 'c++ 12.2.0',
    libTorch: { torch, rejected: [] },
    addonState: () => 'built',
    loadAddon: () => Promise.resolve(addon),
    blas: () => '/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3',
    cpu: { model: 'a CPU', hardwareThreads: 8, cores: 4, bf16: true },
    gpus: [],
    freeMemory: 16 * 2 ** 30,
    cache: { folder: '/home/u/.cache/anatomy-ssl', writable: true },
    typeScript: 'built',
    buildFolder: { folder: '/p/native/build', writable: true },
    setupLine: 'npx anatomy setup',
    ...different,
  };
}

async function look(name: CheckName, different: Partial<Machine>) {
  const checks = await diagnose(machine(different));
  return { ...checks.find((check) => check.name === name)!, exitCode: exitCodeOf(checks) };
}

const notLoading = { loadAddon: () => Promise.reject(new EngineMissingError('undefined symbol: x')) };
const noTorch = { libTorch: { torch: null, rejected: [] } };

test('every check is ok on a machine on which all is well', async () => {
  const checks = await diagnose(machine());
  expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(exitCodeOf(checks)).toBe(0);
});

test('every check answers without LibTorch, with what to run, and the exit code is 4', async () => {
  const checks = await diagnose(machine({ ...noTorch, ...notLoading, compiler: undefined }));
  const missing = checks.filter(({ status }) => status === 'missing');
  expect(missing.map(({ name }) => name)).toEqual(['C++ compiler', 'LibTorch', 'addon']);
  expect(missing.every(({ fix }) => fix !== undefined && !fix.includes('\n'))).toBe(true);
  expect(exitCodeOf(checks)).toBe(4);
});

test('a missing need decides the exit code, and slowness does not', async () => {
  expect(await look('Node', { nodeVersion: '18.19.0' })).toMatchObject({ status: 'missing', exitCode: 1 });
  expect(await look('dist', { typeScript: 'missing' })).toMatchObject({ status: 'missing', exitCode: 1 });
  expect(await look('dist', { typeScript: 'stale' })).toMatchObject({ status: 'warn', exitCode: 0 });
  expect(await look('C++ compiler', { compiler: undefined })).toMatchObject({ status: 'warn', exitCode: 0 });
  expect(await look('memory', { freeMemory: 2 ** 30 })).toMatchObject({ status: 'warn', exitCode: 0 });
  const cache = { folder: '/root/.cache', writable: false };
  expect(await look('cache', { cache })).toMatchObject({ status: 'warn', exitCode: 0 });
});

test('an addon is reported that does not load, is of another LibTorch, or is older than its sources', async () => {
  expect(await look('addon', notLoading)).toMatchObject({ found: 'undefined symbol: x', exitCode: 4 });
  const newer = { loadAddon: () => Promise.resolve({ ...addon, torchVersion: '2.1.0' }) };
  expect(await look('addon', newer)).toMatchObject({ status: 'missing', exitCode: 4 });
  const other = { libTorch: { torch: { ...torch, root: '/opt/torch', version: '2.11.0' }, rejected: [] } };
  expect(await look('addon', other)).toMatchObject({ status: 'warn', fix: 'npx anatomy setup' });
  expect(await look('addon', { addonState: () => 'stale' })).toMatchObject({ status: 'warn' });
});

test('a slow BLAS, a CPU without bf16 and too few threads are warned of', async () => {
  const reference = { blas: () => '/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0' };
  const blas = await look('BLAS', reference);
  expect(blas).toMatchObject({ status: 'warn', exitCode: 0 });
  expect(blas.fix).toContain('libopenblas0-pthread');
  const own = { libTorch: { torch: { ...torch, systemBlas: false }, rejected: [] }, blas: () => undefined };
  expect(await look('BLAS', own)).toMatchObject({ status: 'ok', found: "LibTorch's own" });
  const cpu = { model: 'a CPU', hardwareThreads: 8, cores: 8, bf16: false };
  expect((await look('CPU', { cpu })).found).toContain('takes fp32');
  expect(await look('threads', { cpu })).toMatchObject({ status: 'warn', fix: 'export OMP_NUM_THREADS=8' });
});

test('a GPU that cannot be used says whether LibTorch or the driver is why', async () => {
  const gpus = ['NVIDIA H200, 9.0, 143771 MiB'];
  const withCuda = { ...addon.build, torch: { ...addon.build.torch, cuda: true } };
  expect((await look('CUDA', { gpus })).found).toContain('this LibTorch is for CPUs only');
  const blind = { gpus, loadAddon: () => Promise.resolve({ ...addon, build: withCuda }) };
  expect((await look('CUDA', blind)).fix).toContain('driver');
  const seeing = { gpus, loadAddon: () => Promise.resolve({ ...addon, build: withCuda, cudaDevices: 1 }) };
  expect(await look('CUDA', seeing)).toMatchObject({ status: 'ok', found: `1 usable: ${gpus[0]}` });
});

test('the report has a line for each check, the remedy below it, and a verdict', async () => {
  const text = renderChecks(
    await diagnose(machine({ typeScript: 'stale' })),
    picocolors.createColors(false),
    'npx anatomy setup',
  );
  expect(text.split('\n')[0]).toBe('✓ Node          20.20.2');
  expect(text).toContain('! dist          older than src/\n                fix: npx anatomy setup\n');
  expect(text.endsWith('\n\nEverything needed is there, 1 to improve.')).toBe(true);
});

test('a file that is no addon is reported in the loader’s words instead of an exception', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-test-'));
  const broken = join(folder, 'anatomy.node');
  writeFileSync(broken, 'not a shared library');
  try {
    const loadAddon = async () => createRequire(import.meta.url)(broken) as LoadedAddon;
    const { status, found, exitCode } = await look('addon', { loadAddon });
    expect({ status, exitCode }).toEqual({ status: 'missing', exitCode: 4 });
    expect(found).toContain(broken);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a real machine whose LIBTORCH points nowhere is told so', async () => {
  const { libTorch } = thisMachine({ ...process.env, LIBTORCH: '/nowhere' });
  const check = await look('LibTorch', { libTorch });
  expect(check).toMatchObject({
    status: 'missing',
    found: 'LIBTORCH=/nowhere is not usable: there is no such folder',
    exitCode: 4,
  });
  expect(check.fix).toContain('unset LIBTORCH');
});

test('the command prints JSON that agrees with its exit code', async () => {
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  const exitCode = await doctor({ json: true }).finally(() => write.mockRestore());
  const report = JSON.parse(written.join(''));
  expect(report).toMatchObject({ ok: exitCode === 0, exitCode });
  expect(report.checks).toHaveLength(11);
});
