import { DataError } from '../errors.js';

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
