// Builds native/*.cc into native/build/<key>/anatomy.node with the C++ compiler, keyed by LibTorch's path and version.
// Only needs node, a C++17 compiler, LibTorch, and the headers of node-api-headers and node-addon-api (no download).
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findLibTorch, supported } from './libtorch.mjs';

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const native = join(root, 'native');
const build = join(native, 'build');

/** Builds unless an up-to-date addon is there. Returns what native/build/current.json holds. */
export async function buildNative({ log = console.error } = {}) {
  const torch = findLibTorch();
  if (!torch) {
    const where = process.env.LIBTORCH ? `LIBTORCH=${process.env.LIBTORCH} holds no` : 'found no';
    throw new Error(
      `${where} LibTorch (headers and libtorch_cpu.so). Install it: apt-get install -y libtorch-dev libgloo-dev libopenblas0-pthread`,
    );
  }
  if (!supported(torch.version)) {
    throw new Error(`LibTorch ${torch.version} in ${torch.root} is not supported; expected 1.13 or 2.x`);
  }
  const headers = (name, folder) => {
    const local = join(root, 'node_modules', name, folder);
    if (!existsSync(local)) throw new Error(`${name} is not installed in ${root}. Run: npm ci`);
    return local;
  };
  const include = [headers('node-api-headers', 'include'), headers('node-addon-api', ''), ...torch.include];
  const sources = readdirSync(native).filter((name) => name.endsWith('.cc'));
  const compiler = process.env.CXX ?? 'c++';
  const compile = [
    '-std=c++17',
    '-O2',
    '-fPIC',
    '-fvisibility=hidden',
    '-Wall',
    '-Wextra',
    '-Wno-unused-parameter',
    '-DNAPI_CPP_EXCEPTIONS',
    `-D_GLIBCXX_USE_CXX11_ABI=${torch.cxx11Abi ? 1 : 0}`,
    // /usr/include is searched anyway, and naming it breaks the C++ library's #include_next.
    ...include.filter((folder) => folder !== '/usr/include').flatMap((folder) => ['-isystem', folder]),
  ];
  const link = [
    '-shared',
    `-L${torch.lib}`,
    '-Wl,--no-as-needed',
    '-ltorch',
    '-ltorch_cpu',
    '-lc10',
    ...(torch.cuda ? ['-ltorch_cuda', '-lc10_cuda'] : []),
    ...torch.rpath.map((folder) => `-Wl,-rpath,${folder}`),
  ];
  const digest = createHash('sha256').update(JSON.stringify([torch.lib, torch.version, process.arch]));
  const key = `torch-${torch.version}-${digest.digest('hex').slice(0, 8)}`;
  const folder = join(build, key);
  const addon = join(folder, 'anatomy.node');
  const content = createHash('sha256').update(JSON.stringify([compiler, compile, link]));
  for (const name of readdirSync(native)
    .filter((file) => /\.(cc|h)$/.test(file))
    .sort()) {
    content.update(name).update(readFileSync(join(native, name)));
  }
  const stamp = content.digest('hex');
  const stampFile = join(folder, 'stamp');
  mkdirSync(folder, { recursive: true });
  const fresh = existsSync(addon) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (!fresh) {
    log(`building the addon against LibTorch ${torch.version} (${torch.source}: ${torch.root})`);
    const objects = sources.map((name) => join(folder, name.replace(/\.cc$/, '.o')));
    // Two at a time: a translation unit that includes ATen takes about 2 GB.
    const queue = sources.map(
      (name, i) => () => run(compiler, [...compile, '-c', join(native, name), '-o', objects[i]]),
    );
    const worker = async () => {
      for (let job = queue.shift(); job; job = queue.shift()) await job();
    };
    await Promise.all([worker(), worker()]);
    await run(compiler, [...objects, '-o', `${addon}.tmp`, ...link]);
    renameSync(`${addon}.tmp`, addon);
    writeFileSync(stampFile, stamp);
  }
  const current = {
    addon: `${key}/anatomy.node`,
    torch: { version: torch.version, root: torch.root, source: torch.source, cuda: torch.cuda },
  };
  const text = `${JSON.stringify(current, null, 2)}\n`;
  const file = join(build, 'current.json');
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    writeFileSync(`${file}.tmp`, text);
    renameSync(`${file}.tmp`, file);
  }
  return current;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildNative();
  } catch (error) {
    console.error(error.stderr ? `${error.stderr}` : error.message);
    process.exit(4);
  }
}
