import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../errors.js';
import { IMAGE_EXTENSIONS, imageExtension } from './formats/index.js';
import { problemsError } from './problems.js';
import type { Sample } from './sample.js';

/**
 * Pairs of two folders, `a` and `b`, matched by file name without its ending, in the order of the names. Every pair is a
 * subject of its own, as file names do not say whose images they are. Hidden files, sub-folders and files without an
 * image's ending are ignored.
 *
 * @throws DataError on an image without its mate on either side, or two images of one name in a folder
 */
export async function readFolders(folderA: string, folderB: string): Promise<readonly Sample[]> {
  const a = await listImages(folderA);
  const b = await listImages(folderB);
  if ((await realpath(folderA)) === (await realpath(folderB))) {
    throw new DataError(
      `${folderA} is given for both modalities. Name two folders, --data A --data-b B, or use a manifest.`,
    );
  }
  const alone = [
    ...[...a]
      .filter(([stem]) => !b.has(stem))
      .map(([, file]) => `${path.join(folderA, file)}: no mate in ${folderB}`),
    ...[...b]
      .filter(([stem]) => !a.has(stem))
      .map(([, file]) => `${path.join(folderB, file)}: no mate in ${folderA}`),
  ];
  if (alone.length > 0) {
    throw problemsError(
      `${alone.length} ${alone.length === 1 ? 'image has' : 'images have'} no mate of the same name`,
      alone,
      'Rename the files so that both folders use the same names (endings may differ), or write a manifest.',
    );
  }
  return [...a.keys()].sort().map((id) => ({
    id,
    subject: id,
    images: {
      a: { kind: 'file', path: path.resolve(folderA, a.get(id)!) },
      b: { kind: 'file', path: path.resolve(folderB, b.get(id)!) },
    },
  }));
}

/** Name without ending → file name, for the images directly in a folder. */
async function listImages(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such folder' : error.message;
    throw new DataError(`${folder}: the folder cannot be read: ${reason}. Check the path.`);
  });
  const files = new Map<string, string>();
  const twice: string[] = [];
  for (const name of entries.map((entry) => (entry.isDirectory() ? '' : entry.name)).sort()) {
    const ending = imageExtension(name);
    if (name.startsWith('.') || ending === undefined) continue;
    const stem = name.slice(0, -ending.length);
    const other = files.get(stem);
    if (other === undefined) files.set(stem, name);
    else twice.push(`${path.join(folder, stem)}: ${other} and ${name}`);
  }
  if (twice.length > 0) {
    throw problemsError(
      `${twice.length} ${twice.length === 1 ? 'name stands' : 'names stand'} for two images`,
      twice,
      'Keep one file a name, or write a manifest.',
    );
  }
  if (files.size === 0) {
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    const hint =
      folders.length > 0
        ? ` It has the sub-folders ${folders.slice(0, 5).join(', ')}: name one of them.`
        : '';
    throw new DataError(
      `${folder}: holds no images, expected files ending in ${IMAGE_EXTENSIONS.join(', ')}.${hint}`,
    );
  }
  return files;
}
