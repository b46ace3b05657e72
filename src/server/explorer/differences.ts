/** How runs differ by the predictions that their evaluations kept, without LibTorch. */
import { UsageError } from '../../errors.js';
import { readEvaluations } from '../../evaluation/readResults.js';
import { subjectsPerClass, tooFew } from '../../evaluation/results/fewSubjects.js';
import { onSamples, predictionsOf, type RowPredictions } from '../../evaluation/results/predictions.js';
import { resampledAuc } from '../../evaluation/summary/rowMetrics.js';
import { bootstrapDifference } from '../../metrics/bootstrap.js';
import { type RunDifference, resultName } from '../messages.js';
import type { NamedRun } from './openRun.js';

interface Judged {
  readonly metric: string;
  readonly predictions: RowPredictions;
}

/**
 * Subtracts the first run from each other one, for each row that both were judged by, on the samples that both were
 * tested on. The subjects are drawn alike for both.
 *
 * @throws UsageError where there are fewer than two runs
 */
export function runDifferences(runs: readonly NamedRun[]): RunDifference[] {
  const [first, ...others] = runs;
  if (first === undefined || others.length === 0) {
    throw new UsageError(`${runs.length} runs are named; a difference needs two`);
  }
  const reference = judgedRows(first.root);
  return others.flatMap(({ id, root }) => {
    const own = judgedRows(root);
    return [...own].flatMap(([name, judged]) => {
      const against = reference.get(name);
      const both = against && shared(judged.predictions, against.predictions);
      if (both === undefined) return [];
      const [a, b] = both;
      const subjects = new Set(a.subjects).size;
      if (subjects < 2) return [];
      const metric = ({ probabilities, labels, classes }: RowPredictions) =>
        resampledAuc({ probabilities, labels, classes: classes.length });
      const found = bootstrapDifference(metric(a), metric(b), a.subjects);
      const { value, low, high, pValue } = found;
      if (!Number.isFinite(value)) return [];
      const few = tooFew({
        subjects,
        perClass: subjectsPerClass(a.subjects, a.labels, a.classes.length),
        classes: a.classes,
      });
      return [
        {
          ...{ name, metric: judged.metric, run: id, against: first.id },
          ...{
            value,
            low,
            high,
            subjects,
            pValue: few !== undefined || !Number.isFinite(pValue) ? null : pValue,
          },
        },
      ];
    });
  });
}

function judgedRows(root: string): Map<string, Judged> {
  const rows = readEvaluations(root).flatMap(({ name, record, predictions }) =>
    record.rows
      .filter(({ source }) => source === 'run')
      .flatMap((row) => {
        const own = predictions && predictionsOf(predictions, row.key);
        if (own === undefined) return [];
        return [[resultName(name, row), { metric: record.metrics[0]!, predictions: own }] as const];
      }),
  );
  return new Map(rows);
}

/**
 * The predictions on the samples that both have; undefined where the labels are not the same. They come in the order of
 * their ids, as subjects are drawn in the order in which they appear: files sorted otherwise give the same interval.
 */
function shared(a: RowPredictions, b: RowPredictions): [RowPredictions, RowPredictions] | undefined {
  if (a.classes.join() !== b.classes.join()) return undefined;
  const placeOf = new Map(b.ids.map((id, i) => [id, i]));
  const places = a.ids
    .flatMap((id, i) => {
      const other = placeOf.get(id);
      return other === undefined || a.labels[i] !== b.labels[other] ? [] : [[i, other] as const];
    })
    .sort(([i], [j]) => (a.ids[i]! < a.ids[j]! ? -1 : 1));
  if (places.length === 0) return undefined;
  return [
    onSamples(
      a,
      places.map(([i]) => i),
    ),
    onSamples(
      b,
      places.map(([, i]) => i),
    ),
  ];
}
