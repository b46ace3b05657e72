import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { judgeBlas, systemBlas } from '../../tools/blas.mjs';
import { buildTypeScript, typeScriptState } from '../../tools/buildTypeScript.mjs';
import { dependenciesInstalled } from '../../tools/dependencies.mjs';
import { aptLine, searchLibTorch, whyNoLibTorch } from '../../tools/libtorch.mjs';
import { withLock } from '../../tools/lock.mjs';
import { missingPackages } from '../../tools/systemPackages.mjs';

const repository = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'setup-test-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function put(name: string, text = ''): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const versionHeader = (version: string) =>
  ['MAJOR', 'MINOR', 'PATCH']
    .map((part, i) => `#define TORCH_VERSION_${part} ${version.split('.')[i]}\n`)
    .join('');

/** Headers and libraries as PyTorch's own package lays them out. */
function putTorch(root: string, version: string, { lib = 'lib', c10 = '' } = {}): string {
  put(`${root}/include/ATen/ATen.h`);
  put(`${root}/include/torch/csrc/api/include/torch/version.h`, versionHeader(version));
  put(`${root}/${lib}/libtorch_cpu.so`);
  put(`${root}/${lib}/libc10.so`, c10);
  return join(folder, root);
}

describe('LibTorch', () => {
  /** With no python3 to ask and no system to look at. */
  const search = (LIBTORCH: string) => searchLibTorch({ LIBTORCH, PATH: '' }, []);

  test('the folder of a pip torch brings its NVIDIA libraries, also through a symbolic link', () => {
    const root = putTorch('site-packages/torch', '2.11.0');
    put('site-packages/torch/lib/libtorch_cuda.so');
    put('site-packages/nvidia/cu13/lib/libcudart.so.13');
    put('site-packages/nvidia/cudnn/lib/libcudnn.so.9');
    put('site-packages/nvidia/headers/include/none.h');
    symlinkSync(root, join(folder, 'link'));
    const { torch } = search(join(folder, 'link'));
    expect(torch).toMatchObject({ source: 'LIBTORCH', version: '2.11.0', cuda: true, systemBlas: false });
    const nvidia = join(dirname(dirname(root)), 'site-packages/nvidia');
    expect(torch!.rpath).toEqual([`${root}/lib`, `${nvidia}/cu13/lib`, `${nvidia}/cudnn/lib`]);
  });

  test('the version is read where torch/version.h forwards to the one in headeronly', () => {
    const root = putTorch('torch', '0.0.0');
    put('torch/include/torch/csrc/api/include/torch/version.h', '#include <torch/headeronly/version.h>\n');
    put('torch/include/torch/headeronly/version.h', versionHeader('2.12.1'));
    expect(search(root).torch?.version).toBe('2.12.1');
  });

  test('libraries are found in lib64 and in a multiarch folder', () => {
    expect(search(putTorch('a', '2.6.0', { lib: 'lib64' })).torch?.lib).toMatch(/a\/lib64$/);
    const multiarch = putTorch('b', '1.13.0', { lib: 'lib/aarch64-linux-gnu' });
    expect(searchLibTorch({ PATH: '' }, [join(folder, 'none'), multiarch]).torch).toMatchObject({
      source: 'system',
      version: '1.13.0',
    });
  });

  test('only a library that says so is taken for one with the old std::string', () => {
    const old = '\0_ZN3c105ErrorC2ENS_14SourceLocationESs\0';
    expect(search(putTorch('old', '2.1.0', { c10: old })).torch?.cxx11Abi).toBe(false);
    expect(search(putTorch('musl', '2.1.0')).torch?.cxx11Abi).toBe(true);
  });

  test('a wrong LIBTORCH is named with what it lacks, and nothing else is tried', () => {
    const why = (path: string) => {
      const { torch, rejected } = search(path);
      expect(torch).toBeNull();
      return whyNoLibTorch(rejected);
    };
    expect(why('/nowhere')).toBe('LIBTORCH=/nowhere is not usable: there is no such folder');
    expect(why(folder)).toContain('it has no include/ATen/ATen.h and no lib/libtorch_cpu.so');
    putTorch('site/torch', '2.1.0');
    expect(why(join(folder, 'site'))).toContain(`did you mean ${folder}/site/torch?`);
    expect(why(putTorch('ancient', '1.8.1'))).toContain('it is LibTorch 1.8.1, expected 1.13 or 2.x');
    rmSync(join(putTorch('bare', '2.1.0'), 'include/torch'), { recursive: true });
    expect(why(join(folder, 'bare'))).toContain('its version is unknown');
    expect(whyNoLibTorch([])).toContain('libtorch-dev is not installed');
  });

  test("python3's torch is asked for and passed over when it has no headers", () => {
    put('bin/python3', `#!/bin/sh\necho ${folder}/shim\n`);
    chmodSync(join(folder, 'bin/python3'), 0o755);
    put('shim/lib/libtorch_cpu.so');
    const system = putTorch('system', '1.13.0');
    const environment = { PATH: join(folder, 'bin') };
    const { torch, rejected } = searchLibTorch(environment, [system]);
    expect(torch?.source).toBe('system');
    expect(rejected).toMatchObject([{ source: 'python3', problem: 'it has no include/ATen/ATen.h' }]);
    putTorch('shim', '2.3.0');
    expect(searchLibTorch(environment, [system]).torch?.source).toBe('python3');
  });
});

