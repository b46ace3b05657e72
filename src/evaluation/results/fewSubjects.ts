/**
 * Tells when subjects are too few for a test. A bootstrap draws the subjects anew, and from a handful it draws nearly
 * the same study each time: its intervals are then much too narrow, and its p-values much too small.
 */
import { numbered } from '../../text/numbers.js';

/** With fewer subjects in all, or of a class, nothing is tested, and no interval is called one of 95 %. */
export const FEWEST_SUBJECTS = 10;
export const FEWEST_OF_CLASS = 5;

export interface SubjectCounts {
  readonly subjects: number;
  /** The number of subjects with a sample of each class, by class number. */
  readonly perClass?: readonly number[];
  /** The class names by class number. */
  readonly classes?: readonly string[];
}

/** Counts what is too few, as in `3 subjects` or `2 of class malignant`; undefined where there are enough. */
export function tooFew({ subjects, perClass = [], classes = [] }: SubjectCounts): string | undefined {
  if (subjects < FEWEST_SUBJECTS) return `${subjects} ${subjects === 1 ? 'subject' : 'subjects'}`;
  const least = Math.min(...perClass);
  if (perClass.length === 0 || least >= FEWEST_OF_CLASS) return undefined;
  return `${least} of class ${classes[perClass.indexOf(least)] ?? perClass.indexOf(least)}`;
}

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

/** The warning that stands beside numbers of too few subjects. */
export function fewWarning(few: string): string {
  return (
    `Only ${few}: an interval over so few is too narrow to be called one of 95 %, and no difference is tested. ` +
    `That takes at least ${FEWEST_SUBJECTS} subjects, and ${FEWEST_OF_CLASS} of each class.`
  );
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

/** Names an interval: `95 % interval`, or `interval over only 3 subjects`. */
export function intervalName(few: string | undefined, percent = 95): string {
  return few === undefined ? `${percent} % interval` : `interval over only ${few}`;
}
