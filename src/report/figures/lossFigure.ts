import type { JsonLine } from '../../log/jsonLines.js';
import { brief } from '../../text/numbers.js';
import type { Figure } from './figure.js';
import { lineChart, type Reference } from './lineChart.js';
import { type Series, seriesOf } from './series.js';

/** The lines that a run logged, with the name that figures give the run. */
export interface NamedLines {
  readonly name: string;
  readonly lines: readonly JsonLine[];
}

interface Term {
  readonly key: 'consistency' | 'global';
  readonly title: string;
  readonly label: string;
  readonly reading: string;
}

const terms: readonly Term[] = [
  {
    key: 'consistency',
    title: 'Fig. 3: L_C over the steps',
    label: 'L_C',
    reading:
      'How much the layout of similar patches differs between the two images of a pair, also where it is only watched and not trained on. Runs are comparable where they measure it alike.',
  },
  {
    key: 'global',
    title: 'Fig. 3: L_Glo over the steps',
    label: 'L_Glo, nats',
    reading:
      'How hard it is to pick a pair’s own partner out of the batch, summed over four comparisons of views; the dashed line is guessing. Lower is better.',
  },
];

/**
 * Draws Fig. 3 of the paper: each of the two losses in one figure for all runs. A run that has not logged a loss is
 * left out of its figure, and a figure without any run is left out.
 */
export function lossFigures(runs: readonly NamedLines[]): Figure[] {
  return terms.flatMap(({ key, title, label, reading }) => {
    const series = runs
      .map(({ name, lines }) => seriesOf(lines, key, name))
      .filter(({ points }) => points.length > 0);
    if (series.length === 0) return [];
    const references = key === 'global' ? guessing(runs) : [];
    const scale = key === 'consistency' && spansPowers(series) ? 'log' : 'zero';
    const alt = `${title}. ${series.map(courseOf).join('; ')}.`;
    const shown = scale === 'log' ? `${label}, log scale` : label;
    const svg = lineChart({ series, references, label: shown, alt, scale });
    return [{ id: `losses-${key}`, title, reading, alt, svg }];
  });
}

/** Tells whether the runs end so far apart that only a logarithmic axis shows them all. */
function spansPowers(series: readonly Series[]): boolean {
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const last = series.map(({ points }) => points.at(-1)!.value);
  return Math.min(...values) > 0 && Math.max(...last) > 20 * Math.min(...last);
}

/** The level of guessing, where all runs guess among the same number of candidates. */
function guessing(runs: readonly NamedLines[]): Reference[] {
  const levels = runs.flatMap(({ lines }) => seriesOf(lines, 'chance/global').points.slice(0, 1));
  const [first] = levels;
  const alike = first !== undefined && levels.every(({ value }) => value === first.value);
  return alike ? [{ name: 'guessing', level: first.value }] : [];
}

function courseOf({ name, points }: Series): string {
  const [first, last] = [points[0]!, points.at(-1)!];
  return `${name} goes from ${brief(first.value)} at step ${first.step} to ${brief(last.value)} at step ${last.step}`;
}
