// One set-up of a checkout at a time: `npm test` and `npm run demo` may be started together.
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { idSpace, isRunning, markOf } from './processes.mjs';

/** A holder in another container or on another machine cannot be looked at; it touches its lock this often … */
const BEAT_MS = 5_000;
/** … and counts as gone when it has not for this long. */
const SILENCE_MS = 60_000;

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Who keeps the lock held: its process, or the program that a killed one left running (npm, apt); null when nobody does. */
function keeper(file, text) {
  const holder = JSON.parse(text);
  if (holder.idSpace !== idSpace()) {
    const silence = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    return silence < SILENCE_MS ? `another machine or container (${holder.idSpace})` : null;
  }
  if (isRunning(holder.process)) return `process ${holder.process.pid}`;
  if (holder.child && isRunning(holder.child))
    return `process ${holder.child.pid}, left by an interrupted set-up`;
  return null;
}

/** Takes a dead holder's lock away. Renaming lets only one of several waiters do it; a lock that is not the dead one's goes back. */
function clear(file, text) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
    if (read(aside) !== text) linkSync(aside, file);
  } catch {
    // another waiter was faster
  }
  rmSync(aside, { force: true });
}

/**
 * Runs `body` while holding the lock file, waiting for a holder that is alive and clearing away one that is not.
 * `body` gets `follow(child)`: tells whose end the next holder must wait for, should this process be killed.
 */
export async function withLock(file, body, { log = console.error, pollMs = 200 } = {}) {
  const me = {
    idSpace: idSpace(),
    process: markOf(process.pid),
    child: null,
  };
  const draft = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  for (;;) {
    try {
      // Linked into place complete: a reader never meets a half-written lock.
      writeFileSync(draft, JSON.stringify(me));
      linkSync(draft, file);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    const text = read(file);
    if (text === null) continue;
    const who = keeper(file, text);
    if (who === null) {
      clear(file, text);
      continue;
    }
    if (!told) log(`waiting for ${who}, which is setting up (${file})`);
    told = true;
    await sleep(pollMs);
  }
  const release = () => rmSync(file, { force: true });
  const beat = setInterval(() => utimesSync(file, new Date(), new Date()), BEAT_MS);
  beat.unref();
  process.once('exit', release);
  try {
    return await body((child) => {
      if (child.pid === undefined) return;
      me.child = markOf(child.pid);
      writeFileSync(draft, JSON.stringify(me));
      renameSync(draft, file);
    });
  } finally {
    clearInterval(beat);
    process.off('exit', release);
    release();
  }
}
