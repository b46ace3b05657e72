/** Which errors of a run a page shows, and with what. */
import type { StoredEvaluation } from './evaluationRecord.js';
import { type PageFailures, withoutIdentities } from './failureSection.js';
import { failuresOf } from './judgement.js';
import type { RunData, Unavailable } from './runData.js';
import { isPhantom, type RunRecord } from './runRecord.js';
import { thumbnails } from './thumbnails.js';

/** Errors that a report shows. */
const SHOWN = 12;

/** The errors of the primary evaluation; their images only of phantoms or when asked. */
export async function failuresShown(
  run: RunRecord,
  evaluation: StoredEvaluation | undefined,
  data: RunData | Unavailable,
  withImages = false,
): Promise<PageFailures | undefined> {
  const found = evaluation && failuresOf(evaluation.record, evaluation.predictions, SHOWN);
  if (found === undefined) return undefined;
  const named = withoutIdentities(found.worst);
  const without = named.map((one) => ({ ...one, pictures: [] }));
  if (!isPhantom(run) && !withImages) {
    return {
      found,
      shown: without,
      withheld:
        'Samples have pseudonyms, and their images are left out, as this page may be shared; --with-images shows them.',
    };
  }
  if ('reason' in data || data.published !== evaluation!.record.data.dataHash) {
    return { found, shown: without, withheld: 'Their images could not be opened when this report was made.' };
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
