import { open, readFile } from 'node:fs/promises';
import { DataError } from '../../errors.js';
import { regularFile, unreadable } from '../regularFile.js';
import type { FileSource, MemberSource } from '../sample.js';

/** Reads all bytes of a file, or of a member of an archive. */
export async function readBytes(source: FileSource | MemberSource): Promise<Buffer> {
  if (source.kind === 'file') {
    await regularFile(source.path);
    return readFile(source.path).catch(unreadable(source.path));
  }
  const { path, offset, length } = source;
  const bytes = await readRange(path, offset, length);
  if (bytes.length < length) {
    throw new DataError(
      `${sourceName(source)}: the archive ends ${length - bytes.length} bytes before the member does. It is truncated or ` +
        'was changed since it was listed: copy it again.',
    );
  }
  return bytes;
}

/** Reads the first bytes of a file; fewer than `length` only where the file ends. */
export async function readHead(path: string, length: number): Promise<Buffer> {
  return readRange(path, 0, length);
}

/** Names a source for messages. */
export function sourceName(source: FileSource | MemberSource): string {
  return source.kind === 'file' ? source.path : `${source.path}: ${source.name}`;
}

/** Reads a part of a file. It allocates no more than the file holds, whatever length is asked for. */
export async function readRange(path: string, offset: number, length: number): Promise<Buffer> {
  return withFile(path, (read) => read(offset, length));
}

/**
 * Opens a file for reads of parts of it, and closes it again.
 *
 * @param use gets a function that reads `length` bytes from `offset` on; fewer only where the file ends
 */
export async function withFile<Result>(
  path: string,
  use: (read: (offset: number, length: number) => Promise<Buffer>) => Promise<Result>,
): Promise<Result> {
  await regularFile(path);
  const file = await open(path).catch(unreadable(path));
  try {
    const { size } = await file.stat().catch(unreadable(path));
    return await use(async (offset, length) => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file
          .read(bytes, filled, bytes.length - filled, offset + filled)
          .catch(unreadable(path));
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    });
  } finally {
    await file.close();
  }
}
