// The steps from a clean clone, or from the package as npm installed it, to a command that runs. Each does only what is
// missing, so that the `pre` hooks cost a fraction of a second afterwards.
import { accessSync, constants, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILD_FOLDER, buildNative, LOCK_FILE } from './buildNative.mjs';
import { buildTypeScript, isClone, typeScriptState } from './buildTypeScript.mjs';
import { dependenciesInstalled, installDependencies } from './dependencies.mjs';
import { Failure } from './failure.mjs';
import { withLock } from './lock.mjs';
import { ensureSystemPackages } from './systemPackages.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const log = (line) => console.error(`setup: ${line}`);
const children = new Set();

/** The program running now is stopped with us: two `npm ci` in one folder would spoil it. */
function stopTogether() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      for (const child of children) child.kill(signal);
      process.exit(128 + os.constants.signals[signal]);
    });
  }
}

async function takeSteps(follow) {
  const started = (child) => {
    children.add(child);
    child.on('exit', () => children.delete(child));
    follow(child);
  };
  // First what needs no LibTorch: where that fails, `anatomy doctor` is there to say why.
  if (!dependenciesInstalled(root)) await installDependencies(root, { log, started });
  if (typeScriptState(root) !== 'built') await buildTypeScript(root, { log, started });
  linkCommand();
  const triedFile = join(dirname(LOCK_FILE), 'packages.tried');
  const search = await ensureSystemPackages({ log, started, triedFile });
  const { torch } = await buildNative({ search, log });
  log(`ready: Node ${process.versions.node}, LibTorch ${torch.version} (${torch.source}: ${torch.root})`);
}

/** npm links the commands of dependencies only; with this `npx anatomy` finds ours in a clone too. */
function linkCommand() {
  if (!isClone(root)) return;
  const link = join(root, 'node_modules/.bin/anatomy');
  if (existsSync(link)) return;
  rmSync(link, { force: true }); // one that leads nowhere
  symlinkSync('../../dist/cli/main.js', link);
}

/** A package that root installed for everybody can be set up by root alone. */
function refuseUnwritable() {
  try {
    mkdirSync(BUILD_FOLDER, { recursive: true });
    accessSync(BUILD_FOLDER, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Failure(
      `${BUILD_FOLDER} cannot be written (${error.code}), and the engine is built there. Run this as the user who ` +
        'installed the package, or install it in a folder of your own',
      4,
    );
  }
}

/** Takes the steps, one set-up of the checkout at a time; ends the process with the failure's exit code. */
export async function setUp() {
  stopTogether();
  try {
    refuseUnwritable();
    await withLock(LOCK_FILE, takeSteps, { log });
  } catch (error) {
    log(error instanceof Failure ? error.message : error.stack);
    process.exit(error.exitCode ?? 1);
  }
}
