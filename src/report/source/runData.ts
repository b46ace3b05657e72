/** The data of a run, where they are still there: what a quick look finds, and which sample a pseudonym means. */
import { type QuickAudit, quickAudit, quickWarnings } from '../../data/audit/quickAudit.js';
import { pseudonym, published } from '../../data/pseudonym.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { AnatomyError } from '../../errors.js';
import type { MessageConsole } from '../../log/console.js';
import { openImages } from '../../training/imageCache.js';
import { foldsOf, openData } from '../../training/trainingData.js';
import type { RunRecord } from './runRecord.js';

export interface RunData {
  readonly dataset: Dataset;
  readonly audit: QuickAudit;
  /** What was found, a line each. */
  readonly faults: readonly string[];
  /** Names the data; predictions of the same data have the same. */
  readonly published: string;
  /** The sample of a pseudonym or an id. */
  readonly sampleOf: (name: string) => Sample | undefined;
}

/** Why there is nothing to show. */
export interface Unavailable {
  readonly reason: string;
}

/** Decodes nothing that is in the cache already. */
export async function openRunData(
  { config, provenance }: RunRecord,
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
    const folds = config.data.fold === 'none' ? undefined : await foldsOf(config, dataset);
    const faults = quickWarnings(audit, (at) => folds?.folds[dataset.samples[at]!.id]);
    const samples = new Map(
      dataset.samples.flatMap((sample) => [
        [sample.id, sample],
        [pseudonym('sample', sample.id, cache.dataHash), sample],
      ]),
    );
    return { dataset, audit, faults, published: hash, sampleOf: (name) => samples.get(name) };
  } catch (error) {
    // The data may have moved away: the numbers are still worth a page.
    if (!(error instanceof AnatomyError)) throw error;
    return { reason: 'The data could not be opened when this report was made.' };
  }
}
