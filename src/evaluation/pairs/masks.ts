/** Reads where the lesions of the pairs are, from a folder of masks or from the phantom. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readPixels } from '../../data/formats/index.js';
import type { Dataset } from '../../data/sample.js';
import { DataError, UsageError } from '../../errors.js';
import { openPhantom } from '../../phantoms/openPhantom.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import type { LesionMask } from './measures/zones.js';

export interface MaskSources {
  readonly dataset: Dataset;
  /** The data as `--data` names it. */
  readonly path: string;
  /** A folder of masks `ID.png`; without it only phantoms have masks. */
  readonly folder: string | undefined;
  /** The side in pixels at which phantoms are drawn. */
  readonly size: number;
}

export interface Masks {
  /** The lesion masks by position in the data. A pair without a known lesion has none. */
  readonly lesion: ReadonlyMap<number, LesionMask>;
  /** The number of pairs that have no file in the folder. */
  readonly missing: number;
}

/**
 * Reads the lesion masks of the pairs at `positions`.
 *
 * @throws DataError when there is no such folder, none of the pairs has a mask in it, or one cannot be read; UsageError
 * when the images are cropped and the masks are not
 */
export async function readMasks(positions: readonly number[], sources: MaskSources): Promise<Masks> {
  const { dataset, path, folder, size } = sources;
  if (folder !== undefined) return fromFolder(positions, dataset, folder);
  if (!path.startsWith(PHANTOM_PREFIX)) return { lesion: new Map(), missing: 0 };
  const drawn = await phantomMasks(path, size);
  const lesion = positions.map((position) => [position, drawn(dataset.samples[position]!.id)!] as const);
  return { lesion: new Map(lesion.filter(([, mask]) => hasLesion(mask))), missing: 0 };
}

/**
 * Finds the mask of one pair after another, by its position; undefined where none is known. Images that are cropped
 * have none, as the masks are of whole images.
 *
 * @throws DataError when there is no such folder, or a mask cannot be read
 */
export async function openMasks({
  dataset,
  path,
  folder,
  size,
}: MaskSources): Promise<(position: number) => Promise<LesionMask | undefined>> {
  if (folder !== undefined) await requireFolder(folder);
  const isCropped = dataset.modalities.some((name) => dataset.preprocess?.[name]?.crop !== undefined);
  const drawn = path.startsWith(PHANTOM_PREFIX) ? await phantomMasks(path, size) : undefined;
  return async (position) => {
    const { id } = dataset.samples[position]!;
    const file = folder === undefined || isCropped ? undefined : await maskFile(folder, id);
    const mask = file === undefined ? drawn?.(id) : await readMask(file, dataset.maxBytes);
    return mask !== undefined && hasLesion(mask) ? mask : undefined;
  };
}

/** @returns the mask that a phantom draws for a pair; undefined for a pair of other data */
async function phantomMasks(path: string, size: number): Promise<(id: string) => LesionMask | undefined> {
  const phantom = await openPhantom(path);
  const indexOf = new Map(phantom.dataset.samples.map(({ id }, index) => [id, index]));
  return (id) => {
    const index = indexOf.get(id);
    return index === undefined ? undefined : { width: size, height: size, data: phantom.lesion(index, size) };
  };
}

async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new DataError(`--masks ${folder}: no such folder; expected one that holds ID.png for each pair`);
}

async function fromFolder(positions: readonly number[], dataset: Dataset, folder: string): Promise<Masks> {
  await requireFolder(folder);
  for (const modality of dataset.modalities) {
    if (dataset.preprocess?.[modality]?.crop === undefined) continue;
    throw new UsageError(
      `--masks goes with whole images, but data.preprocess.${modality}.crop cuts them; crop images and masks alike beforehand`,
    );
  }
  const lesion = new Map<number, LesionMask>();
  let missing = 0;
  for (const position of positions) {
    const file = await maskFile(folder, dataset.samples[position]!.id);
    if (file === undefined) {
      missing += 1;
      continue;
    }
    const mask = await readMask(file, dataset.maxBytes);
    if (hasLesion(mask)) lesion.set(position, mask);
  }
  if (missing === positions.length) {
    const { id } = dataset.samples[positions[0]!]!;
    throw new DataError(
      `--masks ${folder}: none of the ${missing} pairs has a mask in it; expected files named by their ids, such as ${id}.png`,
    );
  }
  return { lesion, missing };
}

/** Finds the mask of a pair by its id, as it is or as `anatomy data phantom` encodes it in a file name. */
async function maskFile(folder: string, id: string): Promise<string | undefined> {
  for (const name of new Set([id, encodeURIComponent(id)])) {
    const file = join(folder, `${name}.png`);
    if ((await stat(file).catch(() => undefined))?.isFile()) return file;
  }
  return undefined;
}

async function readMask(path: string, maxBytes: number | undefined): Promise<LesionMask> {
  const { width, height, channels, data } = await readPixels({ kind: 'file', path }, maxBytes);
  const inside = Uint8Array.from({ length: width * height }, (_, at) =>
    data.subarray(at * channels, (at + 1) * channels).some((value) => value !== 0) ? 1 : 0,
  );
  return { width, height, data: inside };
}

function hasLesion({ data }: LesionMask): boolean {
  return data.includes(1);
}
