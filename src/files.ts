/** Writes files so that nobody ever meets a part of one. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';
import { AnatomyError, UsageError } from './errors.js';

/** The content of a file to write, whole or in pieces, so that a large file need not be joined in memory first. */
export type FileData = string | Uint8Array | Iterable<Uint8Array>;

/** The most bytes to write in one call. Linux writes at most 2 GiB; a quarter of that leaves nothing to chance. */
const largestWrite = 2 ** 29;

/**
 * Writes a file so that a reader, a crash or a power cut meets either the old content or the new one, never a part. A
 * temporary file in the same folder is filled, synced and renamed over the target, then the folder is synced.
 *
 * A failure removes the temporary file and leaves the old file as it was. A temporary file left by a killed process is
 * overwritten by the next process of the same id, which in a container is the usual case.
 */
export function writeFileAtomic(path: string, data: FileData): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${threadId}.tmp`);
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const piece of pieces(data)) writeFully(file, piece);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncFolder(folder);
  } catch (cause) {
    rmSync(temporary, { force: true });
    if (!isSystemError(cause)) throw cause; // the producer of `data` failed, not the disk
    throw new AnatomyError(`cannot write ${path}: ${cause.message}`, { cause });
  }
}

/**
 * Checks before the work that its results can be written to a folder: to the one that is there, or where it would be
 * made.
 *
 * @param folder the folder that `--out` names
 * @throws UsageError naming what stands in the way
 */
export function refuseUnwritable(folder: string): void {
  let place = resolve(folder);
  while (!existsSync(place)) place = dirname(place);
  if (!statSync(place).isDirectory()) {
    throw new UsageError(
      `--out ${folder}: ${place === resolve(folder) ? 'it' : place} is a file; choose a folder for --out`,
    );
  }
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `--out ${folder}: ${place} cannot be written to (${code}); choose another --out, or make it writable`,
    );
  }
}

/** Tells the errors that Node throws when the operating system refuses; their `code` is ENOENT, ENOSPC, EACCES, … */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function pieces(data: FileData): Iterable<Uint8Array> {
  if (typeof data === 'string') return [Buffer.from(data, 'utf8')];
  return data instanceof Uint8Array ? [data] : data;
}

function writeFully(file: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, largestWrite));
  }
}

/** Makes renames and new names in a folder last through a power cut. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return; // a folder cannot be opened there
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } catch (error) {
    // Some network file systems cannot sync a folder. After a power cut a name may then be missing, but no file is
    // incomplete.
    if (!isSystemError(error) || !['EINVAL', 'ENOTSUP'].includes(error.code ?? '')) throw error;
  } finally {
    closeSync(handle);
  }
}
