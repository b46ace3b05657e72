// The steps from a clean clone to a command that runs. Each does only what is missing, so that the `pre` hooks cost a
// fraction of a second afterwards.
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative, LOCK_FILE } from './buildNative.mjs';
import { buildTypeScript, typeScriptState } from './buildTypeScript.mjs';
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
  const link = join(root, 'node_modules/.bin/anatomy');
  if (existsSync(link)) return;
  rmSync(link, { force: true }); // one that leads nowhere
  symlinkSync('../../dist/cli/main.js', link);
}

/** Takes the steps, one set-up of the checkout at a time; ends the process with the failure's exit code. */
export async function setUp() {
  stopTogether();
  try {
    await withLock(LOCK_FILE, takeSteps, { log });
  } catch (error) {
    log(error instanceof Failure ? error.message : error.stack);
    process.exit(error.exitCode ?? 1);
  }
}
