import { DataError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';
import { normalForm } from '../../text/normalForm.js';
import type { Sample } from '../sample.js';

/** Class names that mean "positive" in a two-class data set, by normal form. */
const POSITIVE_NAMES: ReadonlySet<string> = new Set(['1', 'true', 'malignant', 'tumor', 'p']);

/** Class names that say that nothing is there, by normal form, so that the other of two classes is the positive one. */
const NEGATIVE_NAMES: ReadonlySet<string> = new Set([
  ...['none', 'no', 'negative', 'normal', 'healthy', 'control', 'benign'],
]);

/**
 * Lists the distinct labels in an order that does not depend on the order of the samples: by number where all are
 * numbers, else by code unit.
 */
export function classNames(samples: readonly Pick<Sample, 'label'>[]): string[] {
  const names = [...new Set(samples.flatMap(({ label }) => (label === undefined ? [] : [label])))].sort();
  const numeric = names.every((name) => name.trim() !== '' && Number.isFinite(Number(name)));
  return numeric ? names.sort((a, b) => Number(a) - Number(b)) : names;
}

/**
 * Finds the class that binary metrics count as positive: the one asked for; else, with two classes, the one named 1,
 * true, malignant, tumor or P, or the one beside none, no, negative, normal, healthy, control or benign (in any case).
 * It is undefined without labels or with another number of classes.
 *
 * @throws DataError if the class asked for does not occur, or two classes leave it open which one is meant
 */
export function positiveClass(samples: readonly Pick<Sample, 'label'>[], asked?: string): string | undefined {
  const classes = classNames(samples);
  const listed = classes.map((name) => `"${name}"`).join(', ');
  if (asked !== undefined) {
    if (classes.includes(asked)) return asked;
    if (classes.length === 0) {
      throw new DataError(
        `--positive is "${asked}", but the samples carry no labels. Add a label column or leave --positive out.`,
      );
    }
    const meant = nearest(asked, classes);
    throw new DataError(
      `--positive is "${asked}", but the classes are ${listed}.` +
        (meant === undefined ? ' Name one of them.' : ` Did you mean "${meant}"?`),
    );
  }
  if (classes.length !== 2) return undefined;
  const positive = classes.filter((name) => POSITIVE_NAMES.has(normalForm(name)));
  const candidates =
    positive.length > 0 ? positive : classes.filter((name) => !NEGATIVE_NAMES.has(normalForm(name)));
  if (candidates.length === 1) return candidates[0];
  throw new DataError(
    `Which of the two classes ${listed} is the positive one cannot be told from their names. ` +
      `Name it: --positive ${classes[1]}.`,
  );
}

/**
 * Gives the samples of the classes that are asked for.
 *
 * @param samples all samples of the data set
 * @throws DataError if a class does not occur
 */
export function samplesOfClasses<Labelled extends Pick<Sample, 'label'>>(
  samples: readonly Labelled[],
  asked: readonly string[],
): readonly Labelled[] {
  const classes = classNames(samples);
  for (const name of asked) {
    if (classes.includes(name)) continue;
    if (classes.length === 0) {
      throw new DataError(
        `--classes names "${name}", but the samples carry no labels. Add a label column or leave --classes out.`,
      );
    }
    const meant = nearest(name, classes);
    throw new DataError(
      `--classes names "${name}", but the classes are ${classes.map((one) => `"${one}"`).join(', ')}.` +
        (meant === undefined ? ' Name some of them.' : ` Did you mean "${meant}"?`),
    );
  }
  return samples.filter(({ label }) => label !== undefined && asked.includes(label));
}
