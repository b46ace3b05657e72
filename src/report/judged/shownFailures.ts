/** Chooses the errors that a page shows. Images come with them only for phantoms, or when the user asks. */
import type { StoredEvaluation } from '../../evaluation/readResults.js';
import type { RunData, Unavailable } from '../source/runData.js';
import { isPhantom, type RunRecord } from '../source/runRecord.js';
import { thumbnails } from '../source/thumbnails.js';
import { type PageFailures, withoutIdentities } from './failureSection.js';
import { type Failures, failuresOf } from './judgement.js';

/** The number of errors that a report shows. */
export const SHOWN_FAILURES = 12;

/** The errors of an evaluation of a run; undefined where its predictions are not stored. */
export async function failuresShown(
  run: RunRecord,
  evaluation: StoredEvaluation | undefined,
  data: RunData | Unavailable,
  withImages = false,
): Promise<PageFailures | undefined> {
  if (evaluation === undefined) return undefined;
  const { record, predictions } = evaluation;
  const found = failuresOf(record, predictions, SHOWN_FAILURES);
  if (found === undefined) return undefined;
  return withPictures(found, { data, dataHash: record.data.dataHash, show: isPhantom(run) || withImages });
}

export interface PictureSource {
  readonly data: RunData | Unavailable;
  /** The hash of the data that was judged; images of other data are not shown. */
  readonly dataHash?: string;
  /** Whether images may be shown. */
  readonly show: boolean;
}

export async function withPictures(
  found: Failures,
  { data, dataHash, show }: PictureSource,
): Promise<PageFailures> {
  const named = withoutIdentities(found.worst);
  const without = named.map((one) => ({ ...one, pictures: [] }));
  if (!show) {
    return {
      found,
      shown: without,
      withheld:
        'Samples have pseudonyms, and their images are left out, as this page may be shared; --with-images shows them.',
    };
  }
  if ('reason' in data || data.published !== dataHash) {
    const withheld = 'reason' in data ? data.reason : 'Their images are of other data than the run’s.';
    return { found, shown: without, withheld };
  }
  const shown = [];
  for (const [i, { id }] of found.worst.entries()) {
    const sample = data.sampleOf(id);
    shown.push({
      ...named[i]!,
      pictures: sample === undefined ? [] : await thumbnails(data.dataset, sample),
    });
  }
  return { found, shown };
}
