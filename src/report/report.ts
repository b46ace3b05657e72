/** The command `anatomy report`: it writes the page of one run, or of several side by side. */
import { UsageError } from '../errors.js';
import type { ReportFiles } from './reportFolder.js';
import { type ReportOptions, writeRunReport } from './run/writeRunReport.js';
import { studyOfRuns } from './study/studyOfRuns.js';
import { writeStudy } from './study/writeStudy.js';

/**
 * Writes the report of one run or of several.
 *
 * @throws UsageError where there is no run or no place for the report, DataError when a file of a run cannot be read
 */
export async function writeReport(runs: readonly string[], options: ReportOptions): Promise<ReportFiles> {
  const [first, ...others] = runs;
  if (first === undefined) throw new UsageError('report: no run is named, expected at least one');
  if (others.length === 0) return writeRunReport(first, options);
  if (options.out === undefined) {
    throw new UsageError(`report: ${runs.length} runs have no folder in common; name one with --out`);
  }
  return writeStudy(options.out, () => studyOfRuns(runs, options), options.console);
}
