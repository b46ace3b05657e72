/** Comparison of methods by AUC, each pretrained at one or several seeds and judged on the same samples. */
import { DataError, UsageError } from '../errors.js';
import {
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapDifference,
  bootstrapInterval,
  meanOf,
} from '../metrics/bootstrap.js';
import { holm } from '../metrics/holm.js';
import { clusteredAucDifference } from './aucDifference.js';
import type { RowDifference } from './result.js';
import { type Judged, resampledAuc } from './rowMetrics.js';

/** Test predictions of one row of one evaluation; entry i of each list is one sample. */
export interface SeedPredictions extends Pick<Judged, 'probabilities' | 'labels' | 'subjects' | 'classes'> {
  /** Ids or pseudonyms: what samples of two evaluations are matched by. */
  readonly ids: readonly string[];
}

export interface ComparedMethod {
  readonly name: string;
  readonly seeds: readonly SeedPredictions[];
}

export interface MethodComparison extends Omit<RowDifference, 'row' | 'against' | 'metric'> {
  readonly name: string;
  /** The reference; `value` is `name − against`. */
  readonly against: string;
}

/**
 * The value of a method, its mean pooled AUC over the seeds, with the interval of a bootstrap over subjects that draws the same
 * subjects for all seeds. What another choice of seeds would change is not in the interval.
 *
 * @throws UsageError without predictions, DataError when the seeds were judged on different samples
 */
export function methodInterval(method: ComparedMethod, options: BootstrapOptions = {}): BootstrapInterval {
  const [{ seeds }] = aligned([method], method) as [ComparedMethod];
  return bootstrapInterval(meanOf(seeds.map(resampledAuc)), seeds[0]!.subjects, options);
}

/**
 * Each method against the reference: the difference of their mean pooled AUCs over seeds, paired over subjects, each draw the same
 * for all methods and seeds. One interval and one p-value however many seeds there are. `holm` is the p-value after Holm; the
 * family is all comparisons returned, in the order of `methods`.
 *
 * @param reference name of one of the methods
 * @throws UsageError for a reference that is none of them, no second method or a method without predictions; DataError when
 *   predictions are not of the same samples
 */
export function compareMethods(
  methods: readonly ComparedMethod[],
  reference: string,
  options: BootstrapOptions = {},
): MethodComparison[] {
  const names = methods.map(({ name }) => name);
  const chosen = methods.find(({ name }) => name === reference);
  if (new Set(names).size < names.length) {
    throw new UsageError(`methods ${names.join(', ')}: a name occurs twice; give each its own`);
  }
  if (chosen === undefined || methods.length < 2) {
    throw new UsageError(
      `reference ${reference}: expected one of at least two methods (there are: ${names.join(', ')})`,
    );
  }
  const same = aligned(methods, chosen);
  const against = same.find(({ name }) => name === reference)!;
  const { subjects } = against.seeds[0]!;
  const areaOf = ({ seeds }: ComparedMethod) => meanOf(seeds.map(resampledAuc));
  const found = same
    .filter((method) => method !== against)
    .map((method) => {
      const { undefinedReplicates: _, ...difference } = bootstrapDifference(
        areaOf(method),
        areaOf(against),
        subjects,
        options,
      );
      const deLong = clusteredAucDifference(method.seeds, against.seeds, options);
      return { name: method.name, against: reference, ...difference, deLong };
    });
  const adjusted = holm(found.map(({ pValue }) => pValue));
  return found.map((one, i) => ({ ...one, holm: adjusted[i]! }));
}

/** All predictions in the order of the reference's, which decides the draws. */
function aligned(methods: readonly ComparedMethod[], reference: ComparedMethod): ComparedMethod[] {
  const empty = methods.find(({ seeds }) => seeds.length === 0);
  if (empty !== undefined) {
    throw new UsageError(`${empty.name}: no predictions; expected those of at least one seed`);
  }
  const first = reference.seeds[0]!;
  return methods.map(({ name, seeds }) => ({
    name,
    seeds: seeds.map((seed) => inOrderOf(first, seed, name)),
  }));
}

function inOrderOf(first: SeedPredictions, other: SeedPredictions, name: string): SeedPredictions {
  const { ids, classes } = first;
  if (other.classes !== classes || other.ids.length !== ids.length) {
    throw new DataError(
      `${name}: ${other.ids.length} samples of ${other.classes} classes, expected ${ids.length} of ${classes} as the ` +
        'reference has; judge all methods on the same data and folds',
    );
  }
  const placeOf = new Map(other.ids.map((id, i) => [id, i]));
  const places = ids.map((id, i) => {
    const place = placeOf.get(id);
    const same =
      place !== undefined &&
      other.labels[place] === first.labels[i] &&
      other.subjects[place] === first.subjects[i];
    if (same) return place;
    const what = place === undefined ? 'has no prediction' : 'has another label or subject';
    throw new DataError(
      `${name}: sample ${id} ${what}, expected the samples of the reference; judge all methods on the same data and folds`,
    );
  });
  return {
    ids,
    labels: first.labels,
    subjects: first.subjects,
    classes,
    probabilities: Float64Array.from(
      places.flatMap((place) => [...other.probabilities.subarray(place * classes, (place + 1) * classes)]),
    ),
  };
}
