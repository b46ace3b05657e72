/** Applies the choice of `--classes` to the samples that were read. */
import type { Dataset, Sample } from '../sample.js';
import { classNames, samplesOfClasses } from './labels.js';

export interface Choice {
  readonly classes?: readonly string[];
  readonly onWarning?: (message: string) => void;
}

/**
 * Leaves out the samples that are not of `classes`.
 *
 * @param usual the classes that are taken where none are asked for; absent: all
 * @throws DataError if a class does not occur
 */
export function chosenSamples(
  { name, samples }: Pick<Dataset, 'name' | 'samples'>,
  usual: readonly string[] | undefined,
  { classes, onWarning }: Choice,
): readonly Sample[] {
  if (classes !== undefined) return samplesOfClasses(samples, classes);
  const all = classNames(samples);
  const others = all.filter((label) => usual !== undefined && !usual.includes(label));
  if (others.length === 0) return samples;
  const chosen = samples.filter(({ label }) => label === undefined || !others.includes(label));
  onWarning?.(
    `${name}: samples of the class ${others.join(', ')} are left out, as is usual (${samples.length - chosen.length}). ` +
      `For all say --classes ${all.join(' ')}.`,
  );
  return chosen;
}
