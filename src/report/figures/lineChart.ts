import * as Plot from '@observablehq/plot';
import { renderPlot } from './figure.js';
import { PALETTE } from './palette.js';
import { type Point, type Series, smoothed } from './series.js';

/** A dashed level to compare with, such as chance or a limit. It is one value or a curve of its own. */
export interface Reference {
  readonly name: string;
  readonly level: number | readonly Point[];
}

export interface LineChart {
  readonly series: readonly Series[];
  readonly references?: readonly Reference[];
  /** The label of the vertical axis, with its unit. */
  readonly label: string;
  readonly alt: string;
  /** The vertical scale. The default `zero` is linear and keeps 0 in view. */
  readonly scale?: 'zero' | 'linear' | 'log';
  /**
   * Whether long curves are smoothed, by default true. A quantity that is set, and not measured, has no noise to smooth
   * away.
   */
  readonly smooth?: boolean;
}

const WIDTH = 420;
const HEIGHT = 240;
const MARGIN = { top: 28, right: 92, bottom: 38, left: 52 };
/** The least distance between the names at the ends of the curves, in pixels. */
const LINE_HEIGHT = 13;

/**
 * Draws curves over steps, each named at its end. A long curve is drawn pale as it was logged, with its smoothed
 * version over it. A short curve is drawn with its points.
 */
export function lineChart(chart: LineChart): string {
  const { series, references = [], label, alt, scale = 'zero', smooth: smoothing = true } = chart;
  const shown = references.map(({ name, level }) => ({ name, points: pointsOf(level, series) }));
  const y = verticalScale(
    [...series, ...shown].flatMap(({ points }) => points.map(({ value }) => value)),
    scale,
  );
  const ticks = y.log ? powersOfTen(y) : 5;
  const axes = { x: 'step', y: 'value' } as const;
  const names: Name[] = [];
  const marks: Plot.Markish[] = [
    Plot.axisY({ ticks, label: null, tickSize: 0, ...(y.log ? { tickFormat: power } : {}) }),
    Plot.gridY({ ticks, strokeOpacity: 0.12 }),
    Plot.axisX({
      ticks: stepTicks(series),
      label: 'step',
      labelArrow: 'none',
      labelAnchor: 'center',
      tickSize: 4,
    }),
    Plot.text([label], {
      frameAnchor: 'top-left',
      dx: -MARGIN.left + 4,
      dy: -MARGIN.top + 6,
      textAnchor: 'start',
    }),
  ];
  for (const { name, points } of shown) {
    marks.push(
      Plot.line(points, {
        ...axes,
        stroke: 'currentColor',
        strokeOpacity: 0.7,
        strokeDasharray: '5 4',
        ariaDescription: name,
      }),
    );
    names.push({ text: name, value: points.at(-1)!.value, colour: 'currentColor' });
  }
  series.forEach((one, i) => {
    const stroke = PALETTE[i % PALETTE.length]!;
    const smooth = smoothing ? smoothed(one) : undefined;
    const raw = { ...axes, stroke, ariaDescription: `${one.name}, as logged` };
    if (smooth === undefined) {
      marks.push(Plot.line(one.points, { ...raw, strokeWidth: 1.75 }));
      if (smoothing) marks.push(Plot.dot(one.points, { ...axes, fill: stroke, r: 2 }));
    } else {
      marks.push(
        Plot.line(one.points, { ...raw, strokeWidth: 1, strokeOpacity: 0.35 }),
        Plot.line(smooth.points, {
          ...axes,
          stroke,
          strokeWidth: 2,
          ariaDescription: `${one.name}, smoothed`,
        }),
      );
    }
    const end = (smooth ?? one).points.at(-1);
    if (end !== undefined) names.push({ text: one.name, value: end.value, colour: stroke });
  });
  const placed = spread(names, y);
  marks.push(
    Plot.text(placed, {
      frameAnchor: 'right',
      y: 'at',
      text: 'text',
      fill: 'colour',
      dx: MARGIN.right - 86,
      textAnchor: 'start',
    }),
  );
  const options: Plot.PlotOptions = {
    width: WIDTH,
    height: HEIGHT,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    x: { domain: stepDomain(series) },
    y: { type: y.log ? 'log' : 'linear', domain: [y.low, y.high] },
    marks,
  };
  return renderPlot(options, alt);
}

function pointsOf(level: number | readonly Point[], series: readonly Series[]): readonly Point[] {
  if (typeof level !== 'number') return level;
  return stepDomain(series).map((step) => ({ step, value: level }));
}

function stepDomain(series: readonly Series[]): [number, number] {
  const steps = series.flatMap(({ points }) => points.map(({ step }) => step));
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  // A single step still needs an axis with two ends.
  return first === last ? [first - 1, last + 1] : [Math.min(first, 1), last];
}

/** Counts the ticks of the axis of steps. There are never more than the whole numbers on it. */
function stepTicks(series: readonly Series[]): number {
  const [first, last] = stepDomain(series);
  return Math.max(1, Math.min(6, last - first));
}

interface VerticalScale {
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
}

function verticalScale(values: readonly number[], scale: LineChart['scale']): VerticalScale {
  const positive = values.filter((value) => value > 0);
  if (scale === 'log' && positive.length > 0) {
    return { low: Math.min(...positive) / 1.5, high: Math.max(...positive) * 1.5, log: true };
  }
  const anchors = scale === 'zero' ? [0] : [];
  const low = Math.min(...values, ...anchors);
  const high = Math.max(...values, ...anchors);
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  return { low: low === 0 ? 0 : low - room, high: high === 0 ? 0 : high + room, log: false };
}

function powersOfTen({ low, high }: VerticalScale): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/** Writes a power of ten: plainly from 0.001 to 1000, and otherwise as 10⁻⁵. */
function power(value: number): string {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(exponent) <= 3) return String(Number(value.toPrecision(1)));
  const digits = String(Math.abs(exponent)).replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!);
  return `10${exponent < 0 ? '⁻' : ''}${digits}`;
}

interface Name {
  readonly text: string;
  readonly value: number;
  readonly colour: string;
}

/** Moves names up and down from the values that they stand for, so that none covers another. */
function spread(names: readonly Name[], scale: VerticalScale): (Name & { at: number })[] {
  const [top, bottom] = [MARGIN.top, HEIGHT - MARGIN.bottom];
  const [low, high] = scale.log ? [Math.log(scale.low), Math.log(scale.high)] : [scale.low, scale.high];
  const sorted = names
    .map((name) => {
      const value = scale.log ? Math.log(name.value) : name.value;
      return { name, pixel: bottom - ((value - low) / (high - low)) * (bottom - top) };
    })
    .sort((a, b) => a.pixel - b.pixel);
  sorted.forEach((one, i) => {
    one.pixel = Math.max(one.pixel, (sorted[i - 1]?.pixel ?? top - LINE_HEIGHT) + LINE_HEIGHT);
  });
  for (let i = sorted.length - 1; i >= 0; i -= 1) {
    const one = sorted[i]!;
    one.pixel = Math.min(one.pixel, (sorted[i + 1]?.pixel ?? bottom + LINE_HEIGHT) - LINE_HEIGHT);
  }
  return sorted.map(({ name, pixel }) => {
    const value = low + ((bottom - pixel) / (bottom - top)) * (high - low);
    return { ...name, at: scale.log ? Math.exp(value) : value };
  });
}
