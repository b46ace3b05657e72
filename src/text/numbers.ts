/**
 * The room `text` writes and reads plain text: numbers, tables, CSV, and words that were nearly right. This file writes
 * numbers as a reader wants them: a real minus sign, fixed places so that columns line up, and a dash for undefined
 * ones.
 */

export function fixed(value: number | null, places = 3): string {
  if (value === null || !Number.isFinite(value)) return '–';
  const text = value.toFixed(places);
  // A number that rounds to 0 has no sign.
  return (Number(text) === 0 ? text.replace('-', '') : text).replace('-', '−');
}

/** Writes a number with its sign, for differences. */
export function signed(value: number | null, places = 3): string {
  const text = fixed(value, places);
  return Number(text) > 0 ? `+${text}` : text;
}

/** Writes an interval, as in `0.78 to 0.86`. */
export function interval(low: number | null, high: number | null, places = 3): string {
  return low === null || high === null ? '–' : `${fixed(low, places)} to ${fixed(high, places)}`;
}

export function signedInterval(low: number | null, high: number | null, places = 3): string {
  return low === null || high === null ? '–' : `${signed(low, places)} to ${signed(high, places)}`;
}

/** Writes the p-value of a test. It is never 0, which no finite number of draws shows. */
export function probability(value: number | null): string {
  return value !== null && value < 0.001 ? '< 0.001' : fixed(value);
}

/** Writes a count, as in `4,400`. */
export function counted(value: number): string {
  return value.toLocaleString('en-US');
}

/** Writes a count with its noun, as in `1 pair` or `4,400 pairs`. */
export function numbered(count: number, one: string): string {
  return `${counted(count)} ${one}${count === 1 ? '' : 's'}`;
}

/** Writes three significant digits. */
export function brief(value: number): string {
  return String(Number(value.toPrecision(3))).replace('-', '−');
}
