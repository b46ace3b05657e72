/** Sets of modalities that are judged side by side. They are written as `a`, `b`, `a+b`. */
import { UsageError } from '../../errors.js';

/** Lists the sets of modalities that are judged: each modality alone, then all together. */
export function modalitySets(modalities: readonly string[]): string[][] {
  const alone = modalities.map((modality) => [modality]);
  return modalities.length === 1 ? alone : [...alone, [...modalities]];
}

/**
 * Selects the sets that are asked for, such as `['a', 'a+b']`; all where nothing is asked for.
 *
 * @throws UsageError naming the sets that there are
 */
export function askedSets(modalities: readonly string[], asked?: readonly string[]): string[][] {
  const all = modalitySets(modalities);
  const known = all.map(modalityKey);
  const unknown = asked?.find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new UsageError(`--images has ${unknown}, expected one or more of ${known.join(', ')}`);
  }
  return asked === undefined ? all : all.filter((set) => asked.includes(modalityKey(set)));
}

/** Joins the names, as in `a+b`, for keys and file names. */
export function modalityKey(modalities: readonly string[]): string {
  return modalities.join('+');
}
