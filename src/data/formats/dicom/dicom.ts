/**
 * The room `data/formats/dicom` reads DICOM files. This file reads a header or decodes a frame; the others do parts
 * of it.
 */
import { AnatomyError, DataError } from '../../../errors.js';
import { readBytes, readHead } from '../fileBytes.js';
import { MAX_BYTES, refuseAbove } from '../limits.js';
import type { Box, Pixels } from '../pixels.js';
import { fromPalette, fromYbr } from './colour.js';
import { type DicomFile, damaged, parseDicom, reasonOf, refuse } from './dataSet.js';
import { type DecodedFrame, decodeFrame, type PixelLayout } from './decodeFrame.js';
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
}

/**
 * Reads the facts that a DICOM file gives of its images, patient and study.
 *
 * @throws DataError if the file is no DICOM or holds no image
 */
export async function readDicomHeader(path: string): Promise<DicomHeader> {
  const file = await headerOf(path);
  return orDamaged(path, () => {
    const { width, height, frames } = layoutOf(file);
    return {
      rows: height,
      columns: width,
      frames,
      bits: bitsOf(file).stored,
      patientId: file.dataSet.string(TAGS.patientId),
      studyId: file.dataSet.string(TAGS.studyId),
    };
  });
}

/** Reads width and height from the header. */
export async function dicomSize(bytes: Buffer, name: string): Promise<{ width: number; height: number }> {
  const file = parseDicom(bytes, name, TAGS.pixelData);
  const { width, height } = await orDamaged(name, () => layoutOf(file));
  return { width, height };
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

async function headerOf(path: string): Promise<DicomFile> {
  const head = await readHead(path, HEAD);
  try {
    const file = parseDicom(head, path, TAGS.pixelData);
    if (file.dataSet.elements[TAGS.pixelData] !== undefined || head.length < HEAD) return file;
  } catch (error) {
    if (!(error instanceof DataError) || head.length < HEAD) throw error;
  }
  return parseDicom(await readBytes({ kind: 'file', path }), path, TAGS.pixelData);
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
    const { width, height, samples } = layout;
    // A compressed image may claim any size.
    const frameBytes = width * height * samples * (layout.bits / 8);
    refuseAbove(
      maxBytes,
      frameBytes,
      `${width}×${height} pixels of ${samples} × ${layout.bits} bits`,
      file.name,
    );
    const bits = bitsOf(file);
    const index = chooseFrame(file, layout, frame);
    const element = file.dataSet.elements[TAGS.pixelData];
    if (element === undefined)
      return refuse(file, 'holds no pixel data', 'Only images are read: leave it out.');
    const decoded = await decodeFrame(file, element, index, layout);
    return { width, height, regions: regionsOf(file, layout), ...meaning(file, index, decoded, bits) };
  });
}

function chooseFrame(file: DicomFile, { frames }: PixelLayout, frame: number | undefined): number {
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
    if (dataSet.elements[TAGS.segmentedPalette] !== undefined) throw new Error('the palette is segmented');
    const { data, white } = fromPalette(dataSet, values);
    return { channels: 3, data, fullScale: [0, white] };
  }
  if (photometric === 'YBR_ICT' || photometric === 'YBR_RCT') {
    throw new Error(`${photometric} outside JPEG 2000`);
  }
  const data = photometric === 'RGB' ? values : fromYbr(values as Uint8Array);
  return { channels: 3, data, fullScale: [0, 2 ** bits.stored - 1] };
}

/**
 * Reads the layout of the pixels from the header.
 *
 * @throws DataError if the header is not that of an image that is read
 */
function layoutOf(file: DicomFile): PixelLayout {
  const { dataSet } = file;
  const [width, height] = [dataSet.uint16(TAGS.columns), dataSet.uint16(TAGS.rows)];
  if (!width || !height) {
    return refuse(file, 'has no rows and columns', 'Only images are read: leave it out.');
  }
  const samples = dataSet.uint16(TAGS.samplesPerPixel) ?? 1;
  const bits = dataSet.uint16(TAGS.bitsAllocated);
  const photometric = dataSet.string(TAGS.photometric) ?? 'MONOCHROME2';
  const known = samples === 1 ? GRAY : COLOUR;
  if ((samples !== 1 && samples !== 3) || !known.includes(photometric)) {
    return refuse(
      file,
      `is ${photometric} with ${samples} samples a pixel, expected ${GRAY.join(', ')} with 1 or ${COLOUR.join(', ')} with 3`,
      'Convert the file, for instance to RGB.',
    );
  }
  if ((bits !== 8 && bits !== 16) || (bits === 16 && photometric.startsWith('YBR_FULL'))) {
    return refuse(
      file,
      `has ${bits} bits allocated of ${photometric}, expected 8 or 16 (YBR_FULL: 8)`,
      'Convert the file.',
    );
  }
  const frames = dataSet.intString(TAGS.frames) ?? 1;
  if (!(frames >= 1)) return refuse(file, `says ${frames} frames`, 'The file is damaged: copy it again.');
  return { width, height, samples, bits, frames, photometric, planar: dataSet.uint16(TAGS.planar) === 1 };
}

const GRAY: readonly string[] = ['MONOCHROME1', 'MONOCHROME2', 'PALETTE COLOR'];
const COLOUR: readonly string[] = ['RGB', 'YBR_FULL', 'YBR_FULL_422', 'YBR_ICT', 'YBR_RCT'];

function bitsOf(file: DicomFile): StoredBits {
  const { dataSet } = file;
  const allocated = dataSet.uint16(TAGS.bitsAllocated) ?? 8;
  const stored = dataSet.uint16(TAGS.bitsStored) ?? allocated;
  const high = dataSet.uint16(TAGS.highBit) ?? stored - 1;
  if (stored < 1 || stored > allocated || high < stored - 1 || high >= allocated) {
    refuse(
      file,
      `says ${stored} bits stored below bit ${high} of ${allocated} allocated`,
      'The file is damaged: copy it again.',
    );
  }
  return { stored, high, signed: dataSet.uint16(TAGS.signed) === 1 };
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
