import * as Plot from '@observablehq/plot';
import type { AuditReport } from '../../data/audit/audit.js';
import type { PairSuitability } from '../../data/audit/setFindings.js';
import { fixed, signed } from '../../text/numbers.js';
import { type Figure, renderPlot } from '../figures/figure.js';

const COLOUR = '#0f7bbf';
const WIDTH = 420;
const HEIGHT = 290;
/** The cells from the middle of a plot of shifts to its edge. */
const CELLS = 25;

/** Draws the shifts between mates, and how much nearer mates are than strangers, where these were measured. */
export function auditFigures(report: AuditReport): Figure[] {
  return [...shiftFigures(report), ...advantageFigures(report)];
}

function shiftFigures({ alignment }: AuditReport): Figure[] {
  return alignment.map(({ modality, against, shifts, distance }) => {
    const far = Math.max(5, ...shifts.flatMap(([x, y]) => [Math.abs(x), Math.abs(y)])) * 1.1;
    const spots = gathered(shifts, far / CELLS);
    const title = `Shifts of ${modality} against ${against}`;
    const alt = `${title}: distance ${fixed(distance[0]!, 1)} pixels in the median, ${fixed(distance[2]!, 1)} in 99 % of the pairs.`;
    const svg = renderPlot(
      {
        width: WIDTH,
        height: HEIGHT,
        marginLeft: 48,
        marginBottom: 40,
        x: { domain: [-far, far], label: 'to the right, pixels', labelArrow: 'none' },
        y: { domain: [far, -far], label: 'down, pixels', labelArrow: 'none' },
        r: { range: [2, 14], domain: [0, shifts.length], type: 'sqrt' },
        marks: [
          Plot.ruleX([0], { strokeOpacity: 0.25 }),
          Plot.ruleY([0], { strokeOpacity: 0.25 }),
          Plot.dot(spots, { x: 'x', y: 'y', r: 'count', fill: COLOUR, fillOpacity: 0.65 }),
        ],
      },
      alt,
    );
    const reading =
      'Each dot is where the centre of images lies at which pairs share most information, its area their number. Aligned data has nearly all of it in the middle.';
    return { id: `shift-${modality}-${against}`, title, alt, reading, svg };
  });
}

/** Gathers shifts that lie in one cell of a grid at their mean, so that dots that would hide each other are one. */
function gathered(
  shifts: readonly (readonly [number, number])[],
  cell: number,
): { x: number; y: number; count: number }[] {
  const sums = new Map<string, { x: number; y: number; count: number }>();
  for (const [x, y] of shifts) {
    const key = `${Math.round(x / cell)} ${Math.round(y / cell)}`;
    const sum = sums.get(key) ?? { x: 0, y: 0, count: 0 };
    sums.set(key, { x: sum.x + x, y: sum.y + y, count: sum.count + 1 });
  }
  return [...sums.values()].map(({ x, y, count }) => ({ x: x / count, y: y / count, count }));
}

function advantageFigures({ suitability }: AuditReport): Figure[] {
  return suitability.map(advantageFigure);
}

function advantageFigure({ modalities: [a, b], advantages, nearer }: PairSuitability): Figure {
  const title = `How much nearer ${a} and ${b} of a sample are than strangers`;
  const alt = `${title}: the own mate is nearer in ${fixed(100 * nearer, 1)} % of all comparisons.`;
  // The bins share out all that the axis shows, so that pairs which are alike are no bar too thin to see.
  const distances = [0, ...advantages.map((advantage) => -advantage)];
  const domain: [number, number] = [Math.min(...distances), Math.max(...distances)];
  const svg = renderPlot(
    {
      width: WIDTH,
      height: HEIGHT,
      marginLeft: 48,
      marginBottom: 40,
      x: {
        label: 'distance to the mate, against strangers',
        percent: true,
        tickFormat: (percent: number) => `${signed(percent, 0)} %`,
        labelArrow: 'none',
        labelAnchor: 'center',
      },
      y: { label: 'pairs', labelArrow: 'none', grid: true },
      marks: [
        Plot.rectY(
          advantages.map((advantage) => ({ distance: -advantage })),
          Plot.binX<Plot.RectYOptions>(
            { y: 'count' },
            { x: { value: 'distance', thresholds: 24, domain }, fill: COLOUR },
          ),
        ),
        Plot.ruleX([0], { strokeDasharray: '5 4' }),
        Plot.ruleY([0]),
      ],
    },
    alt,
  );
  const reading =
    'Each pair’s consistency loss on raw patches, in per cent of what it is with images of other subjects: left of the dashed line the mate is nearer. Were the mates drawn by lot, the hill would stand on the line.';
  return { id: `premise-${a}-${b}`, title, alt, reading, svg };
}
