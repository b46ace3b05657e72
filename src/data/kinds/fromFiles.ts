/** What samples that are files have in common, whoever named them: faults, subjects, and slices of volumes. */
import { type DataFault, type Findings, problemsError } from '../faults.js';
import type { DropList } from '../open/dropList.js';
import { namedSubjects, ownSubjectsWarning } from '../open/subjects.js';
import type { Dataset, Sample } from '../sample.js';
import { withDicomSubjects } from '../volumes/dicomSubjects.js';
import { expandVolumes } from '../volumes/volumes.js';
import type { DatasetSpec } from './spec.js';

/** Who is told what, while data is opened. */
export interface OpenOptions {
  readonly onWarning?: (message: string) => void;
  /** Is told of each sample that cannot be used; absent: the first check that samples fail ends in an error. */
  readonly onFault?: (fault: DataFault) => void;
  readonly dropList?: DropList;
}

/**
 * Throws or tells what a reader found, and hands the reading on. Faults of samples that the drop list names are
 * passed over.
 *
 * @throws DataError for the first check that samples failed, where there is no `onFault`; or the reader's refusal
 */
export function settle<Read extends Findings>(
  read: Read,
  { onWarning, onFault, dropList }: OpenOptions,
): Read {
  for (const { headline, fix, faulty } of read.faults) {
    const left = faulty.filter(({ id }) => !dropList?.drops(id));
    if (left.length === 0) continue;
    if (onFault === undefined) {
      const all = left.flatMap(({ problems }) => problems);
      throw problemsError(headline(all.length), all, fix);
    }
    for (const { problems, ...fault } of left) onFault({ ...fault, message: problems.join('; ') });
  }
  if (read.refusal !== undefined) throw read.refusal;
  for (const warning of read.warnings ?? []) onWarning?.(warning);
  return read;
}

/** Names the subjects of samples that are files, as far as that can be, and takes volumes apart. */
export async function fromFiles(dataset: Dataset, spec: DatasetSpec, options: OpenOptions): Promise<Dataset> {
  const what = `${dataset.name}: the files name no patients`;
  const samples = await withSubjects(dataset.samples, what, spec, options);
  return { ...dataset, ...(await withSlices(samples, dataset.modalities, spec, options)) };
}

/**
 * Names the subjects of samples each of which is its own so far: by the pattern that is asked for, else by their DICOM
 * headers. Warns of those that stay without.
 *
 * @param what the reason why they have none, as the beginning of the warning
 */
export async function withSubjects(
  samples: readonly Sample[],
  what: string,
  spec: DatasetSpec,
  options: OpenOptions,
): Promise<readonly Sample[]> {
  if (spec.subject !== undefined) return namedBy(spec, samples, options);
  const read = settle(await withDicomSubjects(samples, spec.spellings), options);
  const own = read.samples.filter(({ id, subject }) => subject === id);
  // Of DICOM files without a patient is told already.
  if (own.length > 1 && (read.warnings ?? []).length === 0)
    options.onWarning?.(ownSubjectsWarning(what, own));
  return read.samples;
}

/** Names the subjects by the pattern of `--subject`, where there is one. */
export function namedBy(
  { subject }: DatasetSpec,
  samples: readonly Sample[],
  options: OpenOptions,
): readonly Sample[] {
  return subject === undefined ? samples : settle(namedSubjects(samples, subject), options).samples;
}

export async function withSlices(
  samples: readonly Sample[],
  modalities: readonly string[],
  { volumes, maxBytes }: DatasetSpec,
  options: OpenOptions,
): Promise<Pick<Dataset, 'modalities' | 'samples'>> {
  return { modalities, samples: settle(await expandVolumes(samples, volumes, maxBytes), options).samples };
}
