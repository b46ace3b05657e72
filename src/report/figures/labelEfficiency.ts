import * as Plot from '@observablehq/plot';
import { counted, fixed, interval } from '../../text/numbers.js';
import { type Figure, renderPlot } from './figure.js';
import { PALETTE } from './palette.js';

/** The result of a method that learned from a share of the training labels. */
export interface LabelPoint {
  /** The share of the training labels, 0 < fraction ≤ 1. */
  readonly fraction: number;
  /** The number of training labels in a round; undefined where it was not stored. */
  readonly samples?: number;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface LabelCurve {
  readonly name: string;
  readonly points: readonly LabelPoint[];
}

export interface LabelEfficiencyOptions {
  readonly id: string;
  readonly title: string;
  /** The subject of the figure. It begins the alternative text, for readers who meet the figure alone. */
  readonly of: string;
  readonly label: string;
  /** The meaning of the intervals, such as `95 % intervals over patients`. */
  readonly intervals: string;
}

const WIDTH = 400;
const MARGIN = { top: 12, right: 18, bottom: 42, left: 46 };
const LEGEND_LINE = 17;
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'cross'] as const;

/** Draws the metric over the share of labels, with a curve for each method; undefined where no curve has two points. */
export function labelEfficiencyFigure(
  curves: readonly LabelCurve[],
  { id, title, of, label, intervals }: LabelEfficiencyOptions,
): Figure | undefined {
  const drawn = curves
    .map(({ name, points }, i) => ({
      name,
      points: [...points]
        .filter(({ value }) => Number.isFinite(value))
        .sort((a, b) => a.fraction - b.fraction),
      colour: PALETTE[i % PALETTE.length]!,
      symbol: SYMBOLS[i % SYMBOLS.length]!,
    }))
    .filter(({ points }) => points.length > 0);
  if (!drawn.some(({ points }) => points.length > 1)) return undefined;
  const said = drawn.map(
    ({ name, points }) =>
      `${name}: ${points.map(({ fraction, value, low, high }) => `${share(fraction)} of the labels ${fixed(value)} (${interval(low, high)})`).join(', ')}`,
  );
  const alt = `${title}, ${of}. ${said.join('; ')}.`;
  const fractions = [...new Set(drawn.flatMap(({ points }) => points.map(({ fraction }) => fraction)))].sort(
    (a, b) => a - b,
  );
  const samples = new Map(
    drawn.flatMap(({ points }) => points.map((point) => [point.fraction, point.samples] as const)),
  );
  const ends = drawn.flatMap(({ points }) =>
    points.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]),
  );
  const top = MARGIN.top + LEGEND_LINE * drawn.length;
  // Points of the same share stand side by side, so that their intervals can be seen.
  const nudge = (i: number) => (i - (drawn.length - 1) / 2) * 5;
  const svg = renderPlot(
    {
      width: WIDTH,
      height: top + 230 + MARGIN.bottom,
      marginTop: top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      // The axis is linear and shows logarithms: a log axis names only the ticks that are powers of ten.
      x: { domain: [Math.log10(fractions[0]! / 1.15), Math.log10(fractions.at(-1)! * 1.15)] },
      y: { domain: [Math.min(...ends) - 0.01, Math.max(...ends) + 0.01] },
      marks: [
        Plot.gridY({ ticks: 5, strokeOpacity: 0.12 }),
        Plot.axisY({ ticks: 5, label, labelArrow: 'none', labelAnchor: 'center', tickSize: 0 }),
        Plot.axisX(fractions.map(Math.log10), {
          tickFormat: (power: number) => share(10 ** power),
          label: 'share of the training labels, log scale',
          labelArrow: 'none',
          labelAnchor: 'center',
          tickSize: 4,
        }),
        ...drawn.flatMap(({ name, points, colour, symbol }, i) => {
          const dx = nudge(i);
          const dy = (i + 0.5) * LEGEND_LINE + MARGIN.top / 2 - top;
          const common = { x: ({ fraction }: LabelPoint) => Math.log10(fraction), dx };
          return [
            Plot.line(points, {
              ...common,
              y: 'value',
              stroke: colour,
              strokeWidth: 1.75,
              ariaDescription: name,
            }),
            Plot.ruleX(
              points.filter(({ low, high }) => low !== null && high !== null),
              { ...common, y1: 'low', y2: 'high', stroke: colour, strokeWidth: 1.5 },
            ),
            Plot.dot(points, { ...common, y: 'value', fill: colour, symbol, r: 4 }),
            Plot.dot([name], { frameAnchor: 'top-left', dx: 8, dy, fill: colour, symbol, r: 4.5 }),
            Plot.text([name], { frameAnchor: 'top-left', dx: 20, dy, lineAnchor: 'middle' }),
          ];
        }),
      ],
    },
    alt,
  );
  const labels = fractions.flatMap((fraction) => {
    const count = samples.get(fraction);
    return count === undefined ? [] : [`${share(fraction)} is ${counted(count)}`];
  });
  const reading = `How good the probe is when only part of the training labels may be used; bars are ${intervals}.${labels.length > 0 ? ` Labels in a round: ${labels.join(', ')}.` : ''} A useful pretraining lies above the untrained encoder most where labels are few.`;
  return { id, title, alt, reading, svg };
}

function share(fraction: number): string {
  return `${Number((100 * fraction).toPrecision(3))} %`;
}
