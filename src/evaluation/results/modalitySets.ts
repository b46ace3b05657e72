/**
 * Sets of modalities that are judged together. They are written as `a`, `b`, `a+b`, and as `any`: whichever of all
 * modalities a sample has.
 */
import { UsageError } from '../../errors.js';

/**
 * The set that takes the mean of the features of those images that a sample has, so that every sample is judged. No
 * modality has this name.
 */
export const ANY = 'any';

export function isAny(set: readonly string[]): boolean {
  return set.length === 1 && set[0] === ANY;
}

/** The modalities whose images a set uses. @param modalities all modalities of the data */
export function modalitiesIn(set: readonly string[], modalities: readonly string[]): readonly string[] {
  return isAny(set) ? modalities : set;
}

/**
 * Lists the sets of modalities that are judged: each modality alone, then all together, then any of them where images
 * are missing. The last set is the one that stands for all images.
 */
export function modalitySets(modalities: readonly string[], gaps = false): string[][] {
  const alone = modalities.map((modality) => [modality]);
  if (modalities.length === 1) return alone;
  return [...alone, [...modalities], ...(gaps ? [[ANY]] : [])];
}

/**
 * Reads the sets that are asked for, such as `['a', 'a+b', 'any']`, narrow ones first. The set that stands for all
 * images is the last: all modalities together, or any of them where images are missing.
 *
 * @throws UsageError naming the sets that there are
 */
export function askedSets(
  modalities: readonly string[],
  asked: readonly string[],
  gaps = false,
): (readonly string[])[] {
  const sets = new Map(asked.map((key) => [key, setNamed(key, modalities)] as const));
  for (const [key, set] of sets) {
    if (set === undefined) {
      throw new UsageError(`--images has ${key}, expected one or more of ${setsInWords(modalities)}`);
    }
  }
  const placeOf = (set: readonly string[]) => set.map((name) => modalities.indexOf(name));
  return ([...sets.values()] as string[][]).sort(
    (one, other) =>
      widthOf(one, modalities, gaps) - widthOf(other, modalities, gaps) ||
      firstDifference(placeOf(one), placeOf(other)),
  );
}

/**
 * Orders sets from narrow to wide: by their number of modalities, with `any` just below all together, or above where
 * images are missing.
 */
export function widthOf(set: readonly string[], modalities: readonly string[], gaps: boolean): number {
  return isAny(set) ? modalities.length + (gaps ? 0.5 : -0.5) : set.length;
}

/** Finds the set of a key such as `a+b`, in the order of the modalities; undefined where there is none. */
export function setNamed(key: string, modalities: readonly string[]): readonly string[] | undefined {
  if (key === ANY) return modalities.length > 1 ? [ANY] : undefined;
  const known = modalitySets(modalities).find((set) => modalityKey(set) === key);
  if (known !== undefined) return known;
  const places = key.split('+').map((name) => modalities.indexOf(name));
  const ascending = places.every((place, i) => place >= 0 && (i === 0 || place > places[i - 1]!));
  return ascending ? places.map((place) => modalities[place]!) : undefined;
}

/** The sets that may be asked for, as in `a, b, a+b, any`. */
export function setsInWords(modalities: readonly string[]): string {
  const usual = modalitySets(modalities, true).map(modalityKey).join(', ');
  return modalities.length < 3 ? usual : `${usual}, or others of them joined by + in this order`;
}

function firstDifference(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((place, i) => place !== other[i]);
  return at < 0 ? 0 : one[at]! - other[at]!;
}

/** Joins the names, as in `a+b`, for keys and file names. */
export function modalityKey(modalities: readonly string[]): string {
  return modalities.join('+');
}
