import * as Plot from '@observablehq/plot';
import { fixed, interval, signed, signedInterval } from '../../text/numbers.js';
import { type Figure, HALO, renderPlot } from './figure.js';
import { PALETTE } from './palette.js';

export interface ForestRow {
  readonly name: string;
  readonly value: number;
  /** The ends of the interval; null where there is none. */
  readonly low: number | null;
  readonly high: number | null;
  readonly colour?: string;
  /** Whether the row is a baseline, which is drawn as a diamond. */
  readonly baseline?: boolean;
}

export interface ForestPlotOptions {
  readonly id: string;
  readonly title: string;
  /** The subject of the figure. It begins the alternative text, for readers who meet the figure alone. */
  readonly of: string;
  readonly reading: string;
  /** The label of the horizontal axis. */
  readonly label: string;
  /** A level to compare with: 0 for differences, chance for values. */
  readonly reference?: { readonly level: number; readonly name: string };
  /** Whether the values are differences, which are written with their signs. */
  readonly differences?: boolean;
}

const WIDTH = 400;
/**
 * The heights of a row, in pixels; its letters end `letters` below its top. The name and the numbers stand above the bar: on one line, or on two where one is
 * too short.
 */
const ONE_LINE = { height: 38, name: -8, numbers: -8, bar: 9, letters: 18 };
const TWO_LINES = { height: 50, name: -15, numbers: 0, bar: 15, letters: 31 };
/** The number of letters that fit on a line. */
const LINE = 58;
const MARGIN = { top: 22, right: 16, bottom: 40, left: 16 };

/** Draws each row as a point in its interval, from top to bottom; undefined without rows. */
export function forestPlot(rows: readonly ForestRow[], options: ForestPlotOptions): Figure | undefined {
  const { id, title, of, reading, label, reference, differences = false } = options;
  const drawn = rows
    .filter(({ value }) => Number.isFinite(value))
    .map((row, i) => ({ ...row, key: `${i}`, colour: row.colour ?? PALETTE[0] }));
  if (drawn.length === 0) return undefined;
  const number = (value: number) => (differences ? signed(value) : fixed(value));
  const ends = ({ low, high }: ForestRow) =>
    low === null || high === null
      ? ''
      : ` (${differences ? signedInterval(low, high) : interval(low, high)})`;
  const said = drawn.map((row) => `${row.name} ${number(row.value)}${ends(row)}`);
  const alt = `${title}, ${of}. ${said.join('; ')}.`;
  const fits = drawn.every((row) => row.name.length * 1.12 + (number(row.value) + ends(row)).length < LINE);
  const layout = fits ? ONE_LINE : TWO_LINES;
  const levels = reference === undefined ? [] : [reference.level];
  const all = [...levels, ...drawn.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value])];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const room = (most - least || 0.1) * 0.06;
  const svg = renderPlot(
    {
      width: WIDTH,
      height: MARGIN.top + MARGIN.bottom + layout.height * drawn.length,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [least - room, most + room] },
      y: { type: 'band', domain: drawn.map(({ key }) => key), axis: null, padding: 0 },
      marks: [
        Plot.gridX({ ticks: 5, strokeOpacity: 0.12 }),
        Plot.axisX({
          ticks: 5,
          tickFormat: differences ? (value: number) => signed(value, 2) : undefined,
          label,
          labelArrow: 'none',
          labelAnchor: 'center',
          tickSize: 4,
        }),
        // The line of the level stands beside the bars and leaves out the letters.
        Plot.tickX(reference === undefined ? [] : drawn, {
          x: () => reference!.level,
          y: 'key',
          insetTop: layout.letters,
          strokeDasharray: '5 4',
          strokeOpacity: 0.7,
          ariaDescription: 'level',
        }),
        Plot.text(levels, {
          x: (level: number) => level,
          text: () => reference!.name,
          frameAnchor: 'top',
          dy: -14,
        }),
        Plot.ruleY(
          drawn.filter(({ low, high }) => low !== null && high !== null),
          { y: 'key', x1: 'low', x2: 'high', stroke: 'colour', strokeWidth: 2.25, dy: layout.bar },
        ),
        Plot.dot(drawn, {
          y: 'key',
          x: 'value',
          fill: 'colour',
          r: 4.75,
          symbol: ({ baseline }: ForestRow) => (baseline ? 'diamond' : 'circle'),
          dy: layout.bar,
        }),
        Plot.text(drawn, {
          y: 'key',
          text: 'name',
          frameAnchor: 'left',
          fontWeight: 600,
          dy: layout.name,
          ...HALO,
        }),
        Plot.text(drawn, {
          y: 'key',
          text: (row: ForestRow) => `${number(row.value)}${ends(row)}`,
          frameAnchor: fits ? 'right' : 'left',
          dy: layout.numbers,
          ...HALO,
        }),
      ],
      color: { type: 'identity' },
      symbol: { type: 'identity' },
    },
    alt,
  );
  return { id, title, alt, reading, svg };
}