test('the BLAS is judged by what the alternatives point to', () => {
  const library = put('x86_64-linux-gnu/openblas-pthread/libblas.so.3');
  symlinkSync(library, join(folder, 'x86_64-linux-gnu/libblas.so.3'));
  expect(systemBlas(folder)).toBe(library);
  expect(systemBlas(join(folder, 'none'))).toBeNull();
  expect(judgeBlas(library)).toEqual({ name: 'OpenBLAS (pthread)', fast: true });
  expect(judgeBlas('/usr/lib/x/openblas-serial/libblas.so.3').fast).toBe(false);
  expect(judgeBlas('/usr/lib/x/blas/libblas.so.3.11.0')).toEqual({ name: 'the reference BLAS', fast: false });
  expect(judgeBlas('/opt/intel/libmkl_rt.so.2').fast).toBe(true);
});

test('the line for apt has sudo for those who are not root, and asks for the lists where there are none', () => {
  const [bare, filled] = [join(folder, 'bare'), join(folder, 'filled')];
  mkdirSync(join(bare, 'partial'), { recursive: true });
  put('filled/mirror_debian_dists_bookworm_main_binary-amd64_Packages.lz4');
  expect(aptLine(['g++'], { root: true, lists: filled })).toBe('apt-get install -y g++');
  expect(aptLine(['g++', 'x'], { root: false, lists: filled })).toBe('sudo apt-get install -y g++ x');
  expect(aptLine(['g++'], { root: true, lists: bare })).toBe('apt-get update && apt-get install -y g++');
  expect(aptLine(['g++'], { root: false, lists: bare })).toBe(
    'sudo apt-get update && sudo apt-get install -y g++',
  );
});

test('only missing packages are asked for, and none for a LibTorch that brings its own', () => {
  const { torch } = searchLibTorch({ LIBTORCH: putTorch('torch', '2.11.0'), PATH: '' });
  const nothing = { blas: null, gloo: false, fonts: false };
  expect(missingPackages({ torch: null, compiler: null, ...nothing })).toEqual({
    required: ['g++', 'libtorch-dev'],
    recommended: ['libgloo-dev', 'libopenblas0-pthread', 'fontconfig-config'],
  });
  expect(missingPackages({ torch, compiler: '/usr/bin/c++', ...nothing })).toEqual({
    required: [],
    recommended: ['fontconfig-config'],
  });
  const debian = { ...torch!, systemBlas: true };
  const blas = '/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0';
  expect(missingPackages({ torch: debian, compiler: '/usr/bin/c++', blas, gloo: true, fonts: true })).toEqual(
    {
      required: [],
      recommended: ['libopenblas0-pthread'],
    },
  );
});

