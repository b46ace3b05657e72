/**
 * The room `data/formats/dicom` reads DICOM files. This file reads a header or decodes a frame; the others do parts
 * of it.
 */
import { AnatomyError, DataError } from '../../../errors.js';
import { readBytes, withFile } from '../fileBytes.js';
import { MAX_BYTES, refuseAbove } from '../limits.js';
import type { Box, Pixels } from '../pixels.js';
import { fromPalette, fromYbr } from './colour.js';
import { type DicomFile, damaged, parseDicom, reasonOf, refuse } from './dataSet.js';
import { type DecodedFrame, decodeFrame } from './decodeFrame.js';
import type { ReadAt } from './fragments.js';
import { type DicomGeometry, geometryOf } from './geometry.js';
import { bitsOf, layoutOf, type PixelLayout } from './layout.js';
import { type DicomNote, type PixelData, pixelDataOf } from './pixelData.js';
import { TAGS } from './tags.js';
import { itemsOf, meaningOf, type StoredBits, unpackBits } from './values.js';

/** The number of bytes that hold the header of most files. */
const HEAD = 2 ** 18;

export { parseDicom } from './dataSet.js';

/** The facts that are read of a DICOM file without its pixels. */
export interface DicomHeader {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  /** The number of bits stored of a sample. */
  readonly bits: number;
  readonly patientId?: string;
  /** The study instance UID. */
  readonly studyId?: string;
  /** Where the first and the last frame lie; a single frame is both, and stands once. */
  readonly geometry: readonly DicomGeometry[];
  /** What the header says and the pixel data do not bear out. */
  readonly notes: readonly DicomNote[];
}

/**
 * Reads the facts that a DICOM file gives of its images, patient and study.
 *
 * @throws DataError if the file is no DICOM or holds no image
 */
export async function readDicomHeader(path: string): Promise<DicomHeader> {
  return withFile(path, async (read) => {
    const { file, wholeFile } = await headerOf(path, read);
    return orDamaged(path, async () => {
      const { layout, frames, notes } = await pixelDataOf(file, wholeFile ? reading(file) : read);
      return {
        rows: layout.height,
        columns: layout.width,
        frames,
        bits: bitsOf(file).stored,
        patientId: file.dataSet.string(TAGS.patientId),
        studyId: file.dataSet.string(TAGS.studyId),
        geometry: [...new Set([0, frames - 1])].map((frame) => geometryOf(file.dataSet, frame)),
        notes,
      };
    });
  });
}

/** Reads width and height from the header. */
export async function dicomSize(bytes: Buffer, name: string): Promise<{ width: number; height: number }> {
  const file = parseDicom(bytes, name);
  const { width, height } = await orDamaged(name, () => layoutOf(file));
  return { width, height };
}

/** Reads of the bytes in memory. */
function reading({ dataSet: { byteArray } }: DicomFile): ReadAt {
  const bytes = Buffer.from(byteArray.buffer, byteArray.byteOffset, byteArray.length);
  return (offset, length) => bytes.subarray(offset, offset + length);
}

/**
 * Makes one error of the errors, strings and numbers that parser and decoders throw: all of them mean a damaged file.
 */
async function orDamaged<Result>(name: string, read: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof AnatomyError ? error : damaged(name, reasonOf(error));
  }
}

async function headerOf(
  path: string,
  read: (offset: number, length: number) => Promise<Buffer>,
): Promise<{ file: DicomFile; wholeFile: boolean }> {
  const head = await read(0, HEAD);
  try {
    const file = parseDicom(head, path);
    const whole = head.length < HEAD || file.inflated;
    if (file.dataSet.elements[TAGS.pixelData] !== undefined || whole) return { file, wholeFile: whole };
  } catch (error) {
    if (!(error instanceof DataError) || head.length < HEAD) throw error;
  }
  return { file: parseDicom(await readBytes({ kind: 'file', path }), path), wholeFile: true };
}

