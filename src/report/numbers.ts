/** Numbers as a reader wants them: a real minus sign, fixed places so that columns line up, a dash for what is undefined. */

export function fixed(value: number | null, places = 3): string {
  return value === null || !Number.isFinite(value) ? '–' : value.toFixed(places).replace('-', '−');
}

/** With its sign, for differences. */
export function signed(value: number | null, places = 3): string {
  return value !== null && value > 0 ? `+${fixed(value, places)}` : fixed(value, places);
}

/** `0.78 to 0.86` */
export function interval(low: number | null, high: number | null, places = 3): string {
  return low === null || high === null ? '–' : `${fixed(low, places)} to ${fixed(high, places)}`;
}

export function signedInterval(low: number | null, high: number | null, places = 3): string {
  return low === null || high === null ? '–' : `${signed(low, places)} to ${signed(high, places)}`;
}

/** Of a test: never 0, which no finite number of draws shows. */
export function probability(value: number | null): string {
  return value !== null && value < 0.001 ? '< 0.001' : fixed(value);
}

/** `4,400` */
export function counted(value: number): string {
  return value.toLocaleString('en-US');
}

/** Three significant digits. */
export function brief(value: number): string {
  return String(Number(value.toPrecision(3))).replace('-', '−');
}