test('npm packages are installed anew when the lock file asks for others, or one is gone, but not when only times differ', () => {
  const lock = (version: string) =>
    JSON.stringify({
      packages: {
        '': { name: 'x' },
        'node_modules/a': { version },
        'node_modules/b-darwin': { version: '1.0.0', optional: true },
      },
    });
  expect(dependenciesInstalled(folder)).toBe(true); // no lock file: installed as a package
  put('package-lock.json', lock('1.0.0'));
  expect(dependenciesInstalled(folder)).toBe(false);
  put('node_modules/a/package.json');
  put(
    'node_modules/.package-lock.json',
    JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0' } } }),
  );
  utimesSync(join(folder, 'node_modules/.package-lock.json'), 0, 0);
  expect(dependenciesInstalled(folder)).toBe(true);
  put('package-lock.json', lock('1.0.1'));
  expect(dependenciesInstalled(folder)).toBe(false);
  put('package-lock.json', lock('1.0.0'));
  rmSync(join(folder, 'node_modules/a'), { recursive: true });
  expect(dependenciesInstalled(folder)).toBe(false);
});

test('npm is asked to leave out what onnxruntime-node would fetch from another host', () => {
  const asked = join(folder, 'asked');
  const npm = put('bin/npm', `#!/bin/sh\necho "$@ $ONNXRUNTIME_NODE_INSTALL" > '${asked}'\n`);
  chmodSync(npm, 0o755);
  const dependencies = pathToFileURL(join(repository, 'tools/dependencies.mjs')).href;
  const program = `const { installDependencies } = await import('${dependencies}');
    await installDependencies('${folder}', { log() {}, started() {} });`;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
  });
  expect(status).toBe(0);
  expect(readFileSync(asked, 'utf8')).toBe('ci --include=dev --no-audit --no-fund skip\n');
});

test('dist follows src and web: built once, again after a change or a lost output, and without what a deleted source left', async () => {
  const compilerOptions = {
    module: 'NodeNext',
    rootDir: 'src',
    outDir: 'dist',
    types: [],
    incremental: true,
  };
  put('tsconfig.json', '{}');
  put(
    'tsconfig.build.json',
    JSON.stringify({
      compilerOptions: { ...compilerOptions, tsBuildInfoFile: 'dist/.tsbuildinfo' },
      include: ['src'],
    }),
  );
  put('package.json', '{"type":"module"}');
  put('src/cli/main.ts', 'export const main = 1;\n');
  put('src/gone.ts', 'export const gone = 1;\n');
  put('web/index.html', '<!doctype html><title>page</title>');
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  const build = () => buildTypeScript(folder, { log: () => undefined });
  expect(typeScriptState(folder)).toBe('missing');
  await build();
  expect(typeScriptState(folder)).toBe('built');
  rmSync(join(folder, 'src/gone.ts'));
  expect(typeScriptState(folder)).toBe('stale');
  await build();
  expect(readdirSync(join(folder, 'dist')).filter((name) => name.startsWith('gone'))).toEqual([]);
  for (const lost of ['dist/cli/main.js', 'dist/web/index.html']) {
    rmSync(join(folder, lost));
    expect(typeScriptState(folder), lost).toBe('stale');
    await build();
    expect(existsSync(join(folder, lost)), lost).toBe(true);
  }
  put('web/index.html', '<!doctype html><title>another</title>');
  expect(typeScriptState(folder)).toBe('stale');
  await build();
  expect(readFileSync(join(folder, 'dist/web/index.html'), 'utf8')).toContain('another');
  rmSync(join(folder, 'web/index.html'));
  await expect(build()).rejects.toThrow('the live page in web/ could not be built');
  put('web/index.html', '<!doctype html><title>another</title>');
  put('src/cli/main.ts', 'export const main: string = 1;\n');
  await expect(build()).rejects.toThrow('do not compile');
  expect(typeScriptState(folder)).toBe('stale'); // tsc writes outputs in spite of errors
});

