import { Random } from '../../../tensor/random.js';

/**
 * Draws for each pair of a batch a stranger, another pair of another subject. It stands in for the mate, to find what
 * chance gives. Pairs of the same patient are never drawn, as they look alike.
 *
 * @param subjects [n]
 * @param key the key of the random draw
 * @returns [n] numbers within the batch; −1 where all pairs are of the same subject
 */
export function strangersOf(subjects: readonly string[], ...key: readonly (string | number)[]): Int32Array {
  const random = new Random(...key, 'strangers');
  return Int32Array.from(subjects, (own) => {
    const others = subjects.flatMap((subject, j) => (subject === own ? [] : [j]));
    return others.length === 0 ? -1 : others[random.below(others.length)]!;
  });
}
