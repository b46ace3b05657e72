import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { type FaultGroup, problemsError, type Reading } from '../faults.js';
import { stemOf } from '../formats/fileKind.js';
import { IMAGE_EXTENSIONS, isPairHalf, PAIRS_ARE_NOT_READ } from '../formats/index.js';
import type { FileSource } from '../sample.js';
import { imageNames } from './imageNames.js';

/**
 * Pairs the images of two folders, `a` and `b`, by file name without its ending, in the order of the names. Every
 * pair is a subject of its own, as file names do not say whose images they are. Hidden files, sub-folders and files
 * that are no images are ignored. An image without its mate on the other side is a fault.
 *
 * @throws DataError on two images of one name in a folder, or a folder that cannot be read
 */
export async function readFolders(folderA: string, folderB: string): Promise<Reading> {
  const a = await listImages(folderA);
  const b = await listImages(folderB);
  if ((await realpath(folderA)) === (await realpath(folderB))) {
    throw new DataError(
      `${folderA} is given for both modalities. Name two folders, --data A --data-b B, or use a manifest.`,
    );
  }
  const { pairs, alone } = matchStems([folderA, a], [folderB, b]);
  return { samples: pairs.map(({ stem, images }) => ({ id: stem, subject: stem, images })), faults: [alone] };
}

/** A folder's path and its images by stem. */
type ImageFolder = readonly [folder: string, images: ReadonlyMap<string, string>];

/** An image that both folders have. */
interface StemPair {
  readonly stem: string;
  readonly images: Readonly<Record<'a' | 'b', FileSource>>;
}

/** Pairs the images that both folders have, in the order of their stems, and finds the images that stand alone. */
export function matchStems(
  [folderA, a]: ImageFolder,
  [folderB, b]: ImageFolder,
): { pairs: readonly StemPair[]; alone: FaultGroup } {
  const without = ([folder, images]: ImageFolder, [other, mates]: ImageFolder) => {
    const free = [...mates.keys()].filter((stem) => !images.has(stem));
    return [...images]
      .filter(([stem]) => !mates.has(stem))
      .map(([stem, file], i) => {
        // Further images are only counted in messages, and looking for a name takes time.
        const near = i < 10 ? nearest(stem, free) : undefined;
        const hint = near === undefined ? '' : `; the nearest is ${mates.get(near)}`;
        return {
          kind: 'missing-mate' as const,
          id: stem,
          problems: [`${path.join(folder, file)}: no mate in ${other}${hint}`],
        };
      });
  };
  const alone: FaultGroup = {
    headline: (problems) =>
      `${problems} ${problems === 1 ? 'image has' : 'images have'} no mate of the same name`,
    fix: 'Rename the files so that both folders use the same names (endings may differ), or write a manifest.',
    faulty: [...without([folderA, a], [folderB, b]), ...without([folderB, b], [folderA, a])],
  };
  const stems = [...a.keys()].filter((stem) => b.has(stem)).sort();
  const pairs = stems.map(
    (stem): StemPair => ({
      stem,
      images: {
        a: { kind: 'file', path: path.resolve(folderA, a.get(stem)!) },
        b: { kind: 'file', path: path.resolve(folderB, b.get(stem)!) },
      },
    }),
  );
  return { pairs, alone };
}

/** Lists the images directly in a folder: name without ending → file name. */
async function listImages(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such folder' : error.message;
    throw new DataError(`${folder}: the folder cannot be read: ${reason}. Check the path.`);
  });
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const files = imagesByStem(folder, await imageNames(folder, names));
  if (files.size === 0) {
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    let hint = '';
    if (folders.length > 0)
      hint = ` It has the sub-folders ${folders.slice(0, 5).join(', ')}: name one of them.`;
    if (names.some(isPairHalf)) hint = ` Here ${PAIRS_ARE_NOT_READ}`;
    throw new DataError(
      `${folder}: holds no images, expected DICOM files of any name, or files ending in ${IMAGE_EXTENSIONS.join(', ')}.${hint}`,
    );
  }
  return files;
}

/**
 * Maps the names of images without their ending to the file names.
 *
 * @param names the names of the images, as `imageNames` finds them
 * @throws DataError where one stem stands for two files
 */
export function imagesByStem(folder: string, names: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const twice: string[] = [];
  for (const name of [...names].sort()) {
    // A Mac writes "ä" as two characters in the names of files, and other systems as one.
    const stem = stemOf(name).normalize('NFC');
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
