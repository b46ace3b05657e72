/** Tells from first bytes which files hold several images. */
import path from 'node:path';
import { isDicomHead } from './dicom/encoding.js';
import { readHead } from './fileBytes.js';
import { imageExtension } from './index.js';
import { isNiftiHead, NIFTI_HEAD } from './nifti.js';

/** Gives the name without its ending: `p1.x` of `p1.x.png`, `scan` of `scan.nii.gz`. */
export function stemOf(file: string): string {
  const name = path.basename(file);
  return name.slice(0, name.length - (imageExtension(name) ?? path.extname(name)).length);
}

/** Tells the kind of a file by its first bytes, whatever its name. DICOM and volumes hold several images. */
export async function fileKind(file: string): Promise<'dicom' | 'volume' | 'image'> {
  const head = await readHead(file, NIFTI_HEAD);
  if (isNiftiHead(head)) return 'volume';
  return isDicomHead(head) ? 'dicom' : 'image';
}
