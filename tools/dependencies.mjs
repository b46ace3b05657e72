// The npm packages: node_modules holds what package-lock.json asks for, or `npm ci` runs.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, run } from './command.mjs';
import { Failure } from './failure.mjs';

function packagesIn(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

/**
 * Compares npm's own record of what it installed with the lock file. File times would not do: a checkout sets them anew.
 * Optional packages are other platforms' binaries.
 */
export function dependenciesInstalled(root) {
  const lock = join(root, 'package-lock.json');
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(lock)) return true; // installed as a package: its dependencies came with it
  if (!existsSync(record)) return false;
  const installed = packagesIn(record);
  return Object.entries(packagesIn(lock)).every(
    ([place, wanted]) =>
      place === '' ||
      wanted.optional ||
      (installed[place]?.version === wanted.version &&
        installed[place]?.integrity === wanted.integrity &&
        existsSync(join(root, place))),
  );
}

export async function installDependencies(root, { log, started }) {
  if (!findProgram('npm')) {
    throw new Failure(
      'node_modules does not hold what package-lock.json asks for, and npm is not on PATH. Install npm, or copy node_modules from a machine that has it',
    );
  }
  log('installing npm packages (npm ci)');
  // npm writes this record last: without it an interrupted `npm ci` is seen for what it is.
  rmSync(join(root, 'node_modules/.package-lock.json'), { force: true });
  // onnxruntime-node would fetch its CUDA part from a host that need not be reachable; the tests use the CPU alone.
  const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  // The build needs development packages even where NODE_ENV is production.
  await run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], { cwd: root, environment, started });
}
