import * as Plot from '@observablehq/plot';
import { rocCurve } from '../../metrics/areas/curves.js';
import { fixed, interval } from '../../text/numbers.js';
import { type Figure, renderPlot } from './figure.js';
import { PALETTE } from './palette.js';
import { rocBand } from './rocBand.js';

export interface RocCurve {
  readonly name: string;
  /** The score of each sample, [n]; a higher one is more positive. */
  readonly scores: ArrayLike<number>;
  readonly positive: readonly boolean[];
  readonly subjects: readonly string[];
  /** The area under the curve with its interval, as in the tables. */
  readonly auc: { readonly value: number | null; readonly low: number | null; readonly high: number | null };
  /** The colour of the curve; by default the colours of the palette in turn. */
  readonly colour?: string;
}

export interface RocFigureOptions {
  readonly id: string;
  readonly title: string;
  /** The subject of the figure. It begins the alternative text, for readers who meet the figure alone. */
  readonly of: string;
  /** The name of the intervals: `95 % interval`. */
  readonly between: string;
  readonly bootstrap: { readonly replicates: number; readonly confidence: number; readonly seed: number };
}

const SIZE = { width: 400, plot: 300 };
const MARGIN = { top: 12, right: 14, bottom: 42, left: 46 };
const LEGEND_LINE = 17;
/** The largest number of bootstrap draws. The band is only drawn, and more draws would make no visible difference. */
const MOST_REPLICATES = 400;
const RATES = Array.from({ length: 26 }, (_, i) => i / 25);
const DASHES = ['', '7 3', '2 3', '9 3 2 3', '1 2'];

/** Draws ROC curves, the first of them with its band; undefined where none of the rows has both classes. */
export function rocFigure(
  curves: readonly RocCurve[],
  { id, title, of, between, bootstrap }: RocFigureOptions,
): Figure | undefined {
  const options = { ...bootstrap, replicates: Math.min(bootstrap.replicates, MOST_REPLICATES), at: RATES };
  const drawn = curves.flatMap((curve, i) => {
    const points = rocCurve(curve.scores, curve.positive);
    if (points.length === 0) return [];
    // Only one curve has a band, since several would cover each other.
    const band = i === 0 ? rocBand(curve.scores, curve.positive, curve.subjects, options) : [];
    const colour = curve.colour ?? PALETTE[i % PALETTE.length]!;
    return [{ ...curve, points, band, colour, dash: DASHES[i % DASHES.length]! }];
  });
  if (drawn.length === 0) return undefined;
  const said = drawn.map(({ name, auc }) => `${name} ${fixed(auc.value)} (${interval(auc.low, auc.high)})`);
  const alt = `${title}, ${of}. Area under the curve with its ${between}: ${said.join('; ')}.`;
  const top = MARGIN.top + LEGEND_LINE * drawn.length;
  const svg = renderPlot(
    {
      width: SIZE.width,
      height: top + SIZE.plot + MARGIN.bottom,
      marginTop: top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [0, 1] },
      y: { domain: [0, 1] },
      marks: [
        Plot.gridX({ ticks: 5, strokeOpacity: 0.12 }),
        Plot.gridY({ ticks: 5, strokeOpacity: 0.12 }),
        Plot.axisX({
          ticks: 5,
          label: '1 − specificity',
          labelArrow: 'none',
          labelAnchor: 'center',
          tickSize: 4,
        }),
        Plot.axisY({
          ticks: 5,
          label: 'sensitivity',
          labelArrow: 'none',
          labelAnchor: 'center',
          tickSize: 0,
        }),
        Plot.line(
          [
            [0, 0],
            [1, 1],
          ],
          { stroke: 'currentColor', strokeOpacity: 0.5, strokeDasharray: '4 4' },
        ),
        Plot.areaY(drawn[0]!.band, {
          x: 'falsePositiveRate',
          y1: 'low',
          y2: 'high',
          fill: drawn[0]!.colour,
          fillOpacity: 0.18,
          ariaDescription: 'band',
        }),
        // The figure is about the first row, so that row lies on top.
        ...[...drawn].reverse().map(({ points, colour, dash }) =>
          Plot.line(points, {
            x: 'falsePositiveRate',
            y: 'truePositiveRate',
            stroke: colour,
            strokeWidth: 2,
            strokeDasharray: dash,
            ariaDescription: 'curve',
          }),
        ),
        ...drawn.flatMap(({ name, auc, colour, dash }, line) => {
          const dy = (line + 0.5) * LEGEND_LINE + MARGIN.top / 2 - top;
          return [
            Plot.ruleY([1], { x1: 0, x2: 0.08, dy, stroke: colour, strokeWidth: 2.5, strokeDasharray: dash }),
            Plot.text(
              [
                `${name}: AUC ${fixed(auc.value)}${auc.low === null ? '' : ` (${interval(auc.low, auc.high)})`}`,
              ],
              {
                frameAnchor: 'top-left',
                dx: 36,
                dy,
                lineAnchor: 'middle',
              },
            ),
          ];
        }),
      ],
    },
    alt,
  );
  const reading =
    `How many of the positives are found (sensitivity) for how many false alarms (1 − specificity), as the threshold falls. The dashed diagonal is guessing; the further up and left, the better. ` +
    `Shaded is the ${between} of the first curve’s sensitivity at each false alarm rate, by resampling patients.`;
  return { id, title, alt, reading, svg };
}
