import type { Config } from '../config/index.js';
import { WHAT_DATA_IS } from '../data/open/dataNames.js';
import type { DatasetSpec } from '../data/openDataset.js';
import { UsageError } from '../errors.js';

/** Takes from a config which data to open and how. @throws UsageError when the config names no data */
export function datasetSpec({ data }: Pick<Config, 'data'>): DatasetSpec {
  const { path, pathB, folders, modalities, subject, imageRoot, columns } = data;
  const { positive, classes, spellings, drop, preprocess, volumes, maxBytes } = data;
  if (path === null && folders === undefined) {
    throw new UsageError(`no data; name it with --data: ${WHAT_DATA_IS}`);
  }
  return {
    path: path ?? undefined,
    pathB: pathB ?? undefined,
    ...defined({ folders, modalities, subject, imageRoot }),
    columns,
    positive: positive ?? undefined,
    classes: classes ?? undefined,
    ...defined({ spellings }),
    drop: drop ?? undefined,
    preprocess,
    volumes,
    maxBytes,
  };
}

function defined<Settings extends object>(settings: Settings): Partial<Settings> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Settings>;
}
