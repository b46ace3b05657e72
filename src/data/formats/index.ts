/** The room `data/formats` decodes image files, whatever their format, into the values that the file holds. */
import { readFileSync } from 'node:fs';
import { DataError } from '../../errors.js';
import type { FileSource, ImagePart, MemberSource } from '../sample.js';
import { bmpSize, decodeBmp, isBmp } from './bmp.js';
import type { DicomFile } from './dicom/dataSet.js';
import type { DicomHeader } from './dicom/dicom.js';
import { isDicomHead } from './dicom/encoding.js';
import { readBytes, readRange, sourceName } from './fileBytes.js';
import { decodeImage, imageSize, sharpVersion } from './image.js';
import { MAX_BYTES } from './limits.js';
import { isNiftiHead, NIFTI_HEAD } from './nifti.js';
import { cropPixels, type Pixels } from './pixels.js';
import { RecentFiles } from './recentFiles.js';
import { readSlice, readVolumeHeader, sliceSize } from './volume.js';

export type { DicomHeader } from './dicom/dicom.js';
export { type Affine, type Axis, affineOfCodes, axisCodes } from './niftiAffine.js';
export type { Box, Pixels } from './pixels.js';
export { type Plane, readVolumeHeader, UNTOLD, type VolumeHeader, volumeContent } from './volume.js';

/**
 * The endings of file names, lower case, that a folder is searched for. The format of a file is told by its content.
 */
export const IMAGE_EXTENSIONS: readonly string[] = [
  '.png',
  '.jpg',
  '.jpeg',
  '.tif',
  '.tiff',
  '.webp',
  '.bmp',
  '.dcm',
  '.dicom',
  '.ima',
  '.nii',
  '.nii.gz',
];

/** Gives the ending of a file's name as `IMAGE_EXTENSIONS` has it; undefined if the name is not that of an image. */
export function imageExtension(file: string): string | undefined {
  const ending = IMAGE_EXTENSIONS.find((extension) => file.toLowerCase().endsWith(extension));
  return ending === undefined ? undefined : file.slice(-ending.length);
}

/** Tells, by its name, whether a file is one of the two that hold an Analyze volume, or a NIfTI volume in the old form. */
export function isPairHalf(file: string): boolean {
  return /\.(hdr|img)(\.gz)?$/i.test(file);
}

export const PAIRS_ARE_NOT_READ =
  'a volume in two files, .hdr and .img (Analyze or NIfTI), is not read. Convert it to .nii.gz, for instance with nibabel ' +
  'or fslchfiletype.';

/** Loads the code for DICOM with the first such file. */
const dicom = () => import('./dicom/dicom.js');

type Format = 'dicom' | 'nifti' | 'bmp' | 'other';

/** Tells the format by a file's first `NIFTI_HEAD` bytes. Formats that are not told here are for sharp to recognise. */
export function formatOf(head: Buffer): Format {
  if (isNiftiHead(head)) return 'nifti';
  if (isDicomHead(head)) return 'dicom';
  return isBmp(head) ? 'bmp' : 'other';
}

/**
 * Reads what a DICOM file says of its images, patient and study.
 *
 * @throws DataError if the file is no DICOM or holds no image
 */
export async function readDicomHeader(path: string): Promise<DicomHeader> {
  return (await dicom()).readDicomHeader(path);
}

/**
 * Decodes an image: PNG, JPEG, TIFF, WebP, BMP, DICOM or a slice of a NIfTI volume, told apart by their content. It
 * gives the half of a composite that the source names, or the frame of a multi-frame file.
 *
 * @param maxBytes the most bytes that the image, or the volume of a slice, may take when it is decoded
 * @throws DataError if it cannot be read, or is larger
 */
export async function readPixels(source: FileSource | MemberSource, maxBytes = MAX_BYTES): Promise<Pixels> {
  const part = source.kind === 'file' ? source.part : undefined;
  if (part?.kind === 'slice') return readSlice(source.path, part, maxBytes);
  if (part?.kind === 'frame') {
    const file = await multiFrameFiles.get(source.path, maxBytes);
    return (await dicom()).decodeDicom(file, part.index, maxBytes);
  }
  const pixels = await decode(await readBytes(source), source, maxBytes);
  return part?.kind === 'half' ? cropPixels(pixels, halfOf(pixels, part, sourceName(source))) : pixels;
}

