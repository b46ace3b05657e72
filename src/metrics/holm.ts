/**
 * Holm's step-down adjustment (Holm 1979): p-values of a family of tests such that calling those below 5 % significant
 * is wrong about any of them with at most 5 % chance, whatever their dependence. In the order given,
 *
 *     adjusted p_(i) = max over j ≤ i of min(1, (m − j + 1) p_(j)),   p_(1) ≤ … ≤ p_(m)
 *
 * An undefined p (NaN) stays so and is not counted in the family.
 *
 * @throws RangeError when a p-value lies outside 0 … 1
 */
export function holm(pValues: readonly number[]): number[] {
  for (const [i, p] of pValues.entries()) {
    if (p < 0 || p > 1) throw new RangeError(`Holm: p-value ${i} is ${p}, expected one from 0 to 1`);
  }
  const ascending = pValues
    .flatMap((p, i) => (Number.isNaN(p) ? [] : [i]))
    .sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = pValues.map(() => Number.NaN);
  let largest = 0;
  for (const [rank, i] of ascending.entries()) {
    largest = Math.max(largest, Math.min(1, (ascending.length - rank) * pValues[i]!));
    adjusted[i] = largest;
  }
  return adjusted;
}
