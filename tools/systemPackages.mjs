// The C++ compiler and LibTorch: installed by apt where it may, else the line that does it is named.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { judgeBlas, systemBlas } from './blas.mjs';
import { compilerCommand, findProgram, run } from './command.mjs';
import { Failure } from './failure.mjs';
import { aptLine, PIP_LINE, searchLibTorch, supported, whyNoLibTorch } from './libtorch.mjs';

/** What it costs to go without a recommended package. */
const WITHOUT = {
  'libgloo-dev': 'one machine only',
  'libopenblas0-pthread': 'matrix products are several times slower',
  'fontconfig-config': 'pictures have boxes for letters',
};

/** Packages without which nothing runs, and those without which it runs slowly or less well. */
export function missingPackages({
  torch,
  compiler = findProgram(compilerCommand()[0]),
  blas = systemBlas(),
  gloo = existsSync('/usr/include/gloo'),
  fonts = hasFonts(),
}) {
  const required = [!compiler && 'g++', !torch && 'libtorch-dev'].filter(Boolean);
  const ownTorch = torch && !torch.systemBlas; // brings its BLAS and its gloo
  const fastBlas = ownTorch || (blas && judgeBlas(blas).fast);
  const recommended = [
    !ownTorch && !gloo && 'libgloo-dev',
    !fastBlas && 'libopenblas0-pthread',
    !fonts && 'fontconfig-config',
  ].filter(Boolean);
  return { required, recommended };
}

/**
 * Without any font the pictures of a report have boxes for letters. fontconfig-config brings one and the configuration
 * without which fontconfig complains on stderr.
 */
function hasFonts() {
  return ['/usr/share/fonts', '/usr/local/share/fonts'].some(
    (folder) => existsSync(folder) && readdirSync(folder).length > 0,
  );
}

/** What to put before apt-get: nothing for root, sudo where it asks for no password; null where neither works. */
function authority() {
  if (!findProgram('apt-get')) return null;
  if (process.getuid?.() === 0) return [];
  try {
    execFileSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
    return ['sudo', '-n'];
  } catch {
    return null;
  }
}

/** The version apt would install, or null when its lists do not know the package. */
function candidateVersion(name) {
  try {
    const policy = execFileSync('apt-cache', ['policy', name], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    const version = /Candidate: (\S+)/.exec(policy)?.[1];
    return version && version !== '(none)' ? version : null;
  } catch {
    return null;
  }
}

/** Installs what only some tests need; where that fails, or failed before, they are left out and say so. */
export async function installForTests(packages, { log, started, triedFile }) {
  const before = authority();
  if (!before || alreadyTried(packages, triedFile)) return;
  try {
    await install(packages, before, { log, started });
  } catch (error) {
    log(`${error.message}; going on without`);
  }
}

async function install(packages, before, { log, started }) {
  const [program, ...first] = [...before, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  // Unattended upgrades hold apt's lock now and then.
  const apt = (...rest) => run(program, [...first, '-o', 'DPkg::Lock::Timeout=600', ...rest], { started });
  const known = packages.every((name) => candidateVersion(name) !== null);
  if (!known) {
    log('reading the package lists (apt-get update)');
    await apt('update');
  }
  const version = packages.includes('libtorch-dev') ? candidateVersion('libtorch-dev') : null;
  if (version && !supported(version)) {
    throw new Failure(`apt offers LibTorch ${version}, expected 1.13 or 2.x. Run: ${PIP_LINE}`, 4);
  }
  log(`installing ${packages.join(' ')} (apt-get)`);
  const packagesIn = () => apt('install', '-y', '--no-install-recommends', ...packages);
  try {
    await packagesIn();
  } catch (error) {
    if (!known) throw error;
    log('installing failed; trying again with fresh package lists');
    await apt('update');
    await packagesIn();
  }
}

/** Installs what is merely recommended once: where that fails, every later run would wait for the same failure. */
function alreadyTried(packages, triedFile) {
  const text = packages.join(' ');
  if (existsSync(triedFile) && readFileSync(triedFile, 'utf8') === text) return true;
  mkdirSync(dirname(triedFile), { recursive: true });
  writeFileSync(triedFile, text);
  return false;
}

/** Makes sure of compiler and LibTorch. Returns the search for LibTorch that held at the end. */
export async function ensureSystemPackages({ log, started, triedFile }) {
  const search = searchLibTorch();
  if (process.env.LIBTORCH && !search.torch) {
    throw new Failure(
      `${whyNoLibTorch(search.rejected)}. Set LIBTORCH to a folder with include/ and lib/libtorch_cpu.so, or unset it`,
      4,
    );
  }
  const { required, recommended } = missingPackages(search);
  const packages = [...required, ...recommended];
  if (packages.length === 0) return search;
  const before = authority();
  const line = aptLine(packages);
  if (required.length === 0) {
    if (before && !alreadyTried(recommended, triedFile)) {
      try {
        await install(recommended, before, { log, started });
        return searchLibTorch();
      } catch (error) {
        log(error.message);
      }
    }
    log(
      `going on without ${recommended.map((name) => `${name} (${WITHOUT[name]})`).join(', ')}. To mend it: ${line}`,
    );
    return search;
  }
  const cause = search.torch
    ? `no C++ compiler: ${compilerCommand()[0]} is not on PATH`
    : whyNoLibTorch(search.rejected);
  const remedy = findProgram('apt-get')
    ? `Run: ${line}\nand then this again`
    : `Install a C++ compiler by this system's means, and LibTorch by: ${PIP_LINE}`;
  if (!before) throw new Failure(`${cause}. ${remedy}`, 4);
  log(cause);
  try {
    await install(packages, before, { log, started });
  } catch (error) {
    if (error.exitCode === 4) throw error;
    throw new Failure(`${error.message}. ${remedy}`, 4);
  }
  const result = searchLibTorch();
  if (!result.torch) throw new Failure(`${whyNoLibTorch(result.rejected)}. Run: ${PIP_LINE}`, 4);
  return result;
}
