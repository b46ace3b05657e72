import { aggregateBySubject } from '../../metrics/aggregate.js';
import { classColumn } from '../../metrics/areas/rocAuc.js';
import type { BootstrapSettings, PatientResult, RowName } from '../results/evaluationResult.js';
import type { Computed } from '../results/stored.js';
import { type Judged, summarizeRows } from './rowMetrics.js';

export type Aggregation = 'mean' | 'max';

/**
 * Combines the predictions of each subject's samples into one. A subject is positive if any of its samples is.
 *
 * @param judged predictions with two classes
 */
export function patientLevel(judged: Judged, how: Aggregation): Judged {
  const { probabilities, labels, subjects, folds, probabilistic } = judged;
  const positive = classColumn(probabilities, 2, 1);
  const merged = aggregateBySubject(positive, labels, subjects, how);
  const foldOf = new Map(subjects.map((subject, i) => [subject, folds[i]!]));
  return {
    probabilities: Float64Array.from(Array.from(merged.scores).flatMap((score) => [1 - score, score])),
    labels: Array.from(merged.labels),
    subjects: merged.subjects,
    folds: merged.subjects.map((subject) => foldOf.get(subject)!),
    classes: 2,
    probabilistic,
  };
}

/** The reason why there is no judgement by patient; undefined when there can be one. */
export function noPatients({
  labels,
  subjects,
  classes,
}: Pick<Judged, 'labels' | 'subjects' | 'classes'>): string | undefined {
  const positives = new Set(subjects.filter((_, i) => labels[i] === 1));
  const all = new Set(subjects);
  if (all.size === subjects.length) return 'every subject has one sample, so samples are patients';
  if (classes > 2) return 'patients are judged for two classes only';
  if (positives.size === all.size)
    return 'every subject has a positive sample, so there is nothing to tell patients apart by';
  return undefined;
}

export interface PatientOptions {
  /** All samples that are tested. */
  readonly shared: Pick<Judged, 'labels' | 'subjects'>;
  readonly judgedOf: (key: string) => Judged;
  readonly folds: readonly number[];
  readonly bootstrap: BootstrapSettings;
}

/** Computes the rows' metrics by patient, once for each way to combine the predictions of a patient's samples. */
export async function patientResults(
  names: readonly RowName[],
  { shared, judgedOf, folds, bootstrap }: PatientOptions,
): Promise<Computed<PatientResult>[]> {
  const all = countPatients(shared);
  const both = ['mean', 'max'] as const;
  const summaries = await summarizeRows(
    both.flatMap((aggregation) =>
      names.map(({ key }) => ({
        judged: patientLevel(judgedOf(key), aggregation),
        rounds: folds,
        bootstrap,
      })),
    ),
  );
  return both.map((aggregation, a) => ({
    aggregation,
    ...all,
    rows: names.map((name, n) => {
      const metrics = summaries[a * names.length + n]!;
      const judgedOn = countPatients(judgedOf(name.key));
      return judgedOn.subjects === all.subjects ? { ...name, metrics } : { ...name, metrics, judgedOn };
    }),
  }));
}

function countPatients({ labels, subjects }: Pick<Judged, 'labels' | 'subjects'>) {
  const positives = new Set(subjects.filter((_, i) => labels[i] === 1));
  return { subjects: new Set(subjects).size, positives: positives.size };
}
