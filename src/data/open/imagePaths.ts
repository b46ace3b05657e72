import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { nearest } from '../../text/nearest.js';
import { stemOf } from '../formats/fileKind.js';

/** Paths of missing files for which the nearest name is looked for; more are never listed in one message. */
const HINTS = 10;

/** The file that a path in a manifest means, or what is wrong with the path, as the end of a sentence. */
export type FoundPath = { readonly file: string } | { readonly problem: string };

/**
 * Finds the images that a manifest names. A path may come from Windows (backslashes, another case) or from a Mac (a
 * letter and its accent apart): where it means one file alone, that file is taken, and a warning tells of it.
 */
export class ImagePaths {
  readonly #manifest: string;
  readonly #folder: string;
  readonly #base: string;
  readonly #names = new Map<string, Promise<readonly string[]>>();
  readonly #otherwise: [written: string, file: string][] = [];
  readonly #outside: string[] = [];
  #count = 0;
  #hints = 0;

  /** @param root the folder that paths are relative to; absent: the manifest's */
  constructor(manifest: string, root?: string) {
    this.#manifest = manifest;
    this.#folder = path.resolve(root ?? path.dirname(manifest));
    this.#base = root === undefined ? 'its folder' : `--image-root ${root}`;
  }

  async find(written: string): Promise<FoundPath> {
    const asked = path.resolve(this.#folder, written);
    const found = await stat(asked).catch(() => undefined);
    if (found !== undefined && !found.isFile()) return { problem: `not a file: ${asked}` };
    return found === undefined ? this.#lookFor(written) : { file: asked };
  }

  /** Notes for the warnings that a path led to this file. The first to be noted serves as example. */
  note(written: string, file: string): void {
    this.#count += 1;
    if (file !== path.resolve(this.#folder, written)) this.#otherwise.push([written, file]);
    if (path.isAbsolute(written) || path.relative(this.#folder, file).split(path.sep)[0] === '..')
      this.#outside.push(written);
  }

  /** Follows the path from folder to folder by names that are the same for people. */
  async #lookFor(written: string): Promise<FoundPath> {
    const asked = path.resolve(this.#folder, written);
    if (/^([a-z]:[\\/]|\\\\)/i.test(written)) {
      return {
        problem: `no file ${written}, which is a place on a Windows machine; write paths relative to the manifest, or to --image-root`,
      };
    }
    const plain = path.resolve(this.#folder, written.replaceAll('\\', '/'));
    const { root } = path.parse(plain);
    let place = root;
    for (const name of plain.slice(root.length).split(path.sep)) {
      const exact = path.join(place, name);
      if ((await stat(exact).catch(() => undefined)) !== undefined) {
        place = exact;
        continue;
      }
      const names = await this.#list(place);
      const alike = names.filter((one) => sameForPeople(one) === sameForPeople(name));
      const closest = alike.length > 1 ? alike.filter((one) => one.normalize() === name.normalize()) : alike;
      if (closest.length !== 1)
        return { problem: `no file ${asked}${this.#hint(place, name, names, alike)}` };
      place = path.join(place, closest[0]!);
    }
    const found = await stat(place).catch(() => undefined);
    return found?.isFile() ? { file: place } : { problem: `not a file: ${place}` };
  }

  #list(folder: string): Promise<readonly string[]> {
    const known = this.#names.get(folder) ?? readdir(folder).catch(() => []);
    this.#names.set(folder, known);
    return known;
  }

  #hint(folder: string, name: string, names: readonly string[], alike: readonly string[]): string {
    this.#hints += 1;
    if (this.#hints > HINTS) return '';
    if (alike.length > 1)
      return `; it may be ${alike.map((one) => JSON.stringify(path.join(folder, one))).join(' or ')}`;
    // Endings are left out, as all files share them and a wrong one is a slip too.
    const byStem = new Map(names.map((one) => [sameForPeople(stemOf(one)), one]));
    const near = nearest(sameForPeople(stemOf(name)), byStem.keys());
    return near === undefined ? '' : `; the nearest is ${path.join(folder, byStem.get(near)!)}`;
  }

  /** Says how paths were read that are not written as the files are named, and which lead out of the folder. */
  warnings(): string[] {
    const [first] = this.#otherwise;
    const share = (paths: readonly unknown[]) => `${paths.length} of ${this.#count} image paths`;
    const otherwise = first && [
      `${this.#manifest}: ${share(this.#otherwise)} are not written as the files are named (backslashes, case, spaces or ` +
        `Unicode form), such as ${JSON.stringify(first[0])} for ${first[1]}. Each means one file, which is taken.`,
    ];
    const outside = this.#outside.length > 0 && [
      `${this.#manifest}: ${share(this.#outside)} lead out of ${this.#base} (absolute, or by ..), such as ` +
        `${JSON.stringify(this.#outside[0])}. They are read; a copy of the folder will lack them.`,
    ];
    return [...(otherwise || []), ...(outside || [])];
  }
}

/** Writes a file's name as people compare it: without case, outer spaces, kinds of spaces and Unicode forms. */
function sameForPeople(name: string): string {
  return name.normalize('NFKC').replace(/\s+/g, ' ').trim().toLowerCase();
}
