// Builds native/*.cc into native/build/<key>/anatomy.node with the C++ compiler, keyed by LibTorch's path and version.
// Only needs node, a C++ compiler, LibTorch, and the headers of node-api-headers and node-addon-api (no download, no npm).
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isClone } from './buildTypeScript.mjs';
import { compilerCommand, findProgram } from './command.mjs';
import { Failure } from './failure.mjs';
import { INSTALL_LINE, PIP_LINE, searchLibTorch, whyNoLibTorch } from './libtorch.mjs';
import { withLock } from './lock.mjs';

const execute = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const native = join(root, 'native');
const build = join(native, 'build');
const current = join(build, 'current.json');

/** Where the addon is built: in this package's own folder, so that each LibTorch of a machine may have its copy of both. */
export const BUILD_FOLDER = build;

/** Held by whoever builds or installs in this checkout. */
export const LOCK_FILE = join(build, 'setup.lock');

/**
 * The folders of the headers that the addon includes. Node's own rule finds their packages: npm puts them beside this
 * package where it is installed as one. A package that is nowhere is taken for missing from our own node_modules.
 */
export function headerFolders() {
  const places = createRequire(join(root, 'package.json')).resolve;
  return ['node-api-headers/include', 'node-addon-api'].map((name) => {
    const folders = places.paths(name).map((modules) => join(modules, name));
    return folders.find(existsSync) ?? folders[0];
  });
}

/** A translation unit that includes ATen takes about this much. */
const MEMORY_OF_A_COMPILER = 2 * 2 ** 30;

/** What torch.utils.cpp_extension passes: the headers need C++20 from 2.12 on, and before that are only tested with C++17. */
function standardFor(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 12) ? '-std=c++20' : '-std=c++17';
}

/** Commands and places of a build against this LibTorch, and digests that change when its result would. */
function plan(torch) {
  const headers = headerFolders();
  const compile = [
    standardFor(torch.version),
    '-O2',
    '-fPIC',
    '-fvisibility=hidden',
    '-Wall',
    '-Wextra',
    '-Wno-unused-parameter',
    // The same bits from every version of a kernel, with and without fused multiply-adds.
    '-ffp-contract=off',
    '-DNAPI_CPP_EXCEPTIONS',
    `-D_GLIBCXX_USE_CXX11_ABI=${torch.cxx11Abi ? 1 : 0}`,
    // Without its headers the addon has no process groups.
    ...(torch.include.some((folder) => existsSync(join(folder, 'gloo'))) ? ['-DUSE_C10D_GLOO'] : []),
    // /usr/include is searched anyway, and naming it breaks the C++ library's #include_next.
    ...[...headers, ...torch.include]
      .filter((folder) => folder !== '/usr/include')
      .flatMap((folder) => ['-isystem', folder]),
  ];
  const link = [
    '-shared',
    // Loaded code stays: threads of LibTorch may outlive a worker that loaded it.
    '-Wl,-z,nodelete',
    `-L${torch.lib}`,
    '-Wl,--no-as-needed',
    '-ltorch',
    '-ltorch_cpu',
    '-lc10',
    ...(torch.cuda ? ['-ltorch_cuda', '-lc10_cuda'] : []),
    ...torch.rpath.map((folder) => `-Wl,-rpath,${folder}`),
  ];
  const compiler = compilerCommand();
  const digest = (...parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  const key = `torch-${torch.version}-${digest(torch.lib, torch.version, process.arch).slice(0, 8)}`;
  const folder = join(build, key);
  const names = readdirSync(native).sort();
  const read = (name) => readFileSync(join(native, name), 'utf8');
  const shared = names.filter((name) => name.endsWith('.h')).map((name) => [name, read(name)]);
  const units = names
    .filter((name) => name.endsWith('.cc'))
    .map((name) => {
      const stamp = digest(compiler, compile, shared, read(name)).slice(0, 16);
      return { name, source: join(native, name), object: join(folder, `${name}-${stamp}.o`) };
    });
  const stamp = digest(
    compiler,
    link,
    units.map((unit) => unit.object),
  );
  return { compiler, compile, link, headers, key, folder, units, stamp, addon: join(folder, 'anatomy.node') };
}

function isBuilt({ addon, folder, stamp }) {
  const file = join(folder, 'stamp');
  return existsSync(addon) && existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

/** 'built' when the addon for this LibTorch is there and what a build would make now, 'stale' when older, or 'missing'. */
export function nativeState(torch) {
  const planned = plan(torch);
  if (isBuilt(planned)) return 'built';
  return existsSync(planned.addon) ? 'stale' : 'missing';
}

async function invoke([program, ...first], parameters, signal) {
  try {
    await execute(program, [...first, ...parameters], { signal, maxBuffer: 2 ** 28 });
  } catch (error) {
    if (signal.aborted) throw error;
    const memory = /Killed|cc1plus.*terminated/.test(error.stderr ?? '')
      ? '\nThe compiler was killed, most likely for want of memory: it needs about 2 GB.'
      : '';
    throw new Failure(`the addon does not build:\n${error.stderr || error.message}${memory}`);
  }
}

/** Compiles what is not there yet, so that an interrupted build continues where it was. */
async function compileUnits({ compiler, compile, units }) {
  const queue = units.filter((unit) => !existsSync(unit.object));
  const jobs = Math.min(queue.length, os.cpus().length, Math.floor(os.freemem() / MEMORY_OF_A_COMPILER));
  const failed = new AbortController();
  const worker = async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) {
      // Renamed when complete, so that a cut-off object is never linked.
      const draft = `${unit.object}.${process.pid}.tmp`;
      await invoke(compiler, [...compile, '-c', unit.source, '-o', draft], failed.signal);
      renameSync(draft, unit.object);
    }
  };
  const workers = Array.from({ length: Math.max(jobs, 1) }, worker);
  try {
    await Promise.all(workers);
  } catch (error) {
    failed.abort(); // the other compilers' work is in vain
    await Promise.allSettled(workers);
    throw error;
  }
}

