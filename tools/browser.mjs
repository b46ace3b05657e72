// Chromium, in which the tests open reports; nothing else needs it. Installed by apt where it may, else those tests are left
// out and say so.
import { dirname, join } from 'node:path';
import { LOCK_FILE } from './buildNative.mjs';
import { findProgram } from './command.mjs';
import { withLock } from './lock.mjs';
import { installForTests } from './systemPackages.mjs';

const log = (line) => console.error(`setup: ${line}`);

if (!findProgram('chromium')) {
  const triedFile = join(dirname(LOCK_FILE), 'browser.tried');
  await withLock(LOCK_FILE, (started) => installForTests(['chromium'], { log, started, triedFile }), { log });
}
