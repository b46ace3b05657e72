import { UsageError } from '../errors.js';
import type { ReportFiles, ReportOptions } from '../report/index.js';

/** Writes the page of an experiment. */
export async function writeExperimentReport(
  paths: readonly string[],
  _options: ReportOptions,
): Promise<ReportFiles> {
  throw new UsageError(`${paths[0]}: not yet`);
}
