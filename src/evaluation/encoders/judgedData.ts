import { resolve } from 'node:path';
import type { Config } from '../../config/index.js';
import { WHAT_DATA_IS } from '../../data/open/dataNames.js';
import { type DatasetSpec, openDataset } from '../../data/openDataset.js';
import type { Dataset } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import type { MessageConsole } from '../../log/console.js';
import { datasetSpec } from '../../training/datasetSpec.js';

/** The data that the command line names; what it leaves out is taken from the run. */
export interface JudgedDataSpec extends Partial<DatasetSpec> {
  /** True when nothing is taken from the run, even if the data is the run's own. */
  readonly complete?: boolean;
}

/**
 * Opens the data to judge on, without decoding any image. Columns and the positive class are taken from the run only
 * when the data is the run's own, since the names in other data have nothing to do with them. Modalities that are named
 * as in the run are preprocessed as there, unless the data says otherwise.
 */
export async function openJudgedData(
  asked: JudgedDataSpec,
  config: Config,
  console: MessageConsole,
): Promise<Dataset> {
  const spec = specOf(asked, config);
  const dataset = await openDataset(spec, { onWarning: (message) => console.warn(message) });
  const { defaultPreprocess = {} } = spec;
  const alike = Object.keys(defaultPreprocess).filter(
    (modality) => dataset.preprocess?.[modality] === defaultPreprocess[modality],
  );
  if (alike.length > 0) console.info(`${dataset.name}: preprocessed as in the run: ${alike.join(', ')}`);
  return dataset;
}

function specOf({ complete, ...asked }: JudgedDataSpec, config: Config): DatasetSpec {
  const { data } = config;
  const named = asked.path ?? asked.folders ?? data.path ?? data.folders;
  if (named === undefined || named === null) {
    throw new UsageError(`the run does not name its data; name it with --data: ${WHAT_DATA_IS}`);
  }
  const other = asked.path ?? asked.folders;
  const own = !complete && (other === undefined || samePlace(other, data.path ?? data.folders));
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  if (!own) return complete ? given : { defaultPreprocess: data.preprocess, ...given };
  const base = datasetSpec(config);
  return { ...base, ...given, columns: { ...base.columns, ...asked.columns } };
}

/** A place is a path, or the path of each modality by its name. */
type NamedPlace = string | Readonly<Record<string, string>> | undefined;

function samePlace(a: NamedPlace, b: NamedPlace): boolean {
  return JSON.stringify(absolute(a)) === JSON.stringify(absolute(b));
}

function absolute(place: NamedPlace): NamedPlace {
  if (typeof place === 'string') return place.startsWith('phantom:') ? place : resolve(place);
  return place && Object.fromEntries(Object.entries(place).map(([name, path]) => [name, resolve(path)]));
}
