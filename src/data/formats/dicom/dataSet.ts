import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet } from 'dicom-parser';
import { DataError } from '../../../errors.js';
import { TAGS } from './tags.js';
import { transferSyntaxName } from './transferSyntax.js';

/** Deflate never shrinks more. */
const MOST_DEFLATE_GAIN = 1032;
const PREAMBLE = 128;
const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';

/** The attributes of a DICOM file that every reader here needs. */
export interface DicomFile {
  readonly dataSet: DataSet;
  readonly syntax: string;
  readonly name: string;
}

/** Whether a file's first bytes are DICOM's: a preamble and DICM, or a data set without them that begins as images do. */
export function isDicomHead(head: Buffer): boolean {
  return hasPreamble(head) || bareSyntax(head) !== undefined;
}

/**
 * Takes a DICOM file apart, with or without the preamble that standard files begin with.
 *
 * @param untilTag stop there, for headers
 * @throws DataError if the bytes are no DICOM, or truncated
 */
export function parseDicom(bytes: Buffer, name: string, untilTag?: string): DicomFile {
  const bare = hasPreamble(bytes) ? undefined : bareSyntax(bytes);
  const withMeta =
    bare === 'meta' ? Buffer.concat([Buffer.alloc(PREAMBLE), Buffer.from('DICM'), bytes]) : bytes;
  const syntaxOfBare = bare === 'meta' ? undefined : bare;
  try {
    const dataSet = dicomParser.parseDicom(withMeta, {
      untilTag,
      TransferSyntaxUID: syntaxOfBare,
      inflater: inflateAfter,
    });
    const syntax = dataSet.string(TAGS.transferSyntax) ?? syntaxOfBare ?? IMPLICIT;
    return { dataSet, syntax, name };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw damaged(name, reasonOf(error));
  }
}

/** What went wrong, of the errors and strings that parsers and codecs throw. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const { exception } = (error ?? {}) as { exception?: unknown };
  return String(exception ?? error).replace(/^dicomParser\.\w+: /, '');
}

export function damaged(name: string, reason: string): DataError {
  return new DataError(
    `${name}: cannot be read as DICOM (${reason}). The file is truncated or damaged: copy it again or leave it out.`,
  );
}

/** Throws a DataError about this file that names its transfer syntax. */
export function refuse(
  { name, syntax }: Pick<DicomFile, 'name' | 'syntax'>,
  problem: string,
  fix: string,
): never {
  throw new DataError(`${name}: ${problem} (transfer syntax ${transferSyntaxName(syntax)}). ${fix}`);
}

function hasPreamble(bytes: Buffer): boolean {
  return bytes.toString('latin1', PREAMBLE, PREAMBLE + 4) === 'DICM';
}

/**
 * How a data set without a preamble is written, or `meta` where it begins with the group of the preamble's header; undefined
 * if the bytes do not begin like a data set of an image, which is with group 0008.
 */
function bareSyntax(bytes: Buffer): string | undefined {
  if (bytes.length < 16) return undefined;
  const [group, element] = [bytes.readUInt16LE(0), bytes.readUInt16LE(2)];
  const explicit = /^[A-Z]{2}$/.test(bytes.toString('latin1', 4, 6));
  if (group === 2 && element <= 0x10 && explicit) return 'meta';
  if (group !== 8 || element > 0x70) return undefined;
  if (explicit) return EXPLICIT;
  return bytes.readUInt32LE(4) <= 64 ? IMPLICIT : undefined;
}

/** What dicom-parser asks for: the same bytes with all that follows `position` inflated. */
function inflateAfter(bytes: Uint8Array, position: number): Uint8Array {
  const deflated = bytes.subarray(position);
  const inflated = inflateRawSync(deflated, {
    maxOutputLength: Math.min(MOST_DEFLATE_GAIN * deflated.length + 1024, 2 ** 31),
  });
  return Buffer.concat([bytes.subarray(0, position), inflated]);
}
