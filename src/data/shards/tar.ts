import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { DataError } from '../../errors.js';

/** A file within an uncompressed tar archive. */
export interface TarMember {
  readonly name: string;
  /** The position of the file's first byte within the archive. */
  readonly offset: number;
  readonly length: number;
  /** Whether it is a hard or a symbolic link, so that the content stands elsewhere. */
  readonly isLink?: boolean;
  /** The content of the file, where it was asked for. */
  readonly content?: Buffer;
}

const BLOCK = 512;
/** So many bytes are read at once: the headers of several small files, and little beyond the header of a large one. */
const WINDOW = 2 ** 16;
/** The most bytes of an extended header, which holds a name or a size. */
const MOST_HEADER = 2 ** 20;

/** The first bytes of compressed archives, by the tool that undoes the compression. */
const COMPRESSED: readonly (readonly [tool: string, magic: readonly number[]])[] = [
  ['gunzip', [0x1f, 0x8b]],
  ['unzstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['unxz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['bunzip2', [0x42, 0x5a, 0x68]],
];

/**
 * Lists the files in a tar archive (POSIX ustar and pax, GNU's long names) by its headers alone. Contents are passed
 * over, so a large archive is listed as quickly as the disk finds its headers. Folders and devices are left out.
 *
 * @param toRead tells, by the name of a file, whether its content is wanted too
 * @throws DataError naming the archive and the byte where it is truncated, damaged or not a tar, or the member that lies
 *   outside of the archive
 */
export function* listTar(
  path: string,
  toRead: (name: string) => boolean = () => false,
): Generator<TarMember> {
  const file = openArchive(path);
  try {
    const { size } = fstatSync(file);
    const read = windowReader(path, file, size);
    if (size > 0) refuseCompressed(path, read(0, Math.min(size, 8)));
    // The facts that an extension header gives of the file after it.
    let next: { name?: string; length?: number } = {};
    let position = 0;
    for (;;) {
      if (position + BLOCK > size) throw damaged(path, position, 'it ends without its end mark');
      const header = read(position, BLOCK);
      if (header.every((byte) => byte === 0)) return;
      const type = checkHeader(header) ? String.fromCharCode(header[156]!) : undefined;
      const written = sizeField(header);
      if (type === undefined || written === undefined)
        throw damaged(path, position, 'no tar header is there');
      const isFile = type === '0' || type === '\0' || type === '7';
      const length = isFile ? (next.length ?? written) : written;
      const offset = position + BLOCK;
      if (offset + length > size) {
        const name = isFile ? (next.name ?? nameField(header)) : 'a header';
        throw damaged(path, position, `${name} is ${length} bytes, and ${Math.max(0, size - offset)} follow`);
      }
      if ((type === 'x' || type === 'L') && length > MOST_HEADER) {
        throw damaged(path, position, `an extended header of ${length} bytes`);
      }
      if (type === 'x') next = { ...next, ...paxFields(path, position, read(offset, length)) };
      else if (type === 'L') next = { ...next, name: textUpToZero(read(offset, length)) };
      else if (type !== 'g' && type !== 'K') {
        const name = next.name ?? nameField(header);
        refuseOutside(path, name);
        if (isFile) {
          yield {
            name,
            offset,
            length,
            content: toRead(name) ? Buffer.from(read(offset, length)) : undefined,
          };
        } else if (type === '1' || type === '2') yield { name, offset, length: 0, isLink: true };
        next = {};
      }
      position = offset + Math.ceil(length / BLOCK) * BLOCK;
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Makes the function that reads bytes of an archive. What it gives holds until the next call; where much is asked for,
 * it is the caller's own.
 */
function windowReader(path: string, file: number, size: number): (offset: number, length: number) => Buffer {
  const fill = (bytes: Buffer, offset: number): Buffer => {
    let filled = 0;
    while (filled < bytes.length) {
      const got = readSync(file, bytes, filled, bytes.length - filled, offset + filled);
      if (got === 0) throw damaged(path, offset, 'it became shorter while it was read');
      filled += got;
    }
    return bytes;
  };
  const window = Buffer.alloc(Math.min(size, WINDOW));
  let start = 0;
  let end = 0;
  return (offset, length) => {
    if (length > WINDOW) return fill(Buffer.alloc(length), offset);
    if (offset < start || offset + length > end) {
      start = offset;
      end = Math.min(offset + WINDOW, size);
      fill(window.subarray(0, end - start), offset);
    }
    return window.subarray(offset - start, offset - start + length);
  };
}

/** No honest archive names a place outside of the folder that it is unpacked in. */
function refuseOutside(path: string, name: string): void {
  if (!/^([/\\]|[a-z]:[\\/])|(^|[/\\])\.\.([/\\]|$)/i.test(name)) return;
  throw new DataError(
    `${path}: ${JSON.stringify(name)}: names a place outside of the archive. Make it again with relative names.`,
  );
}

function openArchive(path: string): number {
  try {
    // Opening a pipe waits for somebody to write into it.
    if (!statSync(path).isFile()) throw new Error('it is no regular file');
    return openSync(path, 'r');
  } catch (error) {
    throw new DataError(
      `${path}: cannot be read: ${(error as Error).message}. Check the path and its permissions.`,
    );
  }
}

function refuseCompressed(path: string, start: Buffer): void {
  const tool = COMPRESSED.find(([, magic]) => magic.every((byte, i) => start[i] === byte))?.[0];
  if (tool === undefined) return;
  throw new DataError(
    `${path}: is compressed; images are read from within an archive only if it is not. Undo it: ${tool} ${path}`,
  );
}

function damaged(path: string, position: number, problem: string): DataError {
  return new DataError(
    `${path}: is truncated, damaged or no tar archive: at byte ${position}, ${problem}. Copy or make it again.`,
  );
}

/** Checks the sum of the header's bytes, in which the bytes of the sum itself count as spaces. */
function checkHeader(header: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i += 1) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
  return octal(header.subarray(148, 156)) === sum;
}

function sizeField(header: Buffer): number | undefined {
  const field = header.subarray(124, 136);
  if (field[0] !== 0x80) return octal(field);
  const large = Number(field.readBigUInt64BE(4)); // GNU's binary form
  return Number.isSafeInteger(large) ? large : undefined;
}

function octal(field: Buffer): number | undefined {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(field.toString('latin1'))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function nameField(header: Buffer): string {
  const name = textUpToZero(header.subarray(0, 100));
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0';
  const folder = isPosix ? textUpToZero(header.subarray(345, 500)) : '';
  return folder === '' ? name : `${folder}/${name}`;
}

function textUpToZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

/** Reads records `LENGTH KEY=VALUE\n`. Only `path` and `size` matter here. */
function paxFields(path: string, position: number, bytes: Buffer): { name?: string; length?: number } {
  const found: { name?: string; length?: number } = {};
  for (let start = 0; start < bytes.length; ) {
    const space = bytes.indexOf(0x20, start);
    const length = space === -1 ? Number.NaN : Number(bytes.toString('latin1', start, space));
    const end = start + length;
    const record = /^([^=]+)=(.*)\n$/s.exec(bytes.toString('utf8', space + 1, end));
    if (!(length > 0) || end > bytes.length || record === null) {
      throw damaged(path, position, 'an extended header is malformed');
    }
    const [, key, value] = record;
    if (key === 'path') found.name = value;
    if (key === 'size') found.length = Number(value);
    start = end;
  }
  if (found.length !== undefined && !(Number.isSafeInteger(found.length) && found.length >= 0)) {
    throw damaged(path, position, 'an extended header gives no size');
  }
  return found;
}
