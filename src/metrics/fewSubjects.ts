/**
 * Tells when subjects are too few for a test. A bootstrap draws the subjects anew, and from a handful it draws nearly
 * the same study each time: its intervals are then much too narrow, and its p-values much too small.
 */

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

/** The warning that stands beside numbers of too few subjects. */
export function fewWarning(few: string): string {
  return (
    `Only ${few}: an interval over so few is too narrow to be called one of 95 %, and no difference is tested. ` +
    `That takes at least ${FEWEST_SUBJECTS} subjects, and ${FEWEST_OF_CLASS} of each class.`
  );
}

/** Names an interval: `95 % interval`, or `interval over only 3 subjects`. */
export function intervalName(few: string | undefined, percent = 95): string {
  return few === undefined ? `${percent} % interval` : `interval over only ${few}`;
}
