import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isUnnamedImage } from '../formats/fileKind.js';
import { imageExtension } from '../formats/index.js';
import { mapOrdered } from '../mapOrdered.js';

/** The number of files that are looked into at a time. */
const AT_ONCE = 8;

/**
 * Finds the images among the files directly in a folder, in the order of their names. Names with an image's ending
 * are taken as they are; other files are told by their first bytes. Hidden files and DICOMDIR are none.
 *
 * @param names the names of all files in the folder, without sub-folders
 */
export async function imageNames(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const shown = names.filter((name) => !name.startsWith('.')).sort();
  const told = mapOrdered(shown, AT_ONCE, async (name) =>
    imageExtension(name) !== undefined || (await looksLikeImage(path.join(folder, name))) ? [name] : [],
  );
  const images: string[] = [];
  for await (const image of told) images.push(...image);
  return images;
}

async function looksLikeImage(file: string): Promise<boolean> {
  try {
    // Only regular files are opened: reading a pipe would not end.
    return (await stat(file)).isFile() && (await isUnnamedImage(file));
  } catch {
    return false;
  }
}
