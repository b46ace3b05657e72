/** The files of volumes, which the page gets as they are. */
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { stateOf } from '../../data/cache/unchanged.js';
import { regularFile, unreadable } from '../../data/regularFile.js';
import { DataError } from '../../errors.js';

/** A browser holds a volume in memory, unzipped and once more for the graphics card. Larger ones are not sent. */
export const MOST_BYTES = 2 ** 29;

/** Where a volume lies. It is never told to the page. */
export interface VolumePlace {
  readonly path: string;
  /** Of the file when the run's images were read from it; undefined where it was not there. */
  readonly state: string | undefined;
}

/** @returns the length of the file in bytes @throws DataError where it is gone, no file, or another than was read */
export async function requireVolume({ path, state }: VolumePlace): Promise<number> {
  const found = await regularFile(path);
  if (stateOf(found) !== state) throw changed(path);
  return Number(found.size);
}

/** @throws DataError where a volume is too large to be sent */
export function refuseLarge(path: string, bytes: number, how: string): void {
  if (bytes <= MOST_BYTES) return;
  throw new DataError(
    `${path}: is ${Math.ceil(bytes / 2 ** 20)} MiB ${how}; volumes above ${MOST_BYTES / 2 ** 20} MiB are not sent to the ` +
      'page. Look at its slices, or open the file in a viewer for volumes.',
  );
}

/** Opens a volume to be sent. @throws DataError as `requireVolume` and `refuseLarge` do */
export async function openVolume(
  place: VolumePlace,
): Promise<{ bytes: number; content: ReadableStream<Uint8Array> }> {
  const { path, state } = place;
  const bytes = await requireVolume(place); // before it is opened, as opening a pipe waits
  refuseLarge(path, bytes, 'long');
  const file = await open(path).catch(unreadable(path));
  if (stateOf(await file.stat({ bigint: true })) !== state) {
    await file.close();
    throw changed(path);
  }
  const content = Readable.toWeb(Readable.from(wholeOf(file, bytes, path))) as ReadableStream<Uint8Array>;
  return { bytes, content };
}

/** The file is closed at the end, also when nobody reads on. One that was cut fails, as the reader waits for the rest. */
async function* wholeOf(file: FileHandle, bytes: number, path: string): AsyncGenerator<Buffer> {
  let sent = 0;
  for await (const chunk of file.createReadStream({ end: bytes - 1 })) {
    sent += chunk.length;
    yield chunk;
  }
  if (sent < bytes) throw changed(path);
}

function changed(path: string): DataError {
  return new DataError(
    `${path}: was changed since the images of this run were read, so it may not show what they show. Put the file back ` +
      'as it was, or start anatomy serve again.',
  );
}
