import * as Plot from '@observablehq/plot';
import { confusion, predictedClasses } from '../../metrics/classification.js';
import { counted, fixed } from '../../text/numbers.js';
import { type Figure, renderPlot } from './figure.js';
import { PALETTE } from './palette.js';

export interface ConfusionData {
  /** The probability of each class, [n, classes] row-major. */
  readonly probabilities: Float64Array;
  /** The class number of each sample. */
  readonly labels: readonly number[];
  readonly classes: readonly string[];
}

export interface ConfusionFigureOptions {
  readonly id: string;
  readonly title: string;
  /** The subject of the figure. It begins the alternative text, for readers who meet the figure alone. */
  readonly of: string;
}

const THRESHOLD = 0.5;
const WIDTH = 400;
const MARGIN = { top: 44, right: 12, bottom: 8, left: 116 };

/** Draws how often each true class was predicted as each class; undefined without samples. */
export function confusionFigure(
  { probabilities, labels, classes }: ConfusionData,
  { id, title, of }: ConfusionFigureOptions,
): Figure | undefined {
  const n = labels.length;
  if (n === 0) return undefined;
  const count = classes.length;
  const predicted = predictedClasses(probabilities, n, { classes: count, threshold: THRESHOLD });
  const { counts } = confusion(predicted, labels, count);
  const cells = classes.flatMap((label, row) => {
    const own = counts.subarray(row * count, (row + 1) * count);
    const total = own.reduce((sum, value) => sum + value, 0);
    return classes.map((called, column) => ({
      // Rows are told apart by number, since two class names may be equal once they are cut to fit.
      label: `${row}`,
      called: `${column}`,
      names: [label, called] as const,
      count: own[column]!,
      share: total === 0 ? Number.NaN : own[column]! / total,
    }));
  });
  const rule =
    count === 2
      ? `called ${classes[1]} where its probability is above ${THRESHOLD}`
      : 'called by the most probable class';
  const said = cells.map(
    (cell) => `${cell.names[0]} called ${cell.names[1]}: ${counted(cell.count)} (${percent(cell.share)})`,
  );
  const alt = `${title}, ${of}, ${rule}. ${said.join('; ')}.`;
  const names = new Map(classes.map((name, i) => [`${i}`, shorten(name)]));
  const side = Math.min(96, (WIDTH - MARGIN.left - MARGIN.right) / count);
  const big = side > 60;
  const svg = renderPlot(
    {
      width: WIDTH,
      height: MARGIN.top + MARGIN.bottom + Math.min(side, 72) * count,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { type: 'band', domain: [...names.keys()], padding: 0.03 },
      y: { type: 'band', domain: [...names.keys()], padding: 0.03 },
      marks: [
        Plot.cell(cells, { x: 'called', y: 'label', fill: PALETTE[0], fillOpacity: 0.1 }),
        Plot.cell(
          cells.filter(({ share }) => share > 0),
          { x: 'called', y: 'label', fill: PALETTE[0], fillOpacity: ({ share }: { share: number }) => share },
        ),
        ...[cells.filter(dark), cells.filter((cell) => !dark(cell))].flatMap((some, i) => {
          const common = { x: 'called', y: 'label', fill: i === 0 ? '#ffffff' : 'currentColor' };
          return [
            Plot.text(some, {
              ...common,
              text: ({ count: found }: Cell) => counted(found),
              fontSize: big ? 17 : 12,
              fontWeight: 600,
              dy: big ? -7 : 0,
            }),
            ...(big
              ? [Plot.text(some, { ...common, text: ({ share }: Cell) => percent(share), dy: 12 })]
              : []),
          ];
        }),
        Plot.axisX({
          anchor: 'top',
          tickSize: 0,
          tickFormat: (key: string) => names.get(key)!,
          label: 'predicted',
          labelArrow: 'none',
          labelAnchor: 'center',
          labelOffset: 40,
        }),
        Plot.axisY({
          tickSize: 0,
          tickFormat: (key: string) => names.get(key)!,
          label: 'true',
          labelArrow: 'none',
          labelAnchor: 'center',
          labelOffset: 108,
        }),
      ],
    },
    alt,
  );
  const reading = `Each row is a true class: how many of its images were given each name, and the share of the row. An image is ${rule}. No threshold was tuned, so another one may suit a clinical use better.`;
  return { id, title, alt, reading, svg };
}

interface Cell {
  readonly count: number;
  /** The cell's share of the samples of its true class. */
  readonly share: number;
}

/** Tells whether the cell is so dark that white letters are easier to read on it. */
function dark({ share }: Cell): boolean {
  return share > 0.55;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${fixed(100 * share, 0)} %` : '–';
}

function shorten(name: string): string {
  return name.length > 16 ? `${name.slice(0, 15)}…` : name;
}
