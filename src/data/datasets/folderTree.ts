import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { imageNames } from '../open/imageNames.js';

/** The content of a folder: names in code-unit order, without the hidden ones. */
export interface Folder {
  readonly path: string;
  readonly name: string;
  readonly files: readonly string[];
  /** Those of the files that are images. */
  readonly images: readonly string[];
  readonly folders: readonly Folder[];
}

/**
 * The levels that are searched below the folder named. Archives are often unpacked into a folder of their name, twice
 * at worst.
 */
const LEVELS = 3;

/**
 * The number of folders that are searched. A known data set has a dozen; a home directory is not searched to its end.
 */
const MOST_FOLDERS = 200;

/** Lists a folder and what is below it, level by level; folders that cannot be read count as empty. */
export function readFolderTree(root: string): Promise<Folder> {
  return readTree(root, LEVELS, MOST_FOLDERS);
}

/** Lists a folder and all folders directly in it, however many there are. */
export function readFolder(root: string): Promise<Folder> {
  return readTree(root, 1, Number.POSITIVE_INFINITY);
}

/** @param left the number of folders that are searched */
async function readTree(root: string, depth: number, left: number): Promise<Folder> {
  const read = async (folder: string, levels: number): Promise<Folder> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const files: string[] = [];
    const folders: string[] = [];
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const place = path.join(folder, entry.name);
      const isFolder =
        entry.isDirectory() ||
        (entry.isSymbolicLink() && ((await stat(place).catch(() => undefined))?.isDirectory() ?? false));
      (isFolder ? folders : files).push(entry.name);
    }
    const below: Folder[] = [];
    for (const name of folders.sort()) {
      if (levels === 0 || left === 0) break;
      left -= 1;
      below.push(await read(path.join(folder, name), levels - 1));
    }
    const images = await imageNames(folder, files);
    return { path: folder, name: path.basename(folder), files: files.sort(), images, folders: below };
  };
  return read(path.resolve(root), depth);
}

/** Finds the folder of this name directly inside another, whatever the case of its name. */
export function inside({ folders }: Folder, name: string): Folder | undefined {
  return folders.find((folder) => folder.name.toLowerCase() === name.toLowerCase());
}
