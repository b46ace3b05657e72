/** Writes files so that nobody ever meets a part of one. */
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { idSpace, isRunning } from '../tools/processes.mjs';
import { AnatomyError, UsageError } from './errors.js';

/** The content of a file to write, whole or in pieces, so that a large file need not be joined in memory first. */
export type FileData = string | Uint8Array | Iterable<Uint8Array>;

/** The most bytes to write in one call. Linux writes at most 2 GiB; a quarter of that leaves nothing to chance. */
const largestWrite = 2 ** 29;

/** The mode of files that only their owner may read: those that hold ids, places or a key. */
export const PRIVATE = 0o600;

export interface WriteOptions {
  /** The permissions of the file, before the umask; default: those of any file. */
  readonly mode?: number;
}

/**
 * Writes a file so that a reader, a crash or a power cut meets either the old content or the new one, never a part. A
 * temporary file in the same folder is filled, synced and renamed over the target, then the folder is synced. Nobody
 * can guess its name, and it is opened only where nothing is: a link planted there cannot lead the content elsewhere.
 *
 * A failure removes the temporary file and leaves the old file as it was. Temporary files that killed processes left
 * of this file are removed.
 *
 * @throws AnatomyError naming the file, where the system refuses
 */
export function writeFileAtomic(path: string, data: FileData, options?: WriteOptions): void {
  const file = new FileInProgress(path, options);
  try {
    for (const piece of pieces(data)) file.write(piece);
    file.complete();
  } catch (cause) {
    file.abandon();
    throw cause; // of the disk, or of the producer of `data`
  }
}

/**
 * A file that is written piece by piece, as {@link writeFileAtomic} writes: the name holds the old content until
 * `complete`, and a failure or `abandon` leaves it as it was.
 */
export class FileInProgress {
  readonly path: string;
  readonly #temporary: string;
  #file: number | undefined;

  constructor(path: string, { mode = 0o666 }: WriteOptions = {}) {
    this.path = path;
    this.#temporary = temporaryFile(path);
    namingFile(path, () => {
      sweepTemporaries(dirname(path), basename(path));
      this.#file = openSync(this.#temporary, 'wx', mode);
    });
  }

  write(bytes: Uint8Array): void {
    namingFile(this.path, () => writeFully(this.#file!, bytes));
  }

  /** Puts the file in its place. */
  complete(): void {
    namingFile(this.path, () => {
      fsyncSync(this.#file!);
      this.#close();
      renameSync(this.#temporary, this.path);
      syncFolder(dirname(this.path));
    });
  }

  /** Removes what was written. After `complete` it does nothing. */
  abandon(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    closeSync(file);
  }
}

/** Runs `write`, whose system errors name no file, such as `ENOSPC: no space left on device, fsync`. */
export function namingFile<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new AnatomyError(`cannot write ${path}: ${cause.message}`, { cause });
  }
}

/** Matches a temporary file: target, process and what tells this machine's processes from another's. */
const TEMPORARY = /^\.(.*)\.([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.tmp$/;
const DAY_MS = 24 * 60 * 60 * 1000;

/** True for the name of a file that is being written, or that a killed process left. Older versions' names count. */
export function isTemporary(name: string): boolean {
  return /^\..*\.tmp$/.test(name);
}

/** A new name beside a file, for a content that is not complete yet. */
export function temporaryFile(path: string): string {
  const unique = `${spaceDigest()}-${process.pid}-${randomBytes(6).toString('hex')}`;
  return join(dirname(path), `.${shortened(basename(path))}.${unique}.tmp`);
}

/** Cuts a name, so that the name of the temporary file is no longer than file systems take (255 bytes). */
function shortened(name: string): string {
  return Buffer.from(name).subarray(0, 180).toString('utf8');
}

/** Tells processes of this machine, container and boot from others, whose ids mean nothing here. */
function spaceDigest(): string {
  space ??= createHash('sha256').update(idSpace()).digest('hex').slice(0, 8);
  return space;
}
let space: string | undefined;

/**
 * Removes the temporary files of processes that are gone, and those of other machines that were not written to for a
 * day.
 * @param target only those of the file of this name
 */
export function sweepTemporaries(folder: string, target?: string): void {
  if (!existsSync(folder)) return;
  const beginning = target === undefined ? '.' : `.${shortened(target)}.`;
  for (const name of readdirSync(folder)) {
    if (!isTemporary(name) || !name.startsWith(beginning)) continue;
    const [, , where, pid] = TEMPORARY.exec(name) ?? [];
    const file = join(folder, name);
    const gone = where === spaceDigest() && !isRunning({ pid: Number(pid), start: '' });
    if (gone || isOld(file)) rmSync(file, { force: true });
  }
}

function isOld(file: string): boolean {
  const state = statSync(file, { throwIfNoEntry: false });
  return state !== undefined && Math.abs(Date.now() - state.mtimeMs) > DAY_MS;
}

/**
 * Checks before the work that its results can be written to a folder: to the one that is there, or where it would be
 * made.
 *
 * @param folder the folder that the flag names
 * @throws UsageError naming what stands in the way
 */
export function refuseUnwritable(folder: string, flag = '--out'): void {
  refuseClosed(resolve(folder), folder, flag);
}

/**
 * Checks before the work that its result can be written to a file, as {@link refuseUnwritable} does for a folder.
 *
 * @param flag the flag that names the file
 * @throws UsageError naming what stands in the way
 */
export function refuseUnwritableFile(file: string, flag: string): void {
  refuseClosed(dirname(resolve(file)), file, flag);
}

/** Makes the folder of a file that the user named, where there is none. */
export function makeFolderOf(file: string): void {
  namingFile(file, () => mkdirSync(dirname(resolve(file)), { recursive: true }));
}

/**
 * Checks before the work that a file can be written and that nothing is lost by it.
 *
 * @param files the files that are made for `--out`
 * @throws UsageError naming the file that is there already, or what stands in the way
 */
export function refuseToReplace(files: readonly string[], out: string, overwrite: boolean): void {
  for (const file of files) refuseClosed(dirname(resolve(file)), out, '--out');
  const there = files.find((file) => existsSync(file));
  if (there === undefined || (overwrite && !statSync(there).isDirectory())) return;
  throw new UsageError(
    statSync(there).isDirectory()
      ? `--out ${out}: ${there === out ? 'it' : there} is a folder; choose another name for the file`
      : `--out ${out}: ${there === out ? 'it' : there} is there already; choose another, or replace it with --overwrite`,
  );
}

function refuseClosed(folder: string, named: string, flag: string): void {
  let place = folder;
  while (!existsSync(place)) place = dirname(place);
  if (!statSync(place).isDirectory()) {
    const it = place === resolve(named) ? 'it' : place;
    const fix = folder === resolve(named) ? `choose a folder for ${flag}` : `choose another ${flag}`;
    throw new UsageError(`${flag} ${named}: ${it} is a file; ${fix}`);
  }
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `${flag} ${named}: ${place} cannot be written to (${code}); choose another ${flag}, or make it writable`,
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
