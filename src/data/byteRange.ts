import { open } from 'node:fs/promises';
import { DataError } from '../errors.js';

/**
 * Bytes `offset` … `offset + length` of a file.
 * @param name of what lies there, for messages
 * @throws DataError if the file is gone or ends before
 */
export async function readByteRange(
  { path, offset }: Readonly<{ path: string; offset: number }>,
  length: number,
  name: string,
): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: Error) => {
    throw new DataError(`${path}: cannot be read: ${error.message}. Check the path and its permissions.`);
  });
  try {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) {
        throw new DataError(
          `${path}: ends at byte ${offset + filled}, expected ${name} up to byte ${offset + length}. Copy the file again.`,
        );
      }
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
