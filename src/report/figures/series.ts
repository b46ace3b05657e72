import type { JsonLine } from '../../log/jsonLines.js';

/** One measured quantity over the steps of a run. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Point {
  readonly step: number;
  readonly value: number;
}

/** What was logged under a key, where it is a finite number. */
export function seriesOf(lines: readonly JsonLine[], key: string, name = key): Series {
  const points = lines.flatMap((line) => {
    const value = line[key];
    return typeof value === 'number' && Number.isFinite(value) ? [{ step: line.step, value }] : [];
  });
  return { name, points };
}

/** All keys `prefix/…` in the order they first appear, each as a series named by what follows the slash. */
export function seriesBelow(lines: readonly JsonLine[], prefix: string): Series[] {
  const start = `${prefix}/`;
  const keys = new Set(lines.flatMap((line) => Object.keys(line).filter((key) => key.startsWith(start))));
  return [...keys]
    .map((key) => seriesOf(lines, key, key.slice(start.length)))
    .filter(({ points }) => points.length > 0);
}

/** Below so many points a curve is shown as it is. */
const FEWEST_TO_SMOOTH = 30;

/**
 * The mean over a window centred on each point, a twentieth of the curve wide and cut off at its ends: light enough to keep
 * every turn that lasts. Undefined where there are too few points to need it.
 */
export function smoothed({ name, points }: Series): Series | undefined {
  if (points.length < FEWEST_TO_SMOOTH) return undefined;
  const reach = Math.max(1, Math.round(points.length / 40));
  const means = points.map(({ step }, i) => {
    const window = points.slice(Math.max(0, i - reach), i + reach + 1);
    return { step, value: window.reduce((sum, { value }) => sum + value, 0) / window.length };
  });
  return { name, points: means };
}
