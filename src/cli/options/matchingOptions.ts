import type { Command } from 'commander';
import type { Matching } from '../../experiments/table/matching.js';
import { consoleOf } from '../console.js';
import { decimalNumber } from './configOptions.js';
import { addDataOptions, type DataFlags, dataOf } from './dataOptions.js';

/** The flags of commands that report on an experiment by samples that are alike in a column. */
export interface MatchingFlags extends DataFlags {
  matched?: string;
  within?: number;
}

export function addMatchingOptions(command: Command): Command {
  command
    .option(
      '--matched <column>',
      'AUC among samples alike in this column of the data, or quotient of two, such as slice/n_slices',
    )
    .option('--within <width>', 'of --matched: largest difference that counts as alike', decimalNumber);
  return addDataOptions(command, 'of --matched: where the data lie (default: where they were pretrained on)');
}

/**
 * Reads how samples are matched; undefined when they are not.
 * @throws UsageError when one of the flags is given without another that it needs
 */
export async function askedMatching(
  program: Command,
  experiment: string | undefined,
  { matched, within, ...flags }: MatchingFlags,
): Promise<Matching | undefined> {
  const { UsageError } = await import('../../errors.js');
  const spec = dataOf(flags);
  if (matched === undefined) {
    if (within === undefined && Object.values(spec).every((value) => value === undefined)) return undefined;
    throw new UsageError('--within and flags of data are for --matched COLUMN; add it, or leave them out');
  }
  if (within === undefined) {
    throw new UsageError(
      `--matched ${matched}: how far apart is alike? Add --within WIDTH, in units of ${matched}`,
    );
  }
  if (experiment === undefined) {
    throw new UsageError(`--matched ${matched} is of an experiment’s folder, not of runs; leave it out`);
  }
  const { readMatching } = await import('../../experiments/table/matching.js');
  return readMatching(experiment, { column: matched, within, data: spec, console: consoleOf(program) });
}
