/** The words and types for samples that cannot be used: readers return them, and `openDataset` throws or tells. */
import { DataError } from '../errors.js';
import type { Sample } from './sample.js';

/** A sample that the data names but does not hold, as `openDataset` tells of it. */
export interface DataFault {
  readonly kind: 'missing-mate' | 'missing-file' | 'bad-row' | 'needs-setting';
  /** The sample's id, or the stem of the file that stands alone. */
  readonly id: string;
  /** A sentence that says what is wrong and names the place. */
  readonly message: string;
}

/** A faulty sample with one line for each thing that is wrong with it. */
export interface FaultySample extends Pick<DataFault, 'kind' | 'id'> {
  readonly problems: readonly string[];
}

/** The samples that failed one check, with the words of the error for them all. */
export interface FaultGroup {
  /** The first line of the error, without a full stop, given how many problems are listed below it. */
  readonly headline: (problems: number) => string;
  /** The last line of the error: what to do about the problems. */
  readonly fix: string;
  /** The samples that failed the check; the reader has left them out. Empty where all is well. */
  readonly faulty: readonly FaultySample[];
}

/** A reader's findings beside the samples. `openDataset` alone decides what becomes of them. */
export interface Findings {
  /** One group for each check, in the order of the checks. */
  readonly faults: readonly FaultGroup[];
  /** Sentences that say what was assumed where the data leaves something out. They come after the faults. */
  readonly warnings?: readonly string[];
  /** The reason why no sample at all can be read. It is thrown once the faults, which may be its cause, are told. */
  readonly refusal?: DataError;
}

/** A reader's result: the samples that can be used, and its findings. */
export interface Reading extends Findings {
  readonly samples: readonly Sample[];
}

/** The number of problems that a message lists; further ones are only counted. */
const LISTED = 10;

/**
 * Makes one error of all problems, so that a data set is repaired in one go and not in one run for each file.
 *
 * @param headline what is wrong, without a full stop
 * @param problems one line each, the most useful first
 * @param fix what to do about it
 */
export function problemsError(headline: string, problems: readonly string[], fix: string): DataError {
  const lines = problems.slice(0, LISTED).map((problem) => `  ${problem}`);
  if (problems.length > LISTED) lines.push(`  … and ${problems.length - LISTED} more`);
  return new DataError(`${headline}:\n${lines.join('\n')}\n${fix}`);
}

/** Names an image for messages, by the place where the data names it, the sample and the modality. */
export function describeImage(sample: Sample, modality: string): string {
  return `${sample.origin === undefined ? '' : `${sample.origin}: `}"${sample.id}" (${modality})`;
}
