import { inflateRawSync } from 'node:zlib';
import dicomParser, { type DataSet } from 'dicom-parser';
import { DataError, SettingNeeded } from '../../../errors.js';
import { MAX_BYTES } from '../limits.js';
import { bareSyntax, hasPreamble, IMPLICIT, PREAMBLE } from './preamble.js';
import { TAGS } from './tags.js';
import { transferSyntaxName } from './transferSyntax.js';

/** The attributes of a DICOM file that every reader here needs. */
export interface DicomFile {
  readonly dataSet: DataSet;
  readonly syntax: string;
  readonly name: string;
}

/**
 * Takes a DICOM file apart, with or without the preamble that standard files begin with.
 *
 * @param untilTag the tag to stop at, where only the header is wanted
 * @param maxBytes the most bytes that a deflated data set may have
 * @throws DataError if the bytes are no DICOM, or truncated
 */
export function parseDicom(bytes: Buffer, name: string, untilTag?: string, maxBytes = MAX_BYTES): DicomFile {
  const bare = hasPreamble(bytes) ? undefined : bareSyntax(bytes);
  const withMeta =
    bare === 'meta' ? Buffer.concat([Buffer.alloc(PREAMBLE), Buffer.from('DICM'), bytes]) : bytes;
  const syntaxOfBare = bare === 'meta' ? undefined : bare;
  try {
    const dataSet = dicomParser.parseDicom(withMeta, {
      untilTag,
      TransferSyntaxUID: syntaxOfBare,
      inflater: (all, position) => inflateAfter(all, position, name, maxBytes),
    });
    const syntax = dataSet.string(TAGS.transferSyntax) ?? syntaxOfBare ?? IMPLICIT;
    return { dataSet, syntax, name };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw damaged(name, reasonOf(error));
  }
}

/** Gives the words of parsers that throw errors or strings. C++ throws addresses, which say nothing. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'number') return 'the decoder gave up';
  // dicom-parser wraps a string together with all that it had read until then.
  const { exception } = (error ?? {}) as { exception?: unknown };
  return String(exception ?? error).replace(/^dicomParser\.[\w.]+: /, '');
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

/** Inflates all bytes after `position` and keeps those before, as dicom-parser asks for. */
function inflateAfter(bytes: Uint8Array, position: number, name: string, maxBytes: number): Uint8Array {
  const deflated = bytes.subarray(position);
  try {
    const inflated = inflateRawSync(deflated, { maxOutputLength: maxBytes });
    return Buffer.concat([bytes.subarray(0, position), inflated]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error;
    throw new SettingNeeded(
      `${name}: the deflated data set holds more than ${maxBytes} bytes, which data.maxBytes allows. If the file is sound, ` +
        `raise the limit: --set data.maxBytes=${2 * maxBytes}.`,
      'data.maxBytes',
    );
  }
}
