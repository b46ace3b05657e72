/** Tells when the subjects of a result are too few for a test; the rule itself is in `metrics/fewSubjects.ts`. */
import { FEWEST_SUBJECTS, type SubjectCounts, tooFew } from '../../metrics/fewSubjects.js';
import { numbered } from '../../text/numbers.js';

export { fewWarning, intervalName, type SubjectCounts, tooFew } from '../../metrics/fewSubjects.js';

/** The counts of a stored evaluation. Older ones count the samples of each class, which are at least as many. */
export function countsOf(data: {
  readonly subjects: number;
  readonly classes: readonly string[];
  readonly samplesPerClass: readonly number[];
  readonly subjectsPerClass?: readonly number[];
}): SubjectCounts {
  const { subjects, classes, samplesPerClass, subjectsPerClass } = data;
  return { subjects, perClass: subjectsPerClass ?? samplesPerClass, classes };
}

/** The counts of a result by patient, where a patient is positive or negative. */
export function patientCounts(
  { subjects, positives }: { readonly subjects: number; readonly positives: number },
  classes: readonly string[],
): SubjectCounts {
  return { subjects, perClass: [subjects - positives, positives], classes };
}

/** Counts the subjects that have a sample of each class. */
export function subjectsPerClass(
  subjects: readonly string[],
  labels: ArrayLike<number>,
  classes: number,
): number[] {
  const found = Array.from({ length: classes }, () => new Set<string>());
  for (const [i, subject] of subjects.entries()) found[labels[i]!]!.add(subject);
  return found.map(({ size }) => size);
}

/** How the warning on such measures begins, in results of any version. */
export const FEW_MEASURES = `Over fewer than ${FEWEST_SUBJECTS} subjects, so that the intervals are too narrow to be called 95 %`;

/** The warning on measures that are told for fewer subjects than the others; empty where none is of too few. */
export function fewMeasuresWarning(
  measures: readonly { readonly name: string; readonly subjects: number }[],
): string {
  const few = measures.filter(({ subjects }) => tooFew({ subjects }) !== undefined);
  if (few.length === 0) return '';
  const named = new Set(few.map(({ name, subjects }) => `${name} (${numbered(subjects, 'subject')})`));
  return `${FEW_MEASURES}: ${[...named].join('; ')}.`;
}
