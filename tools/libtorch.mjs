// Where LibTorch is: LIBTORCH, then the torch package of the python3 on PATH, then the system's libtorch-dev.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** @typedef {import('./libtorch.d.mts').LibTorch} LibTorch */

/**
 * The line that installs these packages. A bare Debian has no sudo, and its root needs none; images of it for containers
 * come without the lists of what apt may install.
 */
export function aptLine(packages, { root = process.getuid?.() === 0, lists = '/var/lib/apt/lists' } = {}) {
  const apt = root ? 'apt-get' : 'sudo apt-get';
  const known = !existsSync(lists) || readdirSync(lists).some((name) => /_Packages(\.\w+)?$/.test(name));
  return `${known ? '' : `${apt} update && `}${apt} install -y ${packages.join(' ')}`;
}

/** The one line that installs what the addon is built from. */
export const INSTALL_LINE = aptLine(['g++', 'libtorch-dev', 'libgloo-dev', 'libopenblas0-pthread']);

/** The same without root, and the way to CUDA: PyTorch's own package carries LibTorch and its headers. */
export const PIP_LINE =
  'python3 -m venv ~/.anatomy-torch && ~/.anatomy-torch/bin/pip install torch && export LIBTORCH="$(echo ~/.anatomy-torch/lib/python3*/site-packages/torch)"';

/** Major.minor versions the addon is known to build and pass its tests against. */
export function supported(version) {
  const [major, minor] = version.split('.').map(Number);
  return (major === 1 && minor === 13) || major === 2;
}

/** From 2.9 on torch/version.h only forwards to the one in headeronly, so the first with the numbers in it counts. */
const VERSION_HEADERS = [
  'torch/csrc/api/include/torch/version.h',
  'torch/headeronly/version.h',
  'torch/version.h',
];

function readVersion(include) {
  for (const name of VERSION_HEADERS) {
    const file = join(include, name);
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`TORCH_VERSION_${part}\\s+(\\d+)`).exec(text)?.[1],
    );
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return null;
}

/** `lib` as PyTorch lays it out, `lib64`, or Debian's `lib/x86_64-linux-gnu`. */
function libraryFolder(root) {
  const lib = join(root, 'lib');
  const multiarch = existsSync(lib) ? readdirSync(lib).filter((name) => name.endsWith('-linux-gnu')) : [];
  return [lib, join(root, 'lib64'), ...multiarch.map((name) => join(lib, name))].find((folder) =>
    existsSync(join(folder, 'libtorch_cpu.so')),
  );
}

/** cuDNN, cuBLAS, … of a pip torch lie beside it: nvidia/cudnn/lib, or nvidia/cu13/lib from CUDA 13 on. */
function nvidiaLibraries(root) {
  const nvidia = join(root, '..', 'nvidia');
  if (!existsSync(nvidia)) return [];
  return readdirSync(nvidia)
    .map((name) => join(nvidia, name, 'lib'))
    .filter(existsSync)
    .sort();
}

/**
 * Whether the library's std::string is the C++11 one. Only what is recognisably built with the old one (older pip wheels)
 * says no: elsewhere, with libc++ or musl too, the compiler's default is right.
 */
function usesCxx11Abi(lib) {
  const c10 = join(lib, 'libc10.so');
  // c10::Error::Error(SourceLocation, std::string), whose old mangling abbreviates std::string to Ss
  return !existsSync(c10) || !readFileSync(c10).includes('_ZN3c105ErrorC2ENS_14SourceLocationESs');
}

/**
 * A candidate counts only if its headers and libtorch_cpu.so are there: Debian's cmake path and python shims mislead.
 * @returns {{ torch: LibTorch } | { rejected: { source: string, root: string, problem: string } }}
 */
function inspect(source, place) {
  const reject = (problem) => ({ rejected: { source, root: place, problem } });
  if (!existsSync(place)) return reject('there is no such folder');
  const root = realpathSync(place); // what lies beside a symbolic link's target is not beside the link
  const include = join(root, 'include');
  const lib = libraryFolder(root);
  const headers = existsSync(join(include, 'ATen/ATen.h'));
  if (!headers || !lib) {
    const inner = ['torch', 'libtorch'].map((name) => join(place, name)).find(libraryFolder);
    const missing = [!headers && 'include/ATen/ATen.h', !lib && 'lib/libtorch_cpu.so'].filter(Boolean);
    return reject(`it has no ${missing.join(' and no ')}${inner ? `; did you mean ${inner}?` : ''}`);
  }
  const systemBlas = dirname(realpathSync(join(lib, 'libtorch_cpu.so'))).startsWith('/usr/lib/');
  // Debian's python3-torch is a folder of links to libtorch-dev: one build for both, whichever python3 is first on PATH.
  if (source === 'python3' && systemBlas) return inspect('system', '/usr');
  const version = readVersion(include);
  if (!version) return reject(`its version is unknown: none of ${VERSION_HEADERS.join(', ')} tells it`);
  if (!supported(version)) return reject(`it is LibTorch ${version}, expected 1.13 or 2.x`);
  return {
    torch: {
      source,
      root,
      include: [include, join(include, 'torch/csrc/api/include')],
      lib,
      version,
      cuda: existsSync(join(lib, 'libtorch_cuda.so')),
      cxx11Abi: usesCxx11Abi(lib),
      rpath: [lib, ...nvidiaLibraries(root)],
      systemBlas,
    },
  };
}

/** The folder of python3's torch, or ''. Nothing is imported, and a folder `torch` where we stand is not it. */
function pythonTorch(environment) {
  const script =
    'import sys; sys.path = [p for p in sys.path if p]; import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s and s.origin else "")';
  try {
    return execFileSync('python3', ['-c', script], {
      encoding: 'utf8',
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

function candidates(environment, systemRoots) {
  if (environment.LIBTORCH) return [() => ['LIBTORCH', resolve(environment.LIBTORCH)]];
  return [
    () => ['python3', pythonTorch(environment)],
    ...systemRoots.filter((root) => libraryFolder(root)).map((root) => () => ['system', root]),
  ];
}

/** Looks everywhere, in order, until something fits; `rejected` says what was met on the way and why it does not. */
export function searchLibTorch(environment = process.env, systemRoots = ['/usr/local', '/usr']) {
  const rejected = [];
  for (const candidate of candidates(environment, systemRoots)) {
    const [source, place] = candidate();
    if (place === '') continue;
    const result = inspect(source, place);
    if (result.torch) return { torch: result.torch, rejected };
    rejected.push(result.rejected);
  }
  return { torch: null, rejected };
}

/** Why there is no LibTorch, in one sentence. */
export function whyNoLibTorch(rejected) {
  if (rejected.length === 0)
    return 'no LibTorch: LIBTORCH is not set, python3 has no torch, libtorch-dev is not installed';
  return rejected
    .map(({ source, root, problem }) => {
      const place = source === 'LIBTORCH' ? `LIBTORCH=${root}` : `${root} (${source})`;
      return `${place} is not usable: ${problem}`;
    })
    .join('; ');
}
