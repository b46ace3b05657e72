/**
 * Computes the two-sided p-value of Fisher's exact test: the probability, under independence and with these margins, of
 * a table that is no likelier than this one.
 *
 * @param hits the members of the group that are hit, of `group` members; `hitsInAll` of all `total` are
 */
export function fisherExact(hits: number, group: number, hitsInAll: number, total: number): number {
  const logs = new Float64Array(total + 1);
  for (let n = 2; n <= total; n += 1) logs[n] = logs[n - 1]! + Math.log(n);
  const choose = (n: number, k: number) => logs[n]! - logs[k]! - logs[n - k]!;
  const probability = (k: number) =>
    Math.exp(choose(hitsInAll, k) + choose(total - hitsInAll, group - k) - choose(total, group));
  const here = probability(hits);
  let sum = 0;
  for (let k = Math.max(0, group + hitsInAll - total); k <= Math.min(group, hitsInAll); k += 1) {
    const one = probability(k);
    // Equally likely tables may differ in the last digits.
    if (one <= here * (1 + 1e-7)) sum += one;
  }
  return Math.min(1, sum);
}
