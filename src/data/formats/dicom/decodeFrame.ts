/** Gives the samples of one frame of a DICOM file, decompressed. */
import { DataError } from '../../../errors.js';
import { type DicomFile, damaged, reasonOf, refuse } from './dataSet.js';
import type { Fragment } from './fragments.js';
import { type JpegFrame, readJpegFrame } from './jpegHeader.js';
import { decodeJpegLossless } from './jpegLossless.js';
import type { PixelLayout } from './layout.js';
import { compressionOf, upToEnd } from './markers.js';
import { type PixelData, type RawFrames, refuseShort } from './pixelData.js';
import { decodeRle, type Samples } from './rle.js';
import { TAGS } from './tags.js';
import { type Compression, transferSyntax } from './transferSyntax.js';
import { jpeg8, jpeg2000, jpegLs, type WasmCodec } from './wasmCodec.js';

export interface DecodedFrame {
  /** The samples, interleaved. */
  readonly samples: Samples;
  /** The meaning of the samples, in DICOM's words. A decoder may have turned YCbCr into RGB. */
  readonly photometric: string;
}

/**
 * Gives the samples of one frame as they are stored, decompressed.
 *
 * @param frame one of the frames that the pixel data hold
 * @throws DataError if they are truncated or damaged, or of a transfer syntax that is not read
 */
export async function decodeFrame(
  file: DicomFile,
  { layout, frames, stored }: PixelData,
  frame: number,
): Promise<DecodedFrame> {
  const { pixels } = transferSyntax(file.syntax);
  if (pixels === undefined) {
    refuse(
      file,
      'the compression of the pixels is not read here',
      'Convert the file, for instance with gdcmconv --raw or dcmdjpeg.',
    );
  }
  if (stored.kind === 'raw') return rawFrame(file, stored, frame, frames, layout);
  const bytes = joined(file, stored.fragments[frame]!, frame, frames);
  try {
    const compression = compressionOf(bytes) ?? pixels;
    if (compression === 'raw') throw new Error('no compressed image begins here');
    const samples = await decompress(file, bytes, compression, layout);
    return { samples, photometric: decodedPhotometric(compression, layout) };
  } catch (error) {
    if (error instanceof DataError) throw error;
    return refuse(
      file,
      `frame ${frame} cannot be decoded: ${reasonOf(error)}`,
      'The file is truncated or damaged: copy it again or leave it out.',
    );
  }
}

/** Joins the fragments of one frame. */
function joined(file: DicomFile, fragments: readonly Fragment[], frame: number, frames: number): Buffer {
  const { byteArray } = file.dataSet;
  if (fragments.some(({ position, length }) => position + length > byteArray.length)) {
    throw damaged(file.name, 'a fragment of the pixel data goes on after the end of the file');
  }
  const bytes = Buffer.concat(
    fragments.map(({ position, length }) => byteArray.subarray(position, position + length)),
  );
  if (bytes.length > 0) return bytes;
  return refuse(
    file,
    `frame ${frame} of ${frames} has no pixel data`,
    'The file is truncated or damaged: copy it again.',
  );
}

/** Decompresses one frame. It throws whatever a decoder throws, and a DataError for a kind of JPEG that is not read. */
async function decompress(
  file: DicomFile,
  bytes: Buffer,
  compression: Compression,
  layout: PixelLayout,
): Promise<Samples> {
  if (compression === 'rle') return decodeRle(bytes, layout);
  const own = compression === 'jpeg-2000' ? readJpeg2000Shape(bytes) : readJpegFrame(bytes);
  if (compression === 'jpeg') refuseOtherJpeg(file, own as JpegFrame);
  // The image's own header is checked first, as decoders allocate by it.
  compareShape(own, layout);
  if (own.precision > layout.bits) {
    throw new Error(`its samples have ${own.precision} bits, and the DICOM header allots ${layout.bits}`);
  }
  const image = upToEnd(bytes);
  if (compression === 'jpeg-lossless') return decodeJpegLossless(image);
  if (compression === 'jpeg-ls') return decodeByWasm(jpegLs, image, layout);
  if (compression === 'jpeg-2000') return decodeByWasm(jpeg2000, image, layout);
  return decodeByWasm(jpeg8, prepareJpeg(image, layout), layout);
}

/** Gives the meaning of the samples when the decoder is done. */
function decodedPhotometric(compression: Compression, { photometric, samples }: PixelLayout): string {
  // libjpeg turns YCbCr into RGB.
  if (compression === 'jpeg' && samples === 3) return 'RGB';
  // These transforms are part of JPEG 2000 itself.
  if (compression === 'jpeg-2000' && /^YBR_(RCT|ICT)$/.test(photometric)) return 'RGB';
  return photometric;
}

