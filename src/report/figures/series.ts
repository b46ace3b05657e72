/** Curves of a run's log: they are read from the lines of `metrics.jsonl` and smoothed for the eye. */
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

/** Reads the values that were logged under a key. Values that are not finite are left out. */
export function seriesOf(lines: readonly JsonLine[], key: string, name = key): Series {
  const points = lines.flatMap((line) => {
    const value = line[key];
    return typeof value === 'number' && Number.isFinite(value) ? [{ step: line.step, value }] : [];
  });
  return { name, points };
}

/** Reads every key `prefix/…` in the order of first appearance. Each series is named by the part after the slash. */
export function seriesBelow(lines: readonly JsonLine[], prefix: string): Series[] {
  const start = `${prefix}/`;
  const keys = new Set(lines.flatMap((line) => Object.keys(line).filter((key) => key.startsWith(start))));
  return [...keys]
    .map((key) => seriesOf(lines, key, key.slice(start.length)))
    .filter(({ points }) => points.length > 0);
}

/** The smallest number of points that is smoothed. A shorter curve is shown as it is. */
const FEWEST_TO_SMOOTH = 30;

/**
 * Averages over a window centred on each point. The window is a twentieth of the curve wide, cut off at the ends, and
 * narrow enough to keep every lasting turn. Undefined where there are too few points to need smoothing.
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
