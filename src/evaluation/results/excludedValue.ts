/** Finds bootstrap intervals that do not hold their own value, and explains why that happens. */

/** A value and its interval, as they are shown. A number is undefined or null where there is none. */
export interface Interval {
  readonly value?: number | null;
  readonly low?: number | null;
  readonly high?: number | null;
}

/**
 * Half a unit of the last decimal place in tables. A value that looks equal to an end of its interval needs no
 * explanation.
 */
const SHOWN = 5e-4;

function excluded({ value, low, high }: Interval): boolean {
  if (value == null || low == null || high == null) return false;
  return low - value > SHOWN || value - high > SHOWN;
}

/** A sentence on the intervals that do not hold their value; empty where all do. */
export function excludedValueNote(intervals: readonly (Interval & { readonly name: string })[]): string {
  const names = [...new Set(intervals.filter(excluded).map(({ name }) => name))];
  if (names.length === 0) return '';
  return `An interval of ${names.join(', ')} does not hold its own value: subjects drawn anew come repeated, which shifts such a metric one way (a calibration error up), and the interval is of the shifted values.`;
}
