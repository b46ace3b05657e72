import { inflateRawSync } from 'node:zlib';
import dicomParser, { type ByteStream, type DataSet, type Element } from 'dicom-parser';
import { DataError, SettingNeeded } from '../../../errors.js';
import { MAX_BYTES } from '../limits.js';
import { encodingAt, isBareDataSet, metaStart, plainSyntax } from './encoding.js';
import { TAGS } from './tags.js';
import { transferSyntax, transferSyntaxName } from './transferSyntax.js';

/** The attributes of a DICOM file that every reader here needs. */
export interface DicomFile {
  /** All elements before the pixel data, and the beginning of these. */
  readonly dataSet: DataSet;
  /** The transfer syntax that the file names; that of its encoding where it names none. */
  readonly syntax: string;
  /** The order of the bytes as it was found, whatever the file names. */
  readonly bigEndian: boolean;
  /** Whether positions in the data set are those of inflated bytes and not of the file. */
  readonly inflated: boolean;
  readonly name: string;
}

/** The package's types leave its constructor out. */
const { DataSet: NewDataSet } = dicomParser as unknown as {
  DataSet: new (
    parser: typeof dicomParser.littleEndianByteArrayParser,
    bytes: Uint8Array,
    elements: Record<string, Element>,
  ) => DataSet;
};

/**
 * Takes a DICOM file apart up to its pixel data, with or without the preamble that standard files begin with. The
 * encoding of the elements is the one found, which some files name wrongly or not at all.
 *
 * @param bytes the file, or as much of its beginning as holds all before the pixel data
 * @param maxBytes the most bytes that a deflated data set may have
 * @throws DataError if the bytes are no DICOM, or truncated
 */
export function parseDicom(bytes: Buffer, name: string, maxBytes = MAX_BYTES): DicomFile {
  const start = metaStart(bytes);
  if (start === undefined && !isBareDataSet(bytes)) {
    throw new DataError(`${name}: does not begin as a DICOM file does. Name an image, or leave it out.`);
  }
  try {
    const meta = start === undefined ? { end: 0 } : readMeta(bytes, start);
    const isPlain = encodingAt(bytes, meta.end)?.explicit === true;
    const inflated = meta.syntax !== undefined && transferSyntax(meta.syntax).deflated === true && !isPlain;
    const body = inflated ? inflateAfter(bytes, meta.end, name, maxBytes) : bytes;
    const encoding = encodingAt(body, meta.end) ?? { explicit: true, bigEndian: false };
    const parser = encoding.bigEndian
      ? dicomParser.bigEndianByteArrayParser
      : dicomParser.littleEndianByteArrayParser;
    const elements: Record<string, Element> = {};
    const stream = new dicomParser.ByteStream(parser, body, meta.end);
    while (stream.position < body.length && elements[TAGS.pixelData] === undefined) {
      const element = readElement(stream, encoding.explicit, TAGS.pixelData);
      elements[element.tag] = element;
    }
    if (stream.position > body.length) throw new Error('an element goes on after the end of the file');
    return {
      dataSet: new NewDataSet(parser, body, elements),
      syntax: meta.syntax ?? plainSyntax(encoding),
      bigEndian: encoding.bigEndian,
      inflated,
      name,
    };
  } catch (error) {
    throw error instanceof DataError ? error : damaged(name, reasonOf(error));
  }
}

/** Reads the group 0002 from `start`, for the transfer syntax and for where the data set begins. */
function readMeta(bytes: Buffer, start: number): { syntax?: string; end: number } {
  const stream = new dicomParser.ByteStream(dicomParser.littleEndianByteArrayParser, bytes, start);
  // Meta information is explicit by the standard, but not in all files.
  const explicit = encodingAt(bytes, start)?.explicit ?? true;
  let syntax: string | undefined;
  while (stream.position + 8 <= bytes.length && bytes.readUInt16LE(stream.position) === 2) {
    const { tag, dataOffset, length } = readElement(stream, explicit);
    if (tag !== TAGS.transferSyntax) continue;
    syntax = dicomParser.readFixedString(bytes, dataOffset, length).trim() || undefined;
  }
  return { syntax, end: stream.position };
}

/** The value representations of 64 bits, which dicom-parser does not know: their length takes four bytes. */
const WIDE: ReadonlySet<string> = new Set(['OV', 'SV', 'UV']);

function readElement(stream: ByteStream, explicit: boolean, untilTag?: string): Element {
  if (!explicit) return dicomParser.readDicomElementImplicit(stream, untilTag);
  const vr = String.fromCharCode(...stream.byteArray.subarray(stream.position + 4, stream.position + 6));
  if (!WIDE.has(vr)) return dicomParser.readDicomElementExplicit(stream, [], untilTag);
  const tag = dicomParser.readTag(stream);
  stream.seek(4);
  const length = stream.readUint32();
  const dataOffset = stream.position;
  stream.seek(length);
  return { tag, vr, length, dataOffset };
}

/**
 * Gives the words of parsers that throw errors or strings. C++ throws addresses, which say nothing, as do the errors of
 * JavaScript and WebAssembly where a value is not there.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof TypeError || error instanceof RangeError) return 'a value is missing or cut off';
  if (error instanceof Error && error.name === 'RuntimeError') return 'the decoder gave up';
  if (error instanceof Error) return error.message;
  if (typeof error === 'number') return 'the decoder gave up';
  return String(error).replace(/^dicomParser\.[\w.]+: /, '');
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

/** Inflates all bytes after `position` and keeps those before. */
function inflateAfter(bytes: Buffer, position: number, name: string, maxBytes: number): Buffer {
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
