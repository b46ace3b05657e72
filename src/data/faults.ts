import { DataError } from '../errors.js';
import type { Sample } from './sample.js';

/** A sample, or what should have been one, that the data names but does not hold. */
export interface DataFault {
  readonly kind: 'missing-mate' | 'missing-file' | 'bad-row';
  /** The sample's id, or the stem of the file that stands alone. */
  readonly id: string;
  /** What is wrong, naming the place. */
  readonly message: string;
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

/** All that is wrong with one sample, a line each. */
export interface FaultySample extends Pick<DataFault, 'kind' | 'id'> {
  readonly problems: readonly string[];
}

/** How a reader goes on where a sample cannot be used. */
export interface FaultOptions {
  /** Told of each such sample, which is then left out; without it, they end in one DataError. */
  readonly onFault?: (fault: DataFault) => void;
  /** Of samples that are to be left out anyway, nobody is told. */
  readonly dropList?: { drops(id: string): boolean };
}

/**
 * Tells of the faulty samples, so that the caller can go on without them.
 *
 * @param error the error for all problems together, thrown where nobody listens
 */
export function tellFaults(
  faulty: readonly FaultySample[],
  { onFault, dropList }: FaultOptions,
  error: (problems: readonly string[]) => DataError,
): void {
  const told = faulty.filter(({ id }) => !dropList?.drops(id));
  if (told.length === 0) return;
  if (onFault === undefined) throw error(told.flatMap(({ problems }) => problems));
  for (const { problems, ...fault } of told) onFault({ ...fault, message: problems.join('; ') });
}

/** How messages name one image: where the data names it, the sample and the modality. */
export function describeImage(sample: Sample, modality: string): string {
  return `${sample.origin === undefined ? '' : `${sample.origin}: `}"${sample.id}" (${modality})`;
}
