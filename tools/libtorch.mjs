// Where LibTorch is: LIBTORCH, then the torch package of the python3 on PATH, then the system's libtorch-dev.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ source: string, root: string, include: string[], lib: string, version: string, cuda: boolean, cxx11Abi: boolean, rpath: string[] }} LibTorch */

const SYSTEM_LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib',
  '/usr/local/lib',
];

/** A candidate counts only if its headers and libtorch_cpu.so are there: Debian's cmake path and python shims mislead. */
function inspect(source, root, includeRoot, lib) {
  const header = ['torch/csrc/api/include/torch/version.h', 'torch/version.h']
    .map((name) => join(includeRoot, name))
    .find(existsSync);
  if (!header || !existsSync(join(lib, 'libtorch_cpu.so')) || !existsSync(join(includeRoot, 'ATen/ATen.h')))
    return null;
  const text = readFileSync(header, 'utf8');
  const part = (name) =>
    /\d+/.exec(new RegExp(`TORCH_VERSION_${name} (\\d+)`).exec(text)?.[0] ?? '')?.[0] ?? '?';
  const nvidia = join(root, '..', 'nvidia');
  const rpath = [lib];
  if (existsSync(nvidia)) {
    for (const name of readdirSync(nvidia)) {
      const folder = join(nvidia, name, 'lib');
      if (existsSync(folder)) rpath.push(folder);
    }
  }
  return {
    source,
    root,
    include: [includeRoot, join(includeRoot, 'torch/csrc/api/include')],
    lib,
    version: `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`,
    cuda: existsSync(join(lib, 'libtorch_cuda.so')),
    cxx11Abi: readFileSync(join(lib, 'libc10.so')).includes('__cxx11'),
    rpath,
  };
}

function pythonTorch() {
  try {
    const script =
      'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
    return execFileSync('python3', ['-c', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/**
 * The LibTorch to build against, or null.
 * @returns {LibTorch | null}
 */
export function findLibTorch(environment = process.env) {
  if (environment.LIBTORCH) {
    const root = environment.LIBTORCH;
    return inspect('LIBTORCH', root, join(root, 'include'), join(root, 'lib'));
  }
  const python = pythonTorch();
  if (python) {
    const found = inspect('python3', python, join(python, 'include'), join(python, 'lib'));
    if (found) return found;
  }
  for (const lib of SYSTEM_LIBRARIES) {
    const found = inspect(
      'system',
      '/usr',
      lib.startsWith('/usr/local') ? '/usr/local/include' : '/usr/include',
      lib,
    );
    if (found) return found;
  }
  return null;
}

/** Major.minor versions the addon is known to build and pass its tests against. */
export function supported(version) {
  const [major, minor] = version.split('.').map(Number);
  return (major === 1 && minor === 13) || major === 2;
}
