import { DataError } from '../errors.js';
import type { Sample } from './sample.js';

/** A sample that the data names but does not hold, as `openDataset` tells of it. */
export interface DataFault {
  readonly kind: 'missing-mate' | 'missing-file' | 'bad-row';
  /** The sample's id, or the stem of the file that stands alone. */
  readonly id: string;
  /** Says what is wrong and names the place. */
  readonly message: string;
}

/** A faulty sample with one line for each thing that is wrong with it. */
export interface FaultySample extends Pick<DataFault, 'kind' | 'id'> {
  readonly problems: readonly string[];
}

/** The finding of one check, with the words of the error that it ends in where nobody listens. */
export interface FaultGroup {
  /** Says what is wrong, given how many problems are listed below it; without a full stop. */
  readonly headline: (problems: number) => string;
  /** Says what to do about it. */
  readonly fix: string;
  /** The samples that failed the check; the reader has left them out. Empty where all is well. */
  readonly faulty: readonly FaultySample[];
}

/** What a reader has to say beside what it read. `openDataset` alone decides what becomes of it. */
export interface Findings {
  /** One group for each check, in the order of the checks. */
  readonly faults: readonly FaultGroup[];
  /** Sentences that say what was assumed where the data leaves something out. They come after the faults. */
  readonly warnings?: readonly string[];
  /** Why no sample at all can be read. It is thrown once the faults, which may be its cause, are told. */
  readonly refusal?: DataError;
}

/** What a reader returns: the samples that can be used, and its findings. */
export interface Reading extends Findings {
  readonly samples: readonly Sample[];
}

/** How many problems a message lists before it only counts them. */
const LISTED = 10;

/**
 * One error for everything found wrong, so that a data set is repaired in one go and not one run a file.
 *
 * @param headline what is wrong, without a full stop
 * @param problems one line each, most useful first
 * @param fix what to do about it
 */
export function problemsError(headline: string, problems: readonly string[], fix: string): DataError {
  const lines = problems.slice(0, LISTED).map((problem) => `  ${problem}`);
  if (problems.length > LISTED) lines.push(`  … and ${problems.length - LISTED} more`);
  return new DataError(`${headline}:\n${lines.join('\n')}\n${fix}`);
}

/** How messages name one image: where the data names it, the sample and the modality. */
export function describeImage(sample: Sample, modality: string): string {
  return `${sample.origin === undefined ? '' : `${sample.origin}: `}"${sample.id}" (${modality})`;
}
