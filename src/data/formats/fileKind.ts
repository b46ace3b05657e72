/** Tells from names and first bytes which files hold several images. */
import path from 'node:path';
import { imageExtension, isDicom, isNifti } from './index.js';

/** Gives the name without its ending: `p1.x` of `p1.x.png`, `scan` of `scan.nii.gz`. */
export function stemOf(file: string): string {
  const name = path.basename(file);
  return name.slice(0, name.length - (imageExtension(name) ?? path.extname(name)).length);
}

const KINDS: Readonly<Record<string, 'dicom' | 'volume'>> = {
  '.dcm': 'dicom',
  '.dicom': 'dicom',
  '.nii': 'volume',
  '.nii.gz': 'volume',
};

/**
 * Tells the kind of a file by its ending, and where that does not tell, by its first bytes. DICOM and volumes hold
 * several images.
 */
export async function fileKind(file: string): Promise<'dicom' | 'volume' | 'image'> {
  const ending = imageExtension(file)?.toLowerCase();
  if (ending !== undefined) return KINDS[ending] ?? 'image';
  if (await isNifti(file)) return 'volume';
  return (await isDicom(file)) ? 'dicom' : 'image';
}
