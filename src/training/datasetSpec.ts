import type { Config } from '../config/index.js';
import { WHAT_DATA_IS } from '../data/open/dataNames.js';
import type { DatasetSpec } from '../data/openDataset.js';
import { UsageError } from '../errors.js';

/** Takes from a config which data to open and how. @throws UsageError when the config names no data */
export function datasetSpec({ data }: Pick<Config, 'data'>): DatasetSpec {
  const { path, pathB, columns, positive, classes, spellings, drop, preprocess, volumes, maxBytes } = data;
  if (path === null) {
    throw new UsageError(`no data; name it with --data: ${WHAT_DATA_IS}`);
  }
  return {
    path,
    pathB: pathB ?? undefined,
    columns,
    positive: positive ?? undefined,
    classes: classes ?? undefined,
    ...(spellings === undefined ? {} : { spellings }),
    drop: drop ?? undefined,
    preprocess,
    volumes,
    maxBytes,
  };
}
