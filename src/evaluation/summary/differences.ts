import { clusteredTest } from '../../metrics/areas/areaTests.js';
import { areaComponents, combineAreas } from '../../metrics/areas/deLong.js';
import { classColumn } from '../../metrics/areas/rocAuc.js';
import { type BootstrapOptions, bootstrapDifference, smallestP } from '../../metrics/bootstrap.js';
import { holm } from '../../metrics/holm.js';
import type { RowDifference, RowName } from '../results/evaluationResult.js';
import { modalityKey } from '../results/modalitySets.js';
import type { Computed } from '../results/stored.js';
import { type Judged, metricNames, resampledAuc } from './rowMetrics.js';

/**
 * Compares by AUC each row of the run with the untrained encoder's same features and with the thumbnail of the same
 * images. Rows of the same images are judged on the same samples, so both sides see the same draws of subjects. Holm's
 * correction takes all comparisons as one family.
 *
 * @param isFew whether a row is judged on too few subjects for a test, where others have enough
 */
export function differences(
  rows: readonly RowName[],
  judgedOf: (key: string) => Judged,
  options: BootstrapOptions,
  isFew: (key: string) => boolean = () => false,
): Computed<RowDifference>[] {
  const ofRun = rows.filter(({ source }) => source === 'run');
  const found = ofRun.flatMap((row) => {
    const same = rows.filter(
      ({ source, features, modalities }) =>
        modalityKey(modalities) === modalityKey(row.modalities) &&
        (source === 'thumbnail' || (source === 'untrained' && features === row.features)),
    );
    return same.map((against) => {
      const one = difference(row.key, against.key, judgedOf, options);
      return isFew(row.key) ? untested(one) : one;
    });
  });
  const adjusted = holm(found.map(({ pValue }) => pValue));
  return found.map((one, i) => ({ ...one, holm: adjusted[i]! }));
}

function untested<Difference extends Omit<Computed<RowDifference>, 'holm'>>(one: Difference): Difference {
  const deLong = one.deLong && { ...one.deLong, pValue: Number.NaN };
  return { ...one, pValue: Number.NaN, minimumDetectable: Number.NaN, deLong };
}

function difference(
  row: string,
  against: string,
  judgedOf: (key: string) => Judged,
  options: BootstrapOptions,
): Omit<Computed<RowDifference>, 'holm'> {
  const [first, second] = [judgedOf(row), judgedOf(against)];
  const { undefinedReplicates: _, ...found } = bootstrapDifference(
    resampledAuc(first),
    resampledAuc(second),
    first.subjects,
    options,
  );
  const deLong = clusteredDifference(first, second, options);
  return { row, against, metric: metricNames(first.classes)[0]!, ...found, deLong };
}

/**
 * Tests the difference by DeLong’s method for clustered samples (Obuchowski 1997); undefined when there are more than
 * two classes.
 */
function clusteredDifference(
  first: Judged,
  second: Judged,
  options: BootstrapOptions,
): Computed<RowDifference['deLong']> {
  if (first.classes !== 2) return undefined;
  const areas = ({ probabilities, labels }: Judged) =>
    areaComponents(classColumn(probabilities, 2, 1), labels);
  const difference = combineAreas([
    [1, areas(first)],
    [-1, areas(second)],
  ]);
  const { value, low, high, pValue } = clusteredTest(difference, first.subjects, options);
  // The normal approximation knows no floor.
  return { value, low, high, pValue: Math.max(pValue, smallestP(new Set(first.subjects).size)) };
}
