/** Tells whether the files that images come from are still those that were opened. */
import { type BigIntStats, closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { DataError } from '../../errors.js';
import { isSystemError } from '../../files.js';

/** The state of a file that changes when its content is written to: inode, length in bytes and time of change. */
export function fileState(path: string): string {
  return stateOf(statSync(path, { bigint: true }));
}

/** The same, from what is known of the file. */
export function stateOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}

/**
 * Holds a file that is mapped into memory. A file that is deleted, or replaced by another of its name, stays mapped as
 * it was; one that is written to does not.
 */
export class MappedFile {
  readonly #path: string;
  readonly #state: string;
  readonly #file: number;

  /**
   * @param state of the file when its content was checked
   * @throws DataError when the file has another state by now
   */
  constructor(path: string, state: string) {
    this.#path = path;
    this.#state = state;
    this.#file = openSync(path, 'r');
    this.check();
  }

  /** @throws DataError when the file was written to */
  check(): void {
    if (stateOf(fstatSync(this.#file, { bigint: true })) !== this.#state) throw changed(this.#path);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Remembers files that are read by their names, again and again. */
export class ReadFiles {
  readonly #states: ReadonlyMap<string, string>;

  constructor(paths: Iterable<string>) {
    this.#states = new Map([...new Set(paths)].map((path) => [path, fileState(path)]));
  }

  /** @throws DataError naming the first file that was written to, replaced or deleted */
  check(): void {
    for (const [path, state] of this.#states) if (stateNow(path) !== state) throw changed(path);
  }
}

function stateNow(path: string): string | undefined {
  try {
    return fileState(path);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

function changed(path: string): DataError {
  return new DataError(
    `${path} was changed while its images were in use, so what was computed from them is not kept. Put the file back as it was, leave it alone while it is read, and give the same command again.`,
  );
}
