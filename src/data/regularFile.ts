import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { DataError } from '../errors.js';

/**
 * Gives the state of a file that can be read to its end, which a device or a pipe has not. Symbolic links are
 * followed.
 *
 * @throws DataError if there is no such file, or it is something else
 */
export async function regularFile(path: string): Promise<BigIntStats> {
  const found = await stat(path, { bigint: true }).catch(unreadable(path));
  if (found.isFile()) return found;
  const [what] = (
    [
      ['a folder', found.isDirectory()],
      ['a pipe', found.isFIFO()],
      ['a socket', found.isSocket()],
      ['a device', true],
    ] as const
  ).find(([, is]) => is)!;
  throw new DataError(`${path}: is ${what}, expected a file. Name the image itself, or leave it out.`);
}

/** Makes the error of a file that cannot be read. */
export function unreadable(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const reason = error.code === 'ENOENT' ? 'no such file' : error.message;
    throw new DataError(`${path}: cannot be read: ${reason}. Check the path and its permissions.`);
  };
}
