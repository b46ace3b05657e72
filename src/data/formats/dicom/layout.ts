/** Reads from the header how the pixels of a DICOM file are laid out, as it says itself. */
import { type DicomFile, refuse } from './dataSet.js';
import type { FrameShape } from './rle.js';
import { TAGS } from './tags.js';
import type { StoredBits } from './values.js';

/** The shape of a frame and the order of its bytes. */
export interface PixelLayout extends FrameShape {
  /** Whether colours are stored plane by plane. */
  readonly planar: boolean;
  readonly photometric: string;
}

/**
 * The largest number of pixels, 8192². A compressed image may claim any size, so more is refused before memory is
 * taken.
 */
const MOST_PIXELS = 2 ** 26;

const GRAY: readonly string[] = ['MONOCHROME1', 'MONOCHROME2', 'PALETTE COLOR'];
const COLOUR: readonly string[] = ['RGB', 'YBR_FULL', 'YBR_FULL_422', 'YBR_ICT', 'YBR_RCT'];

/** @throws DataError if the header is not that of an image that is read */
export function layoutOf(file: DicomFile): PixelLayout {
  const { dataSet } = file;
  const [width, height] = [dataSet.uint16(TAGS.columns), dataSet.uint16(TAGS.rows)];
  if (!width || !height) {
    return refuse(file, 'has no rows and columns', 'Only images are read: leave it out.');
  }
  if (width * height > MOST_PIXELS) {
    refuse(
      file,
      `says ${width}×${height} pixels, expected at most ${MOST_PIXELS}`,
      'Cut the image into parts.',
    );
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
      `has ${bits ?? 'no'} bits allocated of ${photometric}, expected 8 or 16 (YBR_FULL: 8)`,
      'Convert the file.',
    );
  }
  return { width, height, samples, bits, photometric, planar: dataSet.uint16(TAGS.planar) === 1 };
}

/** @throws DataError if the bits do not fit into their cells */
export function bitsOf(file: DicomFile): StoredBits {
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

/** The number of frames in the header's own words, and as a number. */
export interface SaidFrames {
  /** One where the attribute is absent, as the standard has it; undefined where it is no number from 1 on. */
  readonly count: number | undefined;
  readonly words: string;
}

export function saidFrames({ dataSet }: DicomFile): SaidFrames {
  if (dataSet.elements[TAGS.frames] === undefined) return { count: 1, words: 'names no number of frames' };
  const text = dataSet.string(TAGS.frames) ?? '';
  const count = Number(text);
  const valid = text !== '' && Number.isInteger(count) && count >= 1;
  return { count: valid ? count : undefined, words: `says "${text}" frames` };
}
