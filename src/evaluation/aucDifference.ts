import { clusteredTest } from '../metrics/areaTests.js';
import { areaComponents, combineAreas } from '../metrics/deLong.js';
import { classColumn } from '../metrics/rocAuc.js';
import type { RowDifference } from './result.js';
import type { Judged } from './rowMetrics.js';

/**
 * Difference of the mean areas of two lists of predictions, e.g. of a method's seeds, by DeLong’s test for clustered samples
 * (Obuchowski 1997). Undefined where there are more than two classes.
 *
 * @param first all on the same samples as `second`
 */
export function clusteredAucDifference(
  first: readonly Pick<Judged, 'probabilities' | 'labels' | 'subjects' | 'classes'>[],
  second: readonly Pick<Judged, 'probabilities' | 'labels' | 'classes'>[],
  options: { readonly confidence?: number },
): RowDifference['deLong'] {
  const { subjects, classes } = first[0]!;
  if (classes !== 2) return undefined;
  const weighted = (sign: number, list: typeof second) =>
    list.map(({ probabilities, labels }) => {
      const components = areaComponents(classColumn(probabilities, 2, 1), labels);
      return [sign / list.length, components] as const;
    });
  const difference = combineAreas([...weighted(1, first), ...weighted(-1, second)]);
  const { value, low, high, pValue } = clusteredTest(difference, subjects, options);
  return { value, low, high, pValue };
}
