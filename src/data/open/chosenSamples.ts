/** Applies the choices of `--drop` and `--classes` to the samples that were read. */
import type { Dataset, Sample } from '../sample.js';
import type { DropList } from './dropList.js';
import { classNames, samplesOfClasses } from './labels.js';

export interface Choice {
  readonly dropList?: DropList;
  readonly classes?: readonly string[];
  readonly onWarning?: (message: string) => void;
}

/**
 * Leaves out the samples that the drop list names, and then those that are not of `classes`.
 *
 * @param usual the classes that are taken where none are asked for; absent: all
 * @throws DataError if a class does not occur, or the list leaves nothing
 */
export function chosenSamples(
  { name, samples }: Pick<Dataset, 'name' | 'samples'>,
  usual: readonly string[] | undefined,
  { dropList, classes, onWarning }: Choice,
): readonly Sample[] {
  const kept = dropList === undefined ? samples : dropList.without(samples, onWarning);
  if (classes !== undefined) return samplesOfClasses(kept, classes);
  const all = classNames(kept);
  const others = all.filter((label) => usual !== undefined && !usual.includes(label));
  if (others.length === 0) return kept;
  const chosen = kept.filter(({ label }) => label === undefined || !others.includes(label));
  onWarning?.(
    `${name}: samples of the class ${others.join(', ')} are left out, as is usual (${kept.length - chosen.length}). ` +
      `For all say --classes ${all.join(' ')}.`,
  );
  return chosen;
}
