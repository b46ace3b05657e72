/** Figures that show how much the rows of an experiment lose when labels are few. */

import { intervalName } from '../../evaluation/results/fewSubjects.js';
import { featuresName, imagesName, metricHeading, protocolName } from '../../evaluation/results/names.js';
import type { Figure } from '../../report/figures/figure.js';
import { type LabelCurve, labelEfficiencyFigure } from '../../report/figures/labelEfficiency.js';
import type { ExperimentProtocol } from '../file/protocols.js';
import type { ExperimentDescription } from '../stored/description.js';
import type { ExperimentTable, TablePart } from '../table/model.js';

/** The largest number of methods in a figure. More could not be told apart from each other and from the baselines. */
const MOST = 3;

/** Draws figures for each protocol and kind of features that was judged on more than one share of the labels. */
export function labelCurves({ protocols }: ExperimentDescription, table: ExperimentTable): Figure[] {
  const fractions = new Map(protocols.map((one) => [one.name, one.settings.labelFraction ?? 1]));
  const bases = new Map(protocols.map((one) => [one.name, baseOf(one)]));
  const groups = new Map<string, TablePart[]>();
  for (const part of table.parts) {
    if (part.set !== undefined) continue;
    const key = `${bases.get(part.name)} ${part.features}`;
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  const drawn = [...groups.values()].flatMap((parts) => {
    const { rows } = parts[0]!;
    const methods = rows.filter(({ source }) => source === 'run').map(({ name }) => name);
    // Each figure has the baselines, which deserve a curve as much as any method.
    const baselines = rows.filter(({ source }) => source !== 'run').map(({ name }) => name);
    return Array.from({ length: Math.ceil(methods.length / MOST) }, (_, set) => ({
      parts,
      names: [...methods.slice(set * MOST, (set + 1) * MOST), ...baselines],
    }));
  });
  return drawn.flatMap(({ parts, names }, i) => {
    const images = parts[0]!.images.at(-1);
    if (parts.length < 2 || images === undefined) return [];
    const curves = names.map(
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
    const few = parts[0]!.judged?.few;
    const percent = Math.round(100 * (table.bootstrap?.confidence ?? 0.95));
    const metric = metricHeading(table.metric ?? 'auc');
    const kind = featuresName(parts[0]!.features);
    const figure = labelEfficiencyFigure(curves, {
      id: `labels-${i + 1}`,
      title: `${metric} with few labels, ${kind}`,
      of: `${protocolName(parts[0]!.protocol)}, ${imagesName(images)}`,
      label: metric,
      intervals: few === undefined ? `${percent} % intervals over patients` : intervalName(few),
    });
    return figure === undefined ? [] : [figure];
  });
}

/** A key that is equal for protocols that differ only in the share of the labels. */
function baseOf({ protocol, settings: { labelFraction: _, ...settings } }: ExperimentProtocol): string {
  return JSON.stringify([protocol, settings]);
}
