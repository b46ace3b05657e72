import type { EvaluationResult } from '../../evaluation/results/evaluationResult.js';
import { excludedValueNote } from '../../evaluation/results/excludedValue.js';
import { countsOf, intervalName, tooFew } from '../../evaluation/results/fewSubjects.js';
import {
  heading,
  metricHeading,
  metricName,
  protocolOf,
  shortRowName,
} from '../../evaluation/results/names.js';
import type { Figure } from '../figures/figure.js';
import { forestPlot } from '../figures/forestPlot.js';
import { SOURCE_COLOURS } from '../figures/palette.js';

/** Draws the first metric of every row as a point in its confidence interval, so that overlap is seen at a glance. */
export function intervalChart(record: EvaluationResult, name: string): Figure | undefined {
  const [metric = 'auc'] = record.metrics;
  const rows = record.rows.flatMap((row) => {
    const { pooled, low, high } = row.metrics[metric] ?? {};
    if (pooled === undefined || pooled === null || low === undefined || low === null) return [];
    return [
      {
        name: heading(shortRowName(row)),
        value: pooled,
        low,
        high: high!,
        colour: SOURCE_COLOURS[row.source],
        baseline: row.source !== 'run',
      },
    ];
  });
  const note = excludedValueNote(rows.map((row) => ({ ...row, name: metricName(metric) })));
  const few = tooFew(countsOf(record.data));
  const between = intervalName(few, Math.round(100 * record.bootstrap.confidence));
  return forestPlot(rows, {
    id: `probe-${name}`,
    title: `${metricHeading(metric)} with its ${between}`,
    of: heading(protocolOf(record)),
    label: metricHeading(metric),
    reference: metric === 'auc' ? { level: 0.5, name: 'guessing' } : undefined,
    reading:
      `Each point is one set of features, the bar its ${between} by drawing the patients anew: how far the value may be off for the chance of which patients are in the study. ` +
      'Dots are the run’s encoder; diamonds what it must beat: gray the same network before training, orange a tiny thumbnail of the image. ' +
      'Overlapping bars do not settle which is better; the paired differences below do.' +
      (note === '' ? '' : ` ${note}`),
  });
}