describe('the lock', () => {
  const options = { log: () => undefined, pollMs: 10 };

  /** Holds the lock in a process of its own until it is killed, with a child that runs on. */
  async function holder(file: string, body: string) {
    const module = pathToFileURL(join(repository, 'tools/lock.mjs')).href;
    const script = `import { spawn } from 'node:child_process'; import { withLock } from '${module}';
      setInterval(() => {}, 1000);
      await withLock('${file}', (follow) => { ${body}; process.stdout.write('held'); return new Promise(() => {}); });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data));
    while (!Buffer.concat(output).toString().includes('held')) await sleep(10);
    return { child, output: () => Buffer.concat(output).toString() };
  }

  test('two never hold it together, and a failure lets go of it', async () => {
    const file = join(folder, 'deep/lock');
    let inside = 0;
    let most = 0;
    const body = async () => {
      most = Math.max(most, ++inside);
      await sleep(30);
      inside -= 1;
    };
    await Promise.all([1, 2, 3].map(() => withLock(file, body, options)));
    expect(most).toBe(1);
    await expect(withLock(file, () => Promise.reject(new Error('no')), options)).rejects.toThrow('no');
    expect(readdirSync(dirname(file))).toEqual([]);
  });

  test('a killed holder does not block, a living one does', async () => {
    const file = join(folder, 'lock');
    const { child } = await holder(file, '');
    const lines: string[] = [];
    let entered = false;
    const waiting = withLock(
      file,
      async () => {
        entered = true;
      },
      { log: (line) => lines.push(line), pollMs: 10 },
    );
    await sleep(100);
    expect(entered).toBe(false);
    expect(lines).toEqual([`waiting for process ${child.pid}, which is setting up (${file})`]);
    child.kill('SIGKILL');
    await waiting;
    expect(readdirSync(folder)).toEqual([]);
  });

  test('the program that a killed holder left running is waited for', async () => {
    const file = join(folder, 'lock');
    const body = `const c = spawn('sleep', ['30']); follow(c); process.stdout.write(c.pid + ' ')`;
    const { child, output } = await holder(file, body);
    const orphan = Number.parseInt(output(), 10);
    child.kill('SIGKILL');
    let entered = false;
    const waiting = withLock(
      file,
      async () => {
        entered = true;
      },
      options,
    );
    await sleep(100);
    expect(entered).toBe(false);
    process.kill(orphan, 'SIGKILL');
    await waiting;
  });

  test('neither another process under the same id nor a holder elsewhere that fell silent blocks', async () => {
    const file = join(folder, 'lock');
    const mine = await withLock(file, async () => readFileSync(file, 'utf8'), options);
    const { idSpace } = JSON.parse(mine);
    writeFileSync(file, JSON.stringify({ idSpace, process: { pid: process.pid, start: '1' }, child: null }));
    await withLock(file, async () => undefined, options);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(mine), idSpace: 'elsewhere' }));
    utimesSync(file, new Date(0), new Date(0));
    await withLock(file, async () => undefined, options);
    expect(existsSync(file)).toBe(false);
  });
});

describe('tools/setup.mjs', () => {
  const setup = (environment: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [join(repository, 'tools/setup.mjs')], {
      encoding: 'utf8',
      env: environment,
    });

  test('a wrong LIBTORCH ends it with 4, the cause and the fix on standard error', () => {
    const { status, stdout, stderr } = setup({ PATH: process.env.PATH, LIBTORCH: '/nowhere' });
    expect(status).toBe(4);
    expect(stdout).toBe('');
    expect(stderr).toContain(
      'LIBTORCH=/nowhere is not usable: there is no such folder. Set LIBTORCH to a folder',
    );
  });

  test('without a compiler and without apt it says what to do and ends with 4', () => {
    const { status, stderr } = setup({ PATH: folder });
    expect(status).toBe(4);
    expect(stderr).toContain('no C++ compiler: c++ is not on PATH');
    expect(stderr).toContain('pip install torch');
  });
});
