import { classNames } from '../../data/open/labels.js';
import type { Dataset } from '../../data/sample.js';
import { DataError } from '../../errors.js';

/**
 * The labelled samples of a data set as a classification task. Sample i of the task is at `positions[i]` of the data.
 */
export interface Task {
  readonly positions: readonly number[];
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  /** The class number of each sample. */
  readonly labels: readonly number[];
  /** The class names. When there are two, class 1 is the positive one. */
  readonly classes: readonly string[];
}

/**
 * Makes the task that the labels set. With a positive class there are two classes, that one against all others;
 * otherwise there is one for each label. Unlabelled samples are left out.
 *
 * @throws DataError without labels, with one class, or with a class of fewer than two subjects
 */
export function labelledTask({ name, samples, positive }: Dataset): Task {
  const positions = samples.flatMap(({ label }, position) => (label === undefined ? [] : [position]));
  const labelled = positions.map((position) => samples[position]!);
  const names = classNames(labelled);
  if (labelled.length === 0) {
    throw new DataError(
      `${name}: no sample has a label, and a probe needs them. Add a column "label" to the manifest, ` +
        'or name the column that holds it with --column label=diagnosis. ' +
        'Without labels, anatomy evaluate pairs measures what pairs say by themselves.',
    );
  }
  if (names.length === 1) {
    throw new DataError(
      `${name}: all ${labelled.length} labelled samples are "${names[0]}", expected at least two classes. ` +
        'Label some of another class, or name another column with --column label=….',
    );
  }
  const classes = positive === undefined ? names : [otherClass(names, positive), positive];
  const labels = labelled.map(({ label }) =>
    positive === undefined ? names.indexOf(label!) : Number(label === positive),
  );
  const subjects = labelled.map(({ subject }) => subject);
  for (const [c, className] of classes.entries()) {
    const own = new Set(subjects.filter((_, i) => labels[i] === c));
    if (own.size < 2) {
      throw new DataError(
        `${name}: class "${className}" has ${own.size} subject(s), expected at least 2: one to learn from and one to ` +
          'be tested on. Label more subjects, or join classes.',
      );
    }
  }
  return { positions, ids: labelled.map(({ id }) => id), subjects, labels, classes };
}

function otherClass(names: readonly string[], positive: string): string {
  const others = names.filter((name) => name !== positive);
  return others.length === 1 ? others[0]! : `not ${positive}`;
}
