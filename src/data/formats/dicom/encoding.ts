/** The number of bytes before the letters DICM. */
const PREAMBLE = 128;

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const BIG_ENDIAN = '1.2.840.10008.1.2.2';

/** The value representations of the standard (PS3.5 6.2). */
const VALUE_REPRESENTATIONS: ReadonlySet<string> = new Set(
  'AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV'.split(
    ' ',
  ),
);

/** The way in which the elements of a data set are written. */
export interface Encoding {
  /** Whether each element names its value representation. */
  readonly explicit: boolean;
  readonly bigEndian: boolean;
}

/**
 * Tells the encoding by the first element that stands at `at`. Files whose transfer syntax is absent or wrong are
 * common, and the bytes themselves leave no doubt: groups are small numbers, and value representations are known.
 *
 * @returns undefined where there is no element
 */
export function encodingAt(bytes: Buffer, at: number): Encoding | undefined {
  if (bytes.length < at + 8) return undefined;
  return {
    explicit: VALUE_REPRESENTATIONS.has(bytes.toString('latin1', at + 4, at + 6)),
    bigEndian: bytes.readUInt16BE(at) < bytes.readUInt16LE(at),
  };
}

/** Gives the transfer syntax of uncompressed pixels in this encoding. */
export function plainSyntax({ explicit, bigEndian }: Encoding): string {
  if (!explicit) return IMPLICIT;
  return bigEndian ? BIG_ENDIAN : EXPLICIT;
}

/**
 * Tells whether a file's first bytes are DICOM's: a preamble and DICM, or a data set without them that begins as
 * images do.
 */
export function isDicomHead(head: Buffer): boolean {
  return metaStart(head) !== undefined || isBareDataSet(head);
}

/** Finds the first byte of the file meta information, with or without a preamble; undefined where there is none. */
export function metaStart(bytes: Buffer): number | undefined {
  if (bytes.toString('latin1', PREAMBLE, PREAMBLE + 4) === 'DICM') return PREAMBLE + 4;
  if (bytes.length < 16 || encodingAt(bytes, 0)?.explicit !== true) return undefined;
  return bytes.readUInt16LE(0) === 2 && bytes.readUInt16LE(2) <= 0x10 ? 0 : undefined;
}

/** Tells whether the bytes begin like the data set of an image, which is with group 0008. */
export function isBareDataSet(bytes: Buffer): boolean {
  const encoding = bytes.length < 16 ? undefined : encodingAt(bytes, 0);
  if (encoding === undefined) return false;
  const number = (at: number) => (encoding.bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at));
  if (number(0) !== 8 || number(2) > 0x70) return false;
  return encoding.explicit || (!encoding.bigEndian && bytes.readUInt32LE(4) <= 64);
}
