/** The sets of modalities whose features are joined, and how they are written: `a`, `b`, `a+b`. */
import { UsageError } from '../../errors.js';

/** The sets that are judged by default: each modality alone, then all together. */
export function modalitySets(modalities: readonly string[]): string[][] {
  const alone = modalities.map((modality) => [modality]);
  return modalities.length === 1 ? alone : [...alone, [...modalities]];
}

/**
 * Picks the sets that are asked for, such as `['a', 'a+b']`, or all when none is.
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

/** The name of a set in keys and file names, such as `a+b`. */
export function modalityKey(modalities: readonly string[]): string {
  return modalities.join('+');
}
