import { resolve } from 'node:path';
import type { Config } from '../config/index.js';
import { type ImageCache, openImageCache } from '../data/cache.js';
import { type DatasetSpec, openDataset } from '../data/dataset.js';
import type { Dataset } from '../data/sample.js';
import { UsageError } from '../errors.js';
import type { MessageConsole } from '../log/console.js';
import { Progress } from '../log/progress.js';

/** What the command line says about the data; all of it is the run's own where left out. */
export type JudgedDataSpec = Partial<DatasetSpec>;

/** Side of the cached images, by the run's rule, so that the encoder sees what it saw in pretraining. */
export function cacheSizeOf({ data }: Config): number {
  return data.cacheSize ?? 2 * data.size;
}

/**
 * Opens the data to judge on. Columns and the positive class are the run's only where the data is: names in other data
 * have nothing to do with them.
 */
export async function openJudgedData(
  asked: JudgedDataSpec,
  config: Config,
  console: MessageConsole,
  cacheFolder: string | undefined,
): Promise<{ dataset: Dataset; cache: ImageCache }> {
  const onWarning = (message: string) => console.warn(message);
  const dataset = await openDataset(specOf(asked, config), { onWarning });
  let progress: Progress | undefined;
  const cache = await openImageCache(dataset, {
    size: cacheSizeOf(config),
    root: cacheFolder,
    onWarning,
    onProgress: (done, total) => {
      progress ??= new Progress(total, console, { title: 'decoding' });
      progress.update(done);
    },
  }).finally(() => progress?.stop());
  return { dataset, cache };
}

function specOf(asked: JudgedDataSpec, { data }: Config): DatasetSpec {
  const path = asked.path ?? data.path;
  if (path === null) {
    throw new UsageError(
      'the run does not name its data; name it with --data: a manifest, two folders or phantom:…',
    );
  }
  const own = asked.path === undefined || samePlace(asked.path, data.path);
  const pathB = asked.pathB ?? (own ? data.pathB : null);
  return {
    path,
    pathB: pathB ?? undefined,
    columns: asked.columns ?? (own ? data.columns : {}),
    positive: asked.positive ?? (own ? data.positive : null) ?? undefined,
  };
}

function samePlace(a: string, b: string | null): boolean {
  return b !== null && (a === b || (!a.startsWith('phantom:') && resolve(a) === resolve(b)));
}
