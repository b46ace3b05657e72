import { Random } from '../../../tensor/random.js';

/**
 * For each pair of a batch another one of another subject, drawn by the key: what stands in for a mate to tell what chance
 * gives. Pairs of the same patient are never drawn, as they look alike.
 *
 * @param subjects [n]
 * @returns [n] numbers within the batch; −1 where all pairs are of the same subject
 */
export function strangersOf(subjects: readonly string[], ...key: readonly (string | number)[]): Int32Array {
  const random = new Random(...key, 'strangers');
  return Int32Array.from(subjects, (own) => {
    const others = subjects.flatMap((subject, j) => (subject === own ? [] : [j]));
    return others.length === 0 ? -1 : others[random.below(others.length)]!;
  });
}
