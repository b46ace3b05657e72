/** Computes the median, and the standard deviation of a normal distribution with the same median distance from it. */
export function centreAndSpread(values: readonly number[]): { centre: number; spread: number } {
  const centre = median(values);
  return { centre, spread: 1.4826 * median(values.map((value) => Math.abs(value - centre))) };
}

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}
