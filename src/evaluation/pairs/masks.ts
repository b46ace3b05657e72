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
  const phantom = await openPhantom(path);
  const indexOf = new Map(phantom.dataset.samples.map(({ id }, index) => [id, index]));
  const lesion = positions.map((position) => {
    const data = phantom.lesion(indexOf.get(dataset.samples[position]!.id)!, size);
    return [position, { width: size, height: size, data }] as const;
  });
  return { lesion: new Map(lesion.filter(([, mask]) => hasLesion(mask))), missing: 0 };
}

async function fromFolder(positions: readonly number[], dataset: Dataset, folder: string): Promise<Masks> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new DataError(`--masks ${folder}: no such folder; expected one that holds ID.png for each pair`);
  }
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
