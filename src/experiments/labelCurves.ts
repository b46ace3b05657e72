/** How much the rows of an experiment lose when labels are few. */
import type { Figure } from '../report/figure.js';
import { type LabelCurve, labelEfficiencyFigure } from '../report/labelEfficiency.js';
import { metricName, modalitiesName } from '../report/probeNames.js';
import type { ExperimentDescription } from './description.js';
import type { ExperimentProtocol } from './protocols.js';
import type { ExperimentTable, TablePart } from './tableTypes.js';

/** Curves in a figure that can still be told apart. */
const MOST = 5;

/** A figure for each protocol and kind of features that was judged on more than one share of the labels. */
export function labelCurves({ protocols }: ExperimentDescription, table: ExperimentTable): Figure[] {
  const fractions = new Map(protocols.map((one) => [one.name, one.settings.labelFraction ?? 1]));
  const bases = new Map(protocols.map((one) => [one.name, baseOf(one)]));
  const groups = new Map<string, TablePart[]>();
  for (const part of table.parts) {
    if (part.set !== undefined) continue;
    const key = `${bases.get(part.name)} ${part.features}`;
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  return [...groups.values()].flatMap((parts, i) => {
    const images = parts[0]!.images.at(-1);
    if (parts.length < 2 || images === undefined) return [];
    // The baselines are worth a curve as much as any method.
    const names = parts[0]!.rows.map(({ name }) => name);
    const curves = [...names.slice(0, MOST - 2), ...names.slice(Math.max(MOST - 2, names.length - 2))].map(
      (name): LabelCurve => ({
        name,
        points: parts.flatMap((part) => {
          const found = part.rows.find((row) => row.name === name)?.values[images];
          if (found === undefined || found.value === null) return [];
          return [
            { fraction: fractions.get(part.name) ?? 1, value: found.value, low: found.low, high: found.high },
          ];
        }),
      }),
    );
    const metric = metricName(table.metric ?? 'auc');
    const figure = labelEfficiencyFigure(curves, {
      id: `labels-${i + 1}`,
      title: `${metric} with few labels`,
      of: `${parts[0]!.protocol}, ${parts[0]!.features} features, ${modalitiesName(images.split('+'))}`,
      label: metric,
      intervals: 'intervals over subjects',
    });
    return figure === undefined ? [] : [figure];
  });
}

/** What a protocol is but for the share of the labels. */
function baseOf({ protocol, settings: { labelFraction: _, ...settings } }: ExperimentProtocol): string {
  return JSON.stringify([protocol, settings]);
}
