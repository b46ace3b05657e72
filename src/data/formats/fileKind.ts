/** Tells from names and first bytes what a file is. */
import path from 'node:path';
import { readHead } from './fileBytes.js';
import { formatOf, imageExtension } from './index.js';
import { NIFTI_HEAD } from './nifti.js';

/** The ending of a name. The last part of `1.2.840.1` or `scan.007` is a number and no ending. */
const ENDING = /\.[a-z]\w*$/i;

/** The UID of a DICOMDIR, which lists other files, as it stands among a file's first elements. */
const DICOM_DIRECTORY = '1.2.840.10008.1.3.10';

/** The first bytes of PNG, JPEG, and TIFF in both byte orders. */
const BEGINNINGS: readonly string[] = ['\x89PNG\r\n\x1a\n', '\xff\xd8\xff', 'II*\0', 'MM\0*'];

/** The kinds of files by their endings, for files whose first bytes tell nothing. */
const KINDS: Readonly<Record<string, 'dicom' | 'volume'>> = {
  '.dcm': 'dicom',
  '.dicom': 'dicom',
  '.ima': 'dicom',
  '.nii': 'volume',
  '.nii.gz': 'volume',
};

/** Gives the name without its ending: `p1.x` of `p1.x.png`, `scan` of `scan.nii.gz`. */
export function stemOf(file: string): string {
  const name = path.basename(file);
  const ending = imageExtension(name) ?? ENDING.exec(name)?.[0] ?? '';
  return name.slice(0, name.length - ending.length);
}

/**
 * Tells the kind of a file by its first bytes, whatever its name; by its ending where they are those of no image.
 * DICOM and volumes hold several images.
 */
export async function fileKind(file: string): Promise<'dicom' | 'volume' | 'image'> {
  const head = await readHead(file, NIFTI_HEAD);
  const format = formatOf(head);
  if (format === 'nifti') return 'volume';
  if (format === 'dicom') return 'dicom';
  if (format === 'bmp' || beginsAsImage(head)) return 'image';
  return KINDS[imageExtension(file)?.toLowerCase() ?? ''] ?? 'image';
}

/**
 * Tells by its first bytes whether a file without an image's ending is an image: without any ending one of any
 * format, with another one DICOM alone, so that `photo.png.bak` is none. A DICOMDIR is none either.
 */
export async function isUnnamedImage(file: string): Promise<boolean> {
  const head = await readHead(file, NIFTI_HEAD);
  const format = formatOf(head);
  if (format === 'dicom') return !head.includes(DICOM_DIRECTORY, 0, 'latin1');
  if (ENDING.test(path.basename(file))) return false;
  return format !== 'other' || beginsAsImage(head);
}

/** Tells whether a file begins as PNG, JPEG, TIFF or WebP do. */
function beginsAsImage(head: Buffer): boolean {
  const text = head.toString('latin1', 0, 12);
  return BEGINNINGS.some((beginning) => text.startsWith(beginning)) || /^RIFF.{4}WEBP/s.test(text);
}
