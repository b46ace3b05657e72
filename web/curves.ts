/** What a chart of several runs is drawn from. */
import type { MetricLine } from '../src/server/messages.js';

/** The measurements of a run so far, in the order of the steps. */
export type Course = readonly MetricLine[];

const NO_CURVES = new Set(['step', 'epoch']);

/** All that was measured in any of the runs; `loss` first, then by name. The chance levels belong to other curves. */
export function termsOf(courses: readonly Course[]): string[] {
  const names = new Set(courses.flatMap((lines) => lines.flatMap((line) => Object.keys(line))));
  const terms = [...names].filter((name) => !NO_CURVES.has(name) && !name.startsWith('chance/'));
  return terms.sort((a, b) => Number(b === 'loss') - Number(a === 'loss') || (a < b ? -1 : 1));
}

/**
 * The exponential average with the weight `smoothing` of what came before, from 0 to below 1, without its bias towards
 * the first values.
 */
export function smoothed(values: readonly number[], smoothing: number): number[] {
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    sum = smoothing * sum + (1 - smoothing) * value;
    weight = smoothing * weight + (1 - smoothing);
    return sum / weight;
  });
}

/** A curve: what was measured at some steps. */
export interface Curve {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

export function curveOf(course: Course, term: string): Curve {
  const lines = course.filter((line) => line[term] !== undefined && line.step !== undefined);
  return { steps: lines.map((line) => line.step!), values: lines.map((line) => line[term]!) };
}

/** Puts curves on one axis of steps, with null where a curve has no value. */
export function aligned(curves: readonly Curve[]): { steps: number[]; values: (number | null)[][] } {
  const steps = [...new Set(curves.flatMap((curve) => curve.steps))].sort((a, b) => a - b);
  const place = new Map(steps.map((step, i) => [step, i]));
  const values = curves.map((curve) => {
    const row = new Array<number | null>(steps.length).fill(null);
    for (const [i, step] of curve.steps.entries()) row[place.get(step)!] = curve.values[i]!;
    return row;
  });
  return { steps, values };
}
