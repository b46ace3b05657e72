/**
 * The data of a run, where they can still be read: the findings of a quick look, and the sample that a pseudonym stands
 * for.
 */
import { basename } from 'node:path';
import { type Config, placesOf } from '../../config/index.js';
import { type QuickAudit, quickAudit, quickWarnings } from '../../data/audit/quickAudit.js';
import { presentAmong } from '../../data/presence.js';
import { pseudonym, published } from '../../data/pseudonym.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { AnatomyError } from '../../errors.js';
import type { MessageConsole } from '../../log/console.js';
import { openImages } from '../../training/imageCache.js';
import { withoutFolders } from '../../training/pretrain.js';
import { readFolds } from '../../training/runFolder.js';
import { openData } from '../../training/trainingData.js';
import type { RunRecord } from './runRecord.js';

export interface RunData {
  readonly dataset: Dataset;
  readonly audit: QuickAudit;
  /** The faults of the data, one on each line. */
  readonly faults: readonly string[];
  /** A hash that names the data. Predictions of the same data have the same hash. */
  readonly published: string;
  /** Finds the sample that has this pseudonym or this id. */
  readonly sampleOf: (name: string) => Sample | undefined;
}

/** What a sample of the data is called: two aligned images are a pair. */
export function sampleName(data: RunData | Unavailable): 'pair' | 'sample' {
  if ('reason' in data) return 'pair';
  const { modalities, samples } = data.dataset;
  return modalities.length === 2 && presentAmong(samples, modalities) === undefined ? 'pair' : 'sample';
}

/** The reason that no data can be shown. */
export interface Unavailable {
  readonly reason: string;
}

/** Opens the data of a run. Images that are in the cache are not decoded again. */
export async function openRunData(
  { root, config, provenance }: RunRecord,
  console: MessageConsole,
): Promise<RunData | Unavailable> {
  if (config.data.shuffleBuffer !== null) {
    return {
      reason: 'The data are streamed, which has no place for a look at all of them; anatomy data check has.',
    };
  }
  try {
    const folder = config.data.cacheFolder ?? undefined;
    const dataset = await openData(config, console);
    const cache = await openImages(dataset, config, folder, console);
    const hash = published(cache.dataHash);
    if (hash !== provenance.dataHash) {
      return { reason: 'The data have changed since the run, so nothing is said of them here.' };
    }
    const audit = await quickAudit(dataset, cache, folder);
    // The run keeps its own folds; the file that they came from may be anywhere.
    const folds = readFolds(root, cache.ids, cache.dataHash);
    const faults = quickWarnings(audit, (at) => folds?.get(dataset.samples[at]!.id));
    const samples = new Map(
      dataset.samples.flatMap((sample) => [
        [sample.id, sample],
        [pseudonym('sample', sample.id, cache.dataHash), sample],
      ]),
    );
    return { dataset, audit, faults, published: hash, sampleOf: (name) => samples.get(name) };
  } catch (error) {
    // The data may have moved away, and the page is still useful without them.
    if (!(error instanceof AnatomyError)) throw error;
    console.warn(`the data of ${basename(root)} could not be opened: ${error.message}`);
    return {
      reason: `The data could not be opened when this report was made${reasonOnPage(error, config)}.`,
    };
  }
}

/**
 * Tells on a page why data could not be opened. Pages are shared, so folders are left out and quoted values hidden; a
 * reason that names a file other than those of the config, such as the image of a patient, is told on the terminal
 * alone.
 */
export function reasonOnPage({ message }: Error, config: Config): string {
  // The first sentence is the reason, and the others are advice for the terminal.
  const told = withoutFolders(message.split(/\. | \(/)[0]!)
    .replace(/["“][^"”]*["”]/g, '“…”')
    .replace(/\.$/, '');
  const known = [...placesOf(config).values()].map((path) => basename(path));
  const files = told.match(/[^\s:;,()]+\.[a-z]\w{1,5}\b/gi) ?? [];
  return files.every((file) => known.includes(file)) ? `: ${told}` : '; the terminal said why';
}