async function buildAddon(planned) {
  const { compiler, link, headers, folder, units, addon, stamp } = planned;
  for (const header of headers) {
    if (!existsSync(header))
      throw new Failure(`${header} is missing. Run: ${isClone(root) ? 'npm ci' : 'npm install'}`);
  }
  if (!findProgram(compiler[0])) {
    throw new Failure(`no C++ compiler: ${compiler[0]} is not on PATH. Run: ${INSTALL_LINE}`, 4);
  }
  mkdirSync(folder, { recursive: true });
  await compileUnits(planned);
  const objects = units.map((unit) => unit.object);
  await invoke(compiler, [...objects, '-o', `${addon}.tmp`, ...link], new AbortController().signal);
  renameSync(`${addon}.tmp`, addon);
  writeFileSync(join(folder, 'stamp'), stamp);
  const kept = new Set([addon, join(folder, 'stamp'), ...objects]);
  for (const name of readdirSync(folder)) {
    if (!kept.has(join(folder, name))) rmSync(join(folder, name));
  }
}

/** Builds unless an up-to-date addon is there. Returns what native/build/current.json holds. */
export async function buildNative({ search = searchLibTorch(), log = console.error } = {}) {
  const { torch, rejected } = search;
  if (!torch)
    throw new Failure(`${whyNoLibTorch(rejected)}. Run: ${INSTALL_LINE}\nor without root: ${PIP_LINE}`, 4);
  const planned = plan(torch);
  if (!isBuilt(planned)) {
    log(`building the addon against LibTorch ${torch.version} (${torch.source}: ${torch.root})`);
    await buildAddon(planned);
  }
  const { version, source, cuda } = torch;
  const content = {
    addon: `${planned.key}/anatomy.node`,
    torch: { version, root: torch.root, source, cuda },
  };
  const text = `${JSON.stringify(content, null, 2)}\n`;
  if (!existsSync(current) || readFileSync(current, 'utf8') !== text) {
    writeFileSync(`${current}.tmp`, text);
    renameSync(`${current}.tmp`, current);
  }
  return content;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await withLock(LOCK_FILE, () => buildNative());
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error);
    process.exit(error.exitCode ?? 1);
  }
}
