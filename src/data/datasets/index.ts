/** The room `data/datasets` knows published data sets by the layout of their folders, so that they need no manifest. */
import path from 'node:path';
import { DataError } from '../../errors.js';
import type { Findings } from '../faults.js';
import type { Dataset } from '../sample.js';
import { brats } from './brats.js';
import { busi } from './busi.js';
import { composite } from './composite.js';
import { type Folder, readFolderTree } from './folderTree.js';
import { fundusFfa } from './fundusFfa.js';
import { ichallengeAmd } from './ichallengeAmd.js';
import { ichallengePm } from './ichallengePm.js';
import type { KnownDataset } from './known.js';

export const knownDatasets: readonly KnownDataset[] = [
  brats,
  composite,
  fundusFfa,
  busi,
  ichallengePm,
  ichallengeAmd,
];

interface OpenedKnown extends Findings {
  readonly namesSubjects: boolean;
  readonly dataset: Dataset;
  readonly classes?: readonly string[];
}

/**
 * Opens the known data set that the folder is, or that it holds a few levels down. Gives undefined where there is none.
 *
 * @returns the data set with all its classes, the classes to take where none are asked for, and the reader's findings
 * @throws DataError if the folder holds several, or one that lacks a part
 */
export async function openKnownDataset(place: string): Promise<OpenedKnown | undefined> {
  const found = findKnown(await readFolderTree(place));
  const [first, ...others] = found;
  if (first === undefined) return undefined;
  if (others.length > 0) {
    const listed = found.map(
      ({ known, folder }) => `${known.name} in ${path.relative(place, folder.path) || '.'}`,
    );
    throw new DataError(
      `${place}: holds several known data sets: ${listed.join(', ')}. Name one of these folders.`,
    );
  }
  const {
    faults = [],
    warnings = [],
    refusal,
    namesSubjects = false,
    ...dataset
  } = await first.known.open(first.folder);
  return {
    dataset,
    classes: first.known.classes,
    faults,
    warnings: [...warnings, ...countWarnings(dataset)],
    refusal,
    namesSubjects,
  };
}

/** Searches no further below a folder that is recognised, as parts of one data set may look like another one. */
function findKnown(folder: Folder): { known: KnownDataset; folder: Folder }[] {
  const here = knownDatasets.filter((known) => known.recognise(folder)).map((known) => ({ known, folder }));
  return here.length > 0 ? here : folder.folders.flatMap(findKnown);
}

function countWarnings({ name, samples, published }: Dataset): string[] {
  if (published === undefined) return [];
  const inAll = published.samples ?? Object.values(published.counts).reduce((sum, count) => sum + count, 0);
  if (samples.length === inAll) return [];
  return [`${name}: ${samples.length} samples found, ${inAll} are published. Is a part missing?`];
}
