/** Folders that appear and disappear in one step, whatever crashes or other processes do meanwhile. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { AnatomyError } from '../../errors.js';
import { isSystemError } from '../../files.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const TEMPORARY = /\.tmp-(.+)-(\d+)-[0-9a-f]{12}$/;

/** The folder of all caches: `$XDG_CACHE_HOME/anatomy-ssl`, else `~/.cache/anatomy-ssl`. */
export function defaultCacheRoot(): string {
  const base = process.env.XDG_CACHE_HOME;
  // The XDG specification says to ignore a relative path.
  const cache = base !== undefined && path.isAbsolute(base) ? base : path.join(homedir(), '.cache');
  return path.join(cache, 'anatomy-ssl');
}

/**
 * Makes a new, empty folder beside `folder` that carries the name of this process.
 * @param mode the permissions, before the umask; default: those of any folder
 */
export async function makeTemporary(folder: string, mode = 0o777): Promise<string> {
  const temporary = temporaryName(folder);
  await mkdir(path.dirname(temporary), { recursive: true });
  await mkdir(temporary, { mode }); // and fails where something is
  return temporary;
}

/** The permissions of the cache's folders: pixels, ids and places are for nobody else's eyes. */
export const PRIVATE_FOLDER = 0o700;

/**
 * Makes a folder of the cache that only its owner may read and write. One that is there and allows more, as older
 * versions made them, is closed to others.
 *
 * @throws AnatomyError where the folder belongs to somebody else, who could put other images there
 */
export function makePrivateFolder(folder: string): void {
  const use = 'set XDG_CACHE_HOME, or data.cacheFolder, to a folder of your own';
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
    const { uid, mode } = statSync(folder);
    const me = process.getuid?.();
    if (me === undefined) return; // no such permissions there
    if (uid !== me) {
      throw new AnatomyError(
        `The cache folder ${folder} belongs to another user (${uid}, not ${me}), who could change the images in it; ${use}.`,
      );
    }
    if ((mode & 0o077) !== 0) chmodSync(folder, PRIVATE_FOLDER);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AnatomyError(
      `The image cache cannot be written to ${folder}: ${error.message}. Make the folder writable, or ${use}.`,
    );
  }
}

/** Gives a finished folder its name in one step. Returns false if another process was first. */
export async function publish(temporary: string, folder: string): Promise<boolean> {
  try {
    await rename(temporary, folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Gives a finished folder the name of one that may be there. The old one goes only when the new one is in its place.
 */
export async function replaceFolder(folder: string, complete: string): Promise<void> {
  if (!existsSync(folder)) return rename(complete, folder);
  const old = await mkdtemp(`${path.resolve(folder)}.old-`);
  await rename(folder, path.join(old, 'replaced'));
  await rename(complete, folder);
  await rm(old, { recursive: true, force: true });
}

/**
 * Removes a damaged folder, but only the one that was looked at: another process may have put a sound one there since.
 * It is moved away first, so that nobody ever sees it half removed.
 */
export async function discard(folder: string, inode: bigint): Promise<void> {
  const now = await stat(folder, { bigint: true }).catch(() => undefined);
  if (now?.ino !== inode) return;
  const away = temporaryName(folder);
  await rename(folder, away);
  await rm(away, { recursive: true, force: true });
}

/**
 * Removes temporary folders that processes left behind when they died in mid-write: those of this host whose process
 * is gone, and any that nothing was written to for a day (another host's, or of a process number that is in use
 * again).
 */
export async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, host, pid] = TEMPORARY.exec(name) ?? [];
    if (host === undefined) continue;
    const folder = path.join(parent, name);
    const abandoned = host === hostname() && !isAlive(Number(pid));
    if (abandoned || (await lastWritten(folder)) < Date.now() - DAY_MS) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined); // another process sweeps too
    }
  }
}

function temporaryName(folder: string): string {
  return `${folder}.tmp-${hostname()}-${process.pid}-${randomBytes(6).toString('hex')}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // EPERM: it is alive, but another user's
  }
}

/**
 * The time of the last write to the folder or a file in it, in milliseconds since 1970; now, if it is gone meanwhile.
 */
async function lastWritten(folder: string): Promise<number> {
  try {
    const names = await readdir(folder);
    const times = await Promise.all(
      ['.', ...names].map(async (name) => (await stat(path.join(folder, name))).mtimeMs),
    );
    return Math.max(...times);
  } catch {
    return Date.now();
  }
}
