import { type BootstrapOptions, bootstrapDifference } from '../metrics/bootstrap.js';
import { modalityKey } from './representations.js';
import type { RowDifference, RowName } from './result.js';
import { type Judged, metricNames, resampledAuc } from './rowMetrics.js';

/**
 * Each row of the run against the untrained encoder's same features and the thumbnail of the same images, by AUC. Rows are
 * judged on the same samples, so both sides see the same draws of subjects.
 */
export function differences(
  rows: readonly RowName[],
  judgedOf: (key: string) => Judged,
  options: BootstrapOptions,
): RowDifference[] {
  const ofRun = rows.filter(({ source }) => source === 'run');
  return ofRun.flatMap((row) => {
    const same = rows.filter(
      ({ source, features, modalities }) =>
        modalityKey(modalities) === modalityKey(row.modalities) &&
        (source === 'thumbnail' || (source === 'untrained' && features === row.features)),
    );
    return same.map((against) => {
      const first = judgedOf(row.key);
      const second = judgedOf(against.key);
      const { undefinedReplicates: _, ...found } = bootstrapDifference(
        resampledAuc(first),
        resampledAuc(second),
        first.subjects,
        options,
      );
      return { row: row.key, against: against.key, metric: metricNames(first.classes)[0]!, ...found };
    });
  });
}
