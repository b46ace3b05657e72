import path from 'node:path';
import type { Findings } from '../faults.js';
import { stemOf } from '../formats/fileKind.js';
import { imagesByStem } from '../open/folders.js';
import type { Dataset, FileSource } from '../sample.js';
import type { Folder } from './folderTree.js';

/** A published data set that is recognised by the folder it is published as. */
export interface KnownDataset {
  /** The name for messages. */
  readonly name: string;
  /** The classes taken where none are asked for; absent: all. */
  readonly classes?: readonly string[];
  /** Whether the folder itself is laid out as this data set, be it complete or not. */
  recognise(folder: Folder): boolean;
  /** @throws DataError if a part of the data set is missing */
  open(folder: Folder): Promise<KnownReading>;
}

/** A known data set as its folder holds it, with the reader's findings. */
export interface KnownReading extends Dataset, Partial<Findings> {
  /** Whether the names tell the patients; if not, each sample is a subject of its own. */
  readonly namesSubjects?: boolean;
}

/** Lists the names of the images directly in a folder, without their endings. Unlike `imagesIn` it never refuses. */
export function stemsIn({ images }: Folder): string[] {
  return images.map(stemOf);
}

/** Lists the images directly in a folder, in the order of their names. */
export function imagesIn(folder: Folder): { stem: string; source: FileSource }[] {
  return [...imagesByStem(folder.path, folder.images)].map(([stem, file]) => ({
    stem,
    source: { kind: 'file', path: path.join(folder.path, file) },
  }));
}
