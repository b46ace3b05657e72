import { resolve } from 'node:path';
import type { Config } from '../../config/index.js';
import { WHAT_DATA_IS } from '../../data/open/dataNames.js';
import { type DatasetSpec, openDataset } from '../../data/openDataset.js';
import type { Dataset } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import type { MessageConsole } from '../../log/console.js';
import { datasetSpec } from '../../training/datasetSpec.js';

/** What the command line says about the data; the run's own where left out. */
export interface JudgedDataSpec extends Partial<DatasetSpec> {
  /** Nothing is left out: nothing is the run's own, even where the data is. */
  readonly complete?: boolean;
}

/**
 * Opens the data to judge on; nothing is decoded yet. Columns and the positive class are the run's only where the data
 * is: names in other data have nothing to do with them.
 */
export async function openJudgedData(
  asked: JudgedDataSpec,
  config: Config,
  console: MessageConsole,
): Promise<Dataset> {
  return openDataset(specOf(asked, config), { onWarning: (message) => console.warn(message) });
}

function specOf({ complete, ...asked }: JudgedDataSpec, config: Config): DatasetSpec {
  const { data } = config;
  if ((asked.path ?? data.path) === null) {
    throw new UsageError(`the run does not name its data; name it with --data: ${WHAT_DATA_IS}`);
  }
  const own = !complete && (asked.path === undefined || samePlace(asked.path, data.path));
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  if (!own) return { ...given, path: asked.path! };
  const base = datasetSpec(config);
  return { ...base, ...given, columns: { ...base.columns, ...asked.columns } };
}

function samePlace(a: string, b: string | null): boolean {
  return b !== null && (a === b || (!a.startsWith('phantom:') && resolve(a) === resolve(b)));
}
