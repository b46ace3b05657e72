/** The number of bytes before the letters DICM. */
export const PREAMBLE = 128;
export const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';

/**
 * Tells whether a file's first bytes are DICOM's: a preamble and DICM, or a data set without them that begins as
 * images do.
 */
export function isDicomHead(head: Buffer): boolean {
  return hasPreamble(head) || bareSyntax(head) !== undefined;
}

export function hasPreamble(bytes: Buffer): boolean {
  return bytes.toString('latin1', PREAMBLE, PREAMBLE + 4) === 'DICM';
}

/**
 * Tells the encoding of a data set without a preamble. Gives `meta` where it begins with the group of the preamble's
 * header, and undefined if the bytes do not begin like a data set of an image, which is with group 0008.
 */
export function bareSyntax(bytes: Buffer): string | undefined {
  if (bytes.length < 16) return undefined;
  const [group, element] = [bytes.readUInt16LE(0), bytes.readUInt16LE(2)];
  const explicit = /^[A-Z]{2}$/.test(bytes.toString('latin1', 4, 6));
  if (group === 2 && element <= 0x10 && explicit) return 'meta';
  if (group !== 8 || element > 0x70) return undefined;
  if (explicit) return EXPLICIT;
  return bytes.readUInt32LE(4) <= 64 ? IMPLICIT : undefined;
}
