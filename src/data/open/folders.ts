import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import { type FaultOptions, problemsError, tellFaults } from '../faults.js';
import { stemOf } from '../formats/fileKind.js';
import { IMAGE_EXTENSIONS, imageExtension } from '../formats/index.js';
import type { FileSource, Sample } from '../sample.js';

/**
 * Pairs of two folders, `a` and `b`, matched by file name without its ending, in the order of the names. Every pair is a
 * subject of its own, as file names do not say whose images they are. Hidden files, sub-folders and files without an
 * image's ending are ignored.
 *
 * @throws DataError on an image without its mate on either side, or two images of one name in a folder
 */
export async function readFolders(
  folderA: string,
  folderB: string,
  options: FaultOptions = {},
): Promise<readonly Sample[]> {
  const a = await listImages(folderA);
  const b = await listImages(folderB);
  if ((await realpath(folderA)) === (await realpath(folderB))) {
    throw new DataError(
      `${folderA} is given for both modalities. Name two folders, --data A --data-b B, or use a manifest.`,
    );
  }
  const pairs = matchStems([folderA, a], [folderB, b], options);
  return pairs.map(({ stem, images }) => ({ id: stem, subject: stem, images }));
}

/** A folder's path and its images by stem. */
type ImageFolder = readonly [folder: string, images: ReadonlyMap<string, string>];

/**
 * The images that both folders have, in the order of their stems.
 *
 * @throws DataError on an image without its mate, unless `onFault` is told of it
 */
export function matchStems(
  [folderA, a]: ImageFolder,
  [folderB, b]: ImageFolder,
  options: FaultOptions,
): { stem: string; images: Record<'a' | 'b', FileSource> }[] {
  const without = ([folder, images]: ImageFolder, [other, mates]: ImageFolder) =>
    [...images]
      .filter(([stem]) => !mates.has(stem))
      .map(([stem, file]) => ({
        kind: 'missing-mate' as const,
        id: stem,
        problems: [`${path.join(folder, file)}: no mate in ${other}`],
      }));
  const alone = [...without([folderA, a], [folderB, b]), ...without([folderB, b], [folderA, a])];
  tellFaults(alone, options, (problems) =>
    problemsError(
      `${problems.length} ${problems.length === 1 ? 'image has' : 'images have'} no mate of the same name`,
      problems,
      'Rename the files so that both folders use the same names (endings may differ), or write a manifest.',
    ),
  );
  const stems = [...a.keys()].filter((stem) => b.has(stem)).sort();
  return stems.map((stem) => ({
    stem,
    images: {
      a: { kind: 'file', path: path.resolve(folderA, a.get(stem)!) },
      b: { kind: 'file', path: path.resolve(folderB, b.get(stem)!) },
    },
  }));
}

/** Name without ending → file name, for the images directly in a folder. */
async function listImages(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such folder' : error.message;
    throw new DataError(`${folder}: the folder cannot be read: ${reason}. Check the path.`);
  });
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const files = imagesByStem(folder, names);
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

/**
 * Name without ending → file name, in the order of the names; hidden files and those without an image's ending are left
 * out.
 *
 * @throws DataError where one stem stands for two files
 */
export function imagesByStem(folder: string, names: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const twice: string[] = [];
  for (const name of [...names].sort()) {
    if (name.startsWith('.') || imageExtension(name) === undefined) continue;
    const stem = stemOf(name);
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
  return files;
}