/** Multi-frame files, so that a cine loop is taken apart once and not once for each of its frames. */
const multiFrameFiles = new RecentFiles<DicomFile>(
  async (path, maxBytes) => {
    const bytes = await readBytes({ kind: 'file', path });
    if (formatOf(bytes.subarray(0, NIFTI_HEAD)) !== 'dicom') {
      throw new DataError(
        `${path}: is no DICOM file, and only those have frames. Name the image without a frame.`,
      );
    }
    return { content: (await dicom()).parseDicom(bytes, path, maxBytes), bytes: bytes.length };
  },
  { files: 4, bytes: 2 ** 29 },
);

async function decode(bytes: Buffer, source: FileSource | MemberSource, maxBytes: number): Promise<Pixels> {
  const name = sourceName(source);
  const format = formatOf(bytes.subarray(0, NIFTI_HEAD));
  if (format === 'dicom') {
    const { decodeDicom, parseDicom } = await dicom();
    return decodeDicom(parseDicom(bytes, name, maxBytes), undefined, maxBytes);
  }
  if (format === 'bmp') return decodeBmp(bytes, name, maxBytes);
  if (format === 'other') {
    return decodeImage(bytes, name, maxBytes).catch((error: unknown) => {
      throw isPairHalf(name) ? new DataError(`${name}: ${PAIRS_ARE_NOT_READ}`) : error;
    });
  }
  if (source.kind === 'member') {
    throw new DataError(`${name}: is a NIfTI volume, expected an image. Take the volume out of the archive.`);
  }
  const { dims } = await readVolumeHeader(name, maxBytes);
  if (dims[2] > 1) {
    throw new DataError(
      `${name}: is a volume of ${dims.join('×')} voxels, expected an image. Which of its slices become samples is said ` +
        'by --set data.volumes.axis=axial and what stands beside it.',
    );
  }
  return readSlice(name, { axis: 2, index: 0 }, maxBytes);
}

/** Cuts exact halves, as the two images of a composite must keep one pixel grid. */
function halfOf(
  { width, height }: { width: number; height: number },
  { side }: Extract<ImagePart, { kind: 'half' }>,
  name: string,
) {
  if (width % 2 !== 0) {
    throw new DataError(
      `${name}: is ${width} pixels wide, so it has no two equal halves. Cut the composite into two files of one size.`,
    );
  }
  return { left: side === 'left' ? 0 : width / 2, top: 0, width: width / 2, height };
}

/**
 * Reads, from headers alone, width and height in pixels of the image that `readPixels` gives. EXIF orientation may
 * still swap them.
 *
 * @throws DataError if there is no readable header
 */
export async function readImageSize(
  source: FileSource | MemberSource,
): Promise<{ width: number; height: number }> {
  const part = source.kind === 'file' ? source.part : undefined;
  if (part?.kind === 'slice') return sliceSize(source.path, part);
  const size = await wholeSize(source);
  return part?.kind === 'half' ? { ...size, width: size.width / 2 } : size;
}

async function wholeSize(source: FileSource | MemberSource): Promise<{ width: number; height: number }> {
  const name = sourceName(source);
  const from = source.kind === 'member' ? source.offset : 0;
  const head = await readRange(
    source.path,
    from,
    Math.min(NIFTI_HEAD, source.kind === 'member' ? source.length : NIFTI_HEAD),
  );
  const format = formatOf(head);
  if (format === 'nifti') return sliceSize(source.path, { axis: 2 });
  if (format === 'bmp') return bmpSize(head, name);
  if (format === 'dicom' && source.kind === 'file') {
    const { rows, columns } = await readDicomHeader(source.path);
    return { width: columns, height: rows };
  }
  const bytes = await readBytes(source);
  if (format === 'dicom') return (await dicom()).dicomSize(bytes, name);
  return imageSize(bytes, name);
}

/**
 * Gives a version that changes when the pixels decoded from the same file may change. It is part of the cache's keys.
 */
export async function decoderVersion(): Promise<string> {
  const { dependencies } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  const codecs = Object.keys(dependencies).filter((name) => name.startsWith('@cornerstonejs/'));
  const sharp = await sharpVersion().catch(() => 'without sharp');
  return [sharp, ...codecs.map((name) => `${name}-${dependencies[name]}`)].join('/');
}
