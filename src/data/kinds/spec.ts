/**
 * The room `data/kinds` knows the kinds of data that `--data` may name: it finds out which one is named, and lets its
 * reader read it. This file has the name itself, and refuses what does not go together in it.
 */
import { UsageError } from '../../errors.js';
import type { ManifestColumns } from '../open/manifestColumns.js';
import type { Spellings } from '../open/names.js';
import type { Preprocessing } from '../preprocessing.js';
import type { VolumeOptions } from '../volumes/volumes.js';

/** The name of a data set, as every command line and every config gives it. */
export interface DatasetSpec {
  /**
   * A place or name of the kinds that `WHAT_DATA_IS` lists: a manifest, a known data set's folder, one of two folders
   * or volumes, a pack, tar shards, `phantom:…`. Absent where `folders` name the data.
   */
  readonly path?: string;
  /** The second of two folders that are matched by file name, or the second of two volumes. */
  readonly pathB?: string;
  /** Modality → its folder of images, or its volume, in the place of `path`. Images of one stem are one sample. */
  readonly folders?: Readonly<Record<string, string>>;
  /**
   * The names of the modalities, in their order: of a manifest and of other programs' shards the columns, of other data
   * those to take; absent: `a` and `b`, and whatever other data has.
   */
  readonly modalities?: readonly string[];
  /** A regular expression that finds the patient in a sample's id or the name of its files; see `namedSubjects`. */
  readonly subject?: string;
  /** The folder that the manifest's image paths are relative to; absent: the manifest's. */
  readonly imageRoot?: string;
  /** Role → column name in the manifest; see `ManifestColumns`. */
  readonly columns?: ManifestColumns;
  /** The class that counts as positive; needed where the names of the classes do not tell. */
  readonly positive?: string;
  /** The classes whose samples are taken; absent: all, or those that users of a known data set take. */
  readonly classes?: readonly string[];
  /** What becomes of subjects and classes whose names differ in spelling alone; absent: they are joined. */
  readonly spellings?: Spellings;
  /** A file that lists samples to leave out, as `data check --drop-list` writes it. */
  readonly drop?: string;
  /** The preprocessing that is asked for; a modality that the data does not have is refused. */
  readonly preprocess?: Readonly<Record<string, Preprocessing>>;
  /**
   * The preprocessing of modalities of these names, such as an encoder was trained with, where neither `preprocess` nor
   * the data set says one. Images that were preprocessed already, in a pack or in shards, stay as they are.
   */
  readonly defaultPreprocess?: Readonly<Record<string, Preprocessing>>;
  readonly volumes?: VolumeOptions;
  /** The most bytes that one image or volume may take when it is decoded; absent: 512 MiB. */
  readonly maxBytes?: number;
}

export function refuseSecondFolder({ pathB }: DatasetSpec, what: string): void {
  if (pathB === undefined) return;
  throw new UsageError(
    `--data-b ${pathB} goes with a folder of images, but --data names ${what}. Leave --data-b out.`,
  );
}

export function refuseColumns({ columns }: DatasetSpec, what: string): void {
  if (columns === undefined || Object.keys(columns).length === 0) return;
  throw new UsageError(
    `--column (${Object.keys(columns).join(', ')}) goes with a manifest, but --data names ${what}. Leave it out.`,
  );
}

/** @throws UsageError if images are looked for in a folder that the data does not speak of */
export function refuseManifestFlags({ imageRoot }: DatasetSpec, what: string): void {
  if (imageRoot === undefined) return;
  throw new UsageError(
    `--image-root ${imageRoot} goes with a manifest, but --data names ${what}. Leave it out.`,
  );
}

/** @throws UsageError if a pattern is given for subjects that the data names */
export function refuseSubject({ subject }: DatasetSpec, what: string): void {
  if (subject === undefined) return;
  throw new UsageError(
    `--subject '${subject}' finds patients in names, but --data names ${what}. Leave it out.`,
  );
}
