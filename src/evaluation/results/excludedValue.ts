/** Finds the bootstrap intervals that do not contain their own value, and explains why. */

/** A value and its interval as tables show them; undefined or null where there is none. */
export interface Interval {
  readonly value?: number | null;
  readonly low?: number | null;
  readonly high?: number | null;
}

/** Half of the last digit that tables show. A smaller distance is not visible and needs no explanation. */
const SHOWN = 5e-4;

function excluded({ value, low, high }: Interval): boolean {
  if (value == null || low == null || high == null) return false;
  return low - value > SHOWN || value - high > SHOWN;
}

/** A sentence on the intervals that do not contain their value; empty when all do. */
export function excludedValueNote(intervals: readonly (Interval & { readonly name: string })[]): string {
  const names = [...new Set(intervals.filter(excluded).map(({ name }) => name))];
  if (names.length === 0) return '';
  return `An interval of ${names.join(', ')} does not hold its own value: subjects drawn anew come repeated, which shifts such a metric one way (a calibration error up), and the interval is of the shifted values.`;
}