/**
 * Decodes one frame of a DICOM file: gray, palette, RGB or YCbCr of up to 16 bits, in the transfer syntaxes of
 * `transferSyntax.ts` that have a decoder. Rescale slope and intercept, or the modality table, are applied, and
 * windows are handed on. Gray images whose low values are bright (MONOCHROME1) are marked so. Pixel padding values
 * are values like others.
 *
 * @param frame the frame, counted from 0; if undefined, the file must hold one
 * @param maxBytes the most bytes that the frame may take
 * @throws DataError if the file is truncated or damaged, too large, or of a kind that is not read
 */
export async function decodeDicom(
  file: DicomFile,
  frame: number | undefined,
  maxBytes = MAX_BYTES,
): Promise<Pixels> {
  return orDamaged(file.name, async () => {
    const layout = layoutOf(file);
    const { width, height, samples, bits: allocated } = layout;
    // A compressed image may claim any size.
    const size = `${width}×${height} pixels of ${samples} × ${allocated} bits`;
    refuseAbove(maxBytes, width * height * samples * (allocated / 8), size, file.name);
    const pixelData = await inMemory(file);
    const bits = bitsOf(file);
    const index = chooseFrame(file, pixelData, frame);
    const decoded = await decodeFrame(file, pixelData, index);
    return { width, height, regions: regionsOf(file, layout), ...meaning(file, index, decoded, bits) };
  });
}

/** The pixel data of files in memory, so that the fragments of a cine loop are listed once and not for each frame. */
const located = new WeakMap<DicomFile, Promise<PixelData>>();

function inMemory(file: DicomFile): Promise<PixelData> {
  const found = located.get(file) ?? pixelDataOf(file, reading(file));
  located.set(file, found);
  return found;
}

function chooseFrame(file: DicomFile, { frames }: PixelData, frame: number | undefined): number {
  if (frame === undefined && frames > 1) {
    refuse(
      file,
      `holds ${frames} frames, expected one image`,
      'Name one of them, counted from 0, or save it as a file of its own.',
    );
  }
  const index = frame ?? 0;
  if (Number.isInteger(index) && index >= 0 && index < frames) return index;
  throw new DataError(`${file.name}: has no frame ${index}; it has ${frames}, counted from 0.`);
}

/** Makes gray values of samples, with the file's facts about them, or RGB. */
function meaning(
  { dataSet }: DicomFile,
  frame: number,
  { samples, photometric }: DecodedFrame,
  bits: StoredBits,
): Omit<Pixels, 'width' | 'height'> {
  const values = unpackBits(samples, bits);
  if (photometric.startsWith('MONOCHROME')) {
    const inverted = photometric === 'MONOCHROME1';
    return { channels: 1, ...meaningOf(dataSet, frame, values, bits), inverted };
  }
  if (photometric === 'PALETTE COLOR') {
    const { data, white } = fromPalette(dataSet, values, bits.signed);
    return { channels: 3, data, fullScale: [0, white] };
  }
  if (photometric === 'YBR_ICT' || photometric === 'YBR_RCT') {
    throw new Error(`${photometric} outside JPEG 2000`);
  }
  const data = photometric === 'RGB' ? values : fromYbr(values as Uint8Array);
  return { channels: 3, data, fullScale: [0, 2 ** bits.stored - 1] };
}

/** Reads the regions of tissue (B-mode) on an ultrasound screen (PS3.3 C.8.5.5), clipped to the image. */
function regionsOf({ dataSet }: DicomFile, { width, height }: PixelLayout): Box[] {
  const [PLANE, TISSUE] = [1, 1];
  return itemsOf(dataSet, TAGS.regions).flatMap((item) => {
    if (item.uint16(TAGS.regionFormat) !== PLANE || item.uint16(TAGS.regionType) !== TISSUE) return [];
    const [left, top, right, bottom] = TAGS.regionEdges.map((tag) => item.uint32(tag) ?? -1) as [
      number,
      number,
      number,
      number,
    ];
    // The edges are pixels of the region; some scanners give the first ones outside.
    const box = {
      left,
      top,
      width: Math.min(right, width - 1) + 1 - left,
      height: Math.min(bottom, height - 1) + 1 - top,
    };
    return left >= 0 && top >= 0 && box.width > 0 && box.height > 0 ? [box] : [];
  });
}
