import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { DataError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { type FaultGroup, problemsError, type Reading } from '../faults.js';
import { fileKind, stemOf } from '../formats/fileKind.js';
import { IMAGE_EXTENSIONS, isPairHalf, PAIRS_ARE_NOT_READ } from '../formats/index.js';
import type { FileSource, Sample } from '../sample.js';
import { imageNames } from './imageNames.js';
import { notFound } from './notFound.js';

/** The named folders' samples, with the modalities in their order. */
export interface FoldersReading extends Reading {
  readonly modalities: readonly string[];
}

/**
 * Brings the images of one folder for each modality together by file name without its ending, in the order of the
 * names. A stem may end in the modality's name, as in `P01_flair`, where all of that folder do. A sample has the images
 * that are there; `openDataset` tells of those that are not. Volumes may stand in the place of all folders.
 *
 * @throws DataError on a folder that cannot be read or is given twice, or folders that have no name in common
 */
export async function readNamedFolders(folders: Readonly<Record<string, string>>): Promise<FoldersReading> {
  const modalities = Object.keys(folders);
  const places = await Promise.all(
    Object.entries(folders).map(async ([modality, folder]) => ({
      modality,
      folder,
      ...(await stateOf(folder)),
    })),
  );
  for (const { modality, folder, real } of places) {
    const twin = places.find((other) => other.real === real)!;
    if (twin.modality === modality) continue;
    throw new DataError(
      `${folder} is given for both ${twin.modality} and ${modality}. Name a place for each.`,
    );
  }
  const [file, folder] = [places.find(({ isFile }) => isFile), places.find(({ isFile }) => !isFile)];
  if (file !== undefined && folder !== undefined) {
    throw new DataError(
      `${file.folder} (${file.modality}) is a file, but ${folder.folder} (${folder.modality}) is a folder. Name folders of images, or volumes.`,
    );
  }
  const listed = await Promise.all(
    places.map(async (place) => ({
      ...place,
      images: withoutEnding(
        place.modality,
        place.isFile ? await volumeAt(place.folder) : await listImages(place.folder),
      ),
    })),
  );
  if (file !== undefined) return { modalities, samples: [sampleOfVolumes(listed)], faults: [] };
  refuseStrangers(listed);
  const stems = [...new Set(listed.flatMap(({ images }) => [...images.keys()]))].sort();
  const samples = stems.map((stem) => {
    const images = listed.flatMap(({ modality, folder, images }) => {
      const name = images.get(stem);
      return name === undefined ? [] : [[modality, fileIn(folder, name)] as const];
    });
    return { id: stem, subject: stem, images: Object.fromEntries(images) };
  });
  return { modalities, samples, faults: [] };
}

/** A modality's folder, or its volume, with the file of each stem. */
interface NamedFolder {
  readonly modality: string;
  readonly folder: string;
  readonly images: ReadonlyMap<string, string>;
}

async function stateOf(place: string): Promise<{ isFile: boolean; real: string }> {
  const found = await stat(place).catch(() => undefined);
  if (found === undefined) throw await notFound(place);
  return { isFile: found.isFile(), real: await realpath(place) };
}

async function volumeAt(file: string): Promise<ReadonlyMap<string, string>> {
  if ((await fileKind(file)) === 'volume') return new Map([[stemOf(file), path.basename(file)]]);
  throw new DataError(
    `${file}: is no volume. Where each modality has a place, that is a folder of images or a NIfTI volume; a list of images is a manifest.`,
  );
}

function sampleOfVolumes(volumes: readonly NamedFolder[]): Sample {
  const [stem] = volumes[0]!.images.keys();
  const images = volumes.map(
    ({ modality, folder }) => [modality, { kind: 'file', path: path.resolve(folder) }] as const,
  );
  return { id: stem!, subject: stem!, images: Object.fromEntries(images) };
}

function fileIn(folder: string, name: string): FileSource {
  return { kind: 'file', path: path.resolve(folder, name) };
}

/** Takes the modality's name off the end of the stems, where all of them have it. */
function withoutEnding(modality: string, images: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const end = modality.toLowerCase();
  const shorter = [...images].map(([stem, name]) => {
    const before = stem.slice(0, -end.length - 1);
    const ends = stem.toLowerCase().endsWith(end) && '_-.'.includes(stem.at(-end.length - 1) ?? ' ');
    return before !== '' && ends ? ([before, name] as const) : undefined;
  });
  if (!shorter.every((one) => one !== undefined)) return images;
  const stems = new Map<string, string>();
  for (const [stem, name] of shorter) {
    const twin = stems.get(stem);
    if (twin !== undefined)
      throw new DataError(`${modality}: ${twin} and ${name} are both of ${stem}. Keep one of them.`);
    stems.set(stem, name);
  }
  return stems;
}

/** Refuses folders none of which shares a name with another one. */
function refuseStrangers(folders: readonly NamedFolder[]): void {
  if (folders.length < 2) return;
  const seen = new Set<string>();
  for (const { images } of folders) {
    for (const stem of images.keys()) if (seen.has(stem)) return;
    for (const stem of images.keys()) seen.add(stem);
  }
  const [first, second] = folders as [NamedFolder, NamedFolder];
  const [stem, name] = [...first.images][0]!;
  const near = nearest(stem, second.images.keys());
  const other = second.images.get(near ?? [...second.images.keys()][0]!)!;
  throw new DataError(
    `No two of the folders ${folders.map(({ modality, folder }) => `${modality}=${folder}`).join(', ')} have a file name in common: ` +
      `${first.modality} has such as ${name}, ${second.modality} such as ${other}${near === undefined ? '' : ', which is the nearest'}. ` +
      'Files of one sample have one name, and may have the modality’s at its end (P01_flair.png): rename them, or write a manifest.',
  );
}

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
    fix:
      'Rename the files so that both folders use the same names (endings may differ), or write a manifest. ' +
      'If samples may lack an image, name the modalities: --data NAME=FOLDER NAME=FOLDER.',
    faulty: [...without([folderA, a], [folderB, b]), ...without([folderB, b], [folderA, a])],
  };
  const stems = [...a.keys()].filter((stem) => b.has(stem)).sort();
  const pairs = stems.map(
    (stem): StemPair => ({
      stem,
      images: {
        a: fileIn(folderA, a.get(stem)!),
        b: fileIn(folderB, b.get(stem)!),
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
