import path from 'node:path';
import { imageExtension, isDicom, isNifti } from './index.js';

/** `p1.x` of `p1.x.png`, `scan` of `scan.nii.gz`. */
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

/** Which files hold several images: told by their endings, and where they have none that says so, by their first bytes. */
export async function fileKind(file: string): Promise<'dicom' | 'volume' | 'image'> {
  const ending = imageExtension(file)?.toLowerCase();
  if (ending !== undefined) return KINDS[ending] ?? 'image';
  if (await isNifti(file)) return 'volume';
  return (await isDicom(file)) ? 'dicom' : 'image';
}