function rawFrame(
  file: DicomFile,
  { from, length }: RawFrames,
  frame: number,
  frames: number,
  layout: PixelLayout,
): DecodedFrame {
  const { width, samples, bits, planar, photometric } = layout;
  // Two pixels side by side share their Cb and Cr.
  const shared = photometric === 'YBR_FULL_422';
  if (shared && width % 2 !== 0) {
    refuse(file, `YBR_FULL_422 with a width of ${width}`, 'Convert the file to RGB.');
  }
  const { byteArray, elements } = file.dataSet;
  // A file may say that it holds more bytes than are there.
  const there = byteArray.length - from;
  if (length * frames > there) refuseShort(file, layout, frames, there);
  const start = from + frame * length;
  const bytes = Uint8Array.from(byteArray.subarray(start, start + length));
  const words = bits === 16 || elements[TAGS.pixelData]?.vr === 'OW';
  if (file.bigEndian && words && bytes.length % 2 === 0) Buffer.from(bytes.buffer).swap16();
  const cells = bits === 16 ? new Uint16Array(bytes.buffer) : bytes;
  if (shared) return { samples: spreadColours(bytes), photometric: 'YBR_FULL' };
  return { samples: planar && samples === 3 ? interleave(cells) : cells, photometric };
}

/** Gives each of two pixels its colours: Y Y Cb Cr becomes Y Cb Cr, Y Cb Cr. */
function spreadColours(bytes: Uint8Array): Uint8Array {
  const spread = new Uint8Array((bytes.length / 2) * 3);
  for (let pair = 0; pair < bytes.length / 4; pair += 1) {
    const [first, second, blue, red] = bytes.subarray(4 * pair, 4 * pair + 4);
    spread.set([first!, blue!, red!, second!, blue!, red!], 6 * pair);
  }
  return spread;
}

/** Makes three planes colours side by side. */
function interleave(planes: Samples): Samples {
  const pixels = planes.length / 3;
  return planes.map((_, i) => planes[(i % 3) * pixels + Math.floor(i / 3)]!);
}

async function decodeByWasm(codec: WasmCodec, bytes: Uint8Array, layout: PixelLayout): Promise<Samples> {
  const decoded = await codec.decode(bytes);
  const { width, height, samples: count } = layout;
  // OpenJPEG says what is wrong on stderr alone.
  if (decoded.samples.length === 0) throw new Error('the decoder gave up');
  compareShape({ ...decoded, components: { length: decoded.components } }, layout);
  if (decoded.samples.length !== width * height * count) {
    throw new Error(`the decoder gave ${decoded.samples.length} samples, expected ${width * height * count}`);
  }
  return decoded.planar && count === 3 ? interleave(decoded.samples) : decoded.samples;
}

/** Throws the DataError of a sound lossy JPEG that the decoder does not know: it takes 8 bits and Huffman codes only. */
function refuseOtherJpeg(file: DicomFile, { process, precision }: JpegFrame): void {
  const CONVERT = 'Convert the file, for instance with gdcmconv --raw or dcmdjpeg.';
  const PROGRESSIVE = 0xc2;
  if (process > PROGRESSIVE)
    refuse(file, `JPEG of process ${process.toString(16)} is not read here`, CONVERT);
  if (precision === 12) refuse(file, 'lossy JPEG of 12 bits is not read here', CONVERT);
}

/**
 * Prepares a lossy JPEG image for the decoder, which takes 8 bits only. An image that does not say whether it is RGB
 * or YCbCr is what the DICOM header says; an Adobe segment then tells the decoder.
 */
function prepareJpeg(bytes: Uint8Array, layout: PixelLayout): Uint8Array {
  const { process, precision, namesColours } = readJpegFrame(bytes);
  if (precision !== 8 || process > 0xc2) {
    throw new Error(`JPEG process ${process.toString(16)} with ${precision} bits, expected 8 bits`);
  }
  const told = layout.photometric === 'RGB' && layout.samples === 3 && !namesColours;
  return told ? Buffer.concat([bytes.subarray(0, 2), ADOBE_RGB, bytes.subarray(2)]) : bytes;
}

/** Adobe's APP14 segment with colour transform 0, which means none. */
const ADOBE_RGB = Buffer.from([0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, 0]);

function compareShape(
  found: { width: number; height: number; components: { length: number } },
  { width, height, samples }: PixelLayout,
): void {
  if (found.width === width && found.height === height && found.components.length === samples) return;
  throw new Error(
    `the compressed image has ${found.width}×${found.height} pixels of ${found.components.length} samples, the DICOM header ` +
      `says ${width}×${height} of ${samples}`,
  );
}

/**
 * Reads the shape from the SIZ segment, the first of a JPEG 2000 codestream, which may stand in the boxes of a JP2
 * file.
 */
function readJpeg2000Shape(bytes: Uint8Array) {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = buffer.indexOf(Buffer.from([0xff, 0x4f, 0xff, 0x51]));
  if (at < 0 || buffer.length < at + 43) throw new Error('no JPEG 2000 codestream');
  const number = (offset: number) => buffer.readUInt32BE(at + offset);
  return {
    width: number(8) - number(16),
    height: number(12) - number(20),
    components: { length: buffer.readUInt16BE(at + 40) },
    precision: (buffer[at + 42]! & 127) + 1,
  };
}
