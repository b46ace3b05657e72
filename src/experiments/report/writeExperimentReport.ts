/**
 * The room `experiments/report` makes one page of all that an experiment found. This file writes it for `anatomy report
 * EXPERIMENT`.
 */
import { join } from 'node:path';
import { UsageError } from '../../errors.js';
import { type ReportFiles, type ReportOptions, writeStudy } from '../../report/index.js';
import { type ExperimentStudyOptions, studyOfExperiment } from './studyOfExperiment.js';

/**
 * Writes the report of an experiment.
 *
 * @param paths the folder of one experiment
 * @throws UsageError when there are others beside it, or the folder for the report holds something else; DataError
 * naming a cell that is damaged
 */
export async function writeExperimentReport(
  paths: readonly string[],
  options: ReportOptions & Pick<ExperimentStudyOptions, 'matching'>,
): Promise<ReportFiles> {
  const [root, ...others] = paths;
  if (root === undefined || others.length > 0) {
    throw new UsageError(
      `report: ${paths.join(', ')}: an experiment is reported by itself; name it alone, or runs alone`,
    );
  }
  return writeStudy(
    options.out ?? join(root, 'report'),
    () => studyOfExperiment(root, options),
    options.console,
  );
}
