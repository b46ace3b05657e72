import * as Plot from '@observablehq/plot';
import type { EvaluationRecord, EvaluationRow } from './evaluationRecord.js';
import { type Figure, renderPlot } from './figure.js';
import { fixed, interval } from './numbers.js';
import { metricName, nameOf, protocolName, sourceName } from './probeNames.js';

const COLOURS: Readonly<Record<EvaluationRow['source'], string>> = {
  run: '#0f7bbf',
  untrained: '#8a8f98',
  thumbnail: '#d55e00',
};
const ROW_HEIGHT = 22;
const MARGIN = { top: 26, right: 20, bottom: 38, left: 262 };

/** Every row's first metric as a point in its confidence interval, so that overlap is seen at a glance. */
export function intervalChart(record: EvaluationRecord): Figure | undefined {
  const [metric = 'auc'] = record.metrics;
  const rows = record.rows.flatMap((row) => {
    const { pooled, low, high } = row.metrics[metric] ?? {};
    if (pooled === undefined || pooled === null || low === undefined || low === null) return [];
    return [{ name: nameOf(row), source: row.source, pooled, low, high: high! }];
  });
  if (rows.length === 0) return undefined;
  const percent = Math.round(100 * record.bootstrap.confidence);
  const name = metricName(metric);
  const title = `${name} with ${percent} % confidence intervals`;
  const said = rows.map((row) => `${row.name} ${fixed(row.pooled)} (${interval(row.low, row.high)})`);
  const alt = `${title}, ${protocolName(record.protocol)}. ${said.join('; ')}.`;
  const colour = ({ source }: { source: EvaluationRow['source'] }) => COLOURS[source];
  const guessing = metric === 'auc' ? [0.5] : [];
  const low = Math.min(...guessing, ...rows.map((row) => row.low));
  const high = Math.max(...guessing, ...rows.map((row) => row.high));
  const svg = renderPlot(
    {
      width: 940,
      height: MARGIN.top + MARGIN.bottom + ROW_HEIGHT * rows.length,
      marginTop: MARGIN.top,
      marginRight: MARGIN.right,
      marginBottom: MARGIN.bottom,
      marginLeft: MARGIN.left,
      x: { domain: [Math.max(0, low - 0.02), Math.min(1, high + 0.02)] },
      y: { domain: rows.map((row) => row.name), label: null },
      marks: [
        Plot.gridX({ strokeOpacity: 0.12 }),
        Plot.axisX({ label: name, labelArrow: 'none', labelAnchor: 'center', tickSize: 4 }),
        Plot.axisY({ tickSize: 0, label: null }),
        Plot.ruleX(guessing, { strokeDasharray: '5 4', strokeOpacity: 0.7 }),
        Plot.text(guessing, {
          x: (level: number) => level,
          text: () => 'guessing',
          frameAnchor: 'top',
          dy: -14,
        }),
        Plot.ruleY(rows, { y: 'name', x1: 'low', x2: 'high', stroke: colour, strokeWidth: 2 }),
        Plot.dot(rows, { y: 'name', x: 'pooled', fill: colour, r: 4.5 }),
      ],
    },
    alt,
  );
  const reading =
    `Each point is one set of features, the bar its ${percent} % interval: where the value of other patients of the same kind would likely lie. ` +
    `Blue is ${sourceName('run').toLowerCase()}, gray the same network before training, orange a tiny thumbnail of the image. ` +
    'Overlapping bars do not settle which is better; the paired differences below do.';
  return { id: `probe-${record.protocol}`, title, alt, reading, svg };
}
