import * as Plot from '@observablehq/plot';
import { counted, fixed } from '../../text/numbers.js';
import { type Figure, renderPlot } from './figure.js';
import { PALETTE } from './palette.js';

/** A group of predictions of about the same probability. */
export interface CalibrationBin {
  readonly count: number;
  /** The mean of the predicted probabilities. */
  readonly predicted: number;
  /** The share of positives in the bin, with the ends of its interval. */
  readonly observed: number;
  readonly low: number;
  readonly high: number;
}

export interface Calibration {
  readonly bins: readonly CalibrationBin[];
  /** The predicted probability of the positive class, for every image. */
  readonly probabilities: ArrayLike<number>;
  /**
   * The slope and the intercept of a logistic regression of the label on the logit of the probability. A perfect model
   * has 1 and 0. Both are NaN where undefined.
   */
  readonly slope: number;
  readonly intercept: number;
}

export interface CalibrationFigureOptions {
  readonly id: string;
  readonly title: string;
  /** The subject of the figure. It begins the alternative text, for readers who meet the figure alone. */
  readonly of: string;
  /** The name of the positive class. */
  readonly positive: string;
  /** The name of the intervals: `95 % interval`. */
  readonly between: string;
}

const WIDTH = 400;
const PLOT = 290;
const COUNTS = 64;
/** The space between the diagram and the histogram, in units of the axis. Their labels stand there. */
const GAP = 0.09;
const MARGIN = { top: 26, right: 14, bottom: 42, left: 58 };
/** The number of bars in the histogram. */
const BARS = 20;

/** Draws a reliability diagram above a histogram of the probabilities; undefined without predictions. */
export function calibrationFigure(
  { bins, probabilities, slope, intercept }: Calibration,
  { id, title, of, positive, between }: CalibrationFigureOptions,
): Figure | undefined {
  const shown = bins.filter(({ count }) => count > 0);
  if (shown.length === 0) return undefined;
  const said = shown.map(
    ({ count, predicted, observed }) =>
      `${counted(count)} images at ${fixed(predicted, 2)} predicted, ${fixed(observed, 2)} observed`,
  );
  const fitted = `slope ${fixed(slope, 2)}, intercept ${fixed(intercept, 2)}`;
  const alt = `${title}, ${of}: ${fitted}. ${said.join('; ')}.`;
  const heights = histogram(probabilities);
  const most = Math.max(...heights.map(({ count }) => count), 1);
  // The histogram stands below 0, in the same plot.
  const reach = COUNTS / PLOT;
  const floor = -GAP - reach;
  const bars = heights.map(({ from, to, count }) => ({
    from,
    to,
    top: floor + (count / most) * reach,
  }));
  const svg = renderPlot(
    {
      width: WIDTH,
      height: MARGIN.top + PLOT * (1 + GAP + reach) + MARGIN.bottom,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [0, 1] },
      y: { domain: [floor, 1] },
      marks: [
        Plot.ruleY([0, 0.25, 0.5, 0.75, 1], { strokeOpacity: 0.12 }),
        Plot.axisX({
          ticks: 5,
          label: `predicted probability of ${positive}`,
          labelArrow: 'none',
          labelAnchor: 'center',
          tickSize: 4,
        }),
        Plot.axisY([0, 0.25, 0.5, 0.75, 1], {
          tickFormat: (value: number) => fixed(value, 2),
          label: `observed share of ${positive}`,
          labelArrow: 'none',
          labelAnchor: 'center',
          tickSize: 0,
          labelOffset: 54,
        }),
        Plot.line(
          [
            [0, 0],
            [1, 1],
          ],
          { stroke: 'currentColor', strokeOpacity: 0.6, strokeDasharray: '4 4' },
        ),
        Plot.rect(bars, {
          x1: 'from',
          x2: 'to',
          y1: floor,
          y2: 'top',
          fill: 'currentColor',
          fillOpacity: 0.35,
          insetLeft: 0.5,
          insetRight: 0.5,
          ariaDescription: 'counts',
        }),
        Plot.text([`images, up to ${counted(most)} a bar`], {
          x: () => 1,
          y: () => -GAP,
          textAnchor: 'end',
          dy: -9,
          fillOpacity: 0.8,
        }),
        Plot.line(shown, { x: 'predicted', y: 'observed', stroke: PALETTE[0], strokeOpacity: 0.5 }),
        Plot.ruleX(shown, { x: 'predicted', y1: 'low', y2: 'high', stroke: PALETTE[0], strokeWidth: 1.75 }),
        Plot.dot(shown, { x: 'predicted', y: 'observed', fill: PALETTE[0], r: 4 }),
        // Above the frame, where no point and no interval can be.
        Plot.text([fitted], { frameAnchor: 'top-left', lineAnchor: 'bottom', dy: -8, fontWeight: 600 }),
      ],
    },
    alt,
  );
  const reading =
    `Whether a predicted probability means what it says. Each point is a tenth of the images: across their mean predicted probability, up how many of them are ${positive}, with its ${between} by resampling patients (a point at 0 or 1 has none: where all images agree, resampling cannot say how surely). ` +
    'On the dashed line predictions are right on average; a slope below 1 says that they are too extreme, above 1 too timid; an intercept off 0 that they are all too low or too high. Below, how often each probability was given.';
  return { id, title, alt, reading, svg };
}

function histogram(probabilities: ArrayLike<number>): { from: number; to: number; count: number }[] {
  const counts = new Array<number>(BARS).fill(0);
  for (const probability of Array.from(probabilities)) {
    counts[Math.min(BARS - 1, Math.floor(probability * BARS))]! += 1;
  }
  return counts.map((count, i) => ({ from: i / BARS, to: (i + 1) / BARS, count }));
}
