import { readByteRange } from './byteRange.js';
import type { MemberSource } from './sample.js';

/** The bytes of an image file within an archive. @throws DataError if the archive has become shorter */
export function readMember(source: MemberSource): Promise<Buffer> {
  return readByteRange(source, source.length, source.name);
}

/** How messages name it: `shards/pairs-000000.tar: 000017.a.png`. */
export function memberName({ path, name }: MemberSource): string {
  return `${path}: ${name}`;
}
