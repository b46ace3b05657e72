/** The tables of an experiment, for Markdown, LaTeX and pages alike. */
import { featuresName, metricHeading, metricName, protocolName } from '../../evaluation/results/names.js';
import {
  type Cell,
  type ColumnOf,
  number,
  pValue,
  type Table,
  tableOf,
  text,
} from '../../text/table/model.js';
import type { ExperimentTable, PaperBeside, TableFamily, TablePart, TableRow } from '../table/model.js';
import type { Comparison } from '../table/significance.js';

/** `AUC, BUSI, logistic regression (primary probe), pooled features, seed 0` */
export function partTitle({ metric = 'auc' }: Pick<ExperimentTable, 'metric'>, part: TablePart): string {
  const { set, name, features, seeds } = part;
  return [
    metricHeading(metric),
    ...(set === undefined ? [] : [set]),
    protocolName(name),
    featuresName(features),
    ...(seeds === undefined ? [] : [seedsName(seeds)]),
  ].join(', ');
}

/** The paper’s names of metrics, and ours. */
export const OURS: Readonly<Record<string, string>> = {
  AUC: 'auc',
  accuracy: 'accuracy',
  F1: 'f1',
  precision: 'precision',
};

interface PaperRow extends TableRow {
  readonly paper: PaperBeside;
}

/**
 * Ours, the paper’s and the difference, of the metrics that both have; undefined where there is nothing to set beside
 * each other.
 */
export function paperTable({ images, rows }: TablePart): Table | undefined {
  const widest = images.at(-1) ?? '';
  const own = rows.filter((row): row is PaperRow => row.paper !== undefined);
  const printed = new Set(own.flatMap(({ paper }) => Object.keys(paper.metrics)));
  const metrics = [...printed].filter((metric) =>
    own.some((row) => row.paper.metrics[metric] !== undefined && ourNumber(row, metric, widest) != null),
  );
  const withStyle = own.some((row) => styleAuc(row, widest) != null);
  if (metrics.length === 0 && !withStyle) return undefined;
  const style: ColumnOf<PaperRow> = {
    header: 'AUC at the best test epoch (optimistic)',
    cell: (row) => number(styleAuc(row, widest)),
  };
  return tableOf(own, [
    { header: 'row', words: true, cell: ({ name }) => text(name) },
    {
      header: 'paper',
      words: true,
      cell: ({ paper: { table, row, data } }) => text(`Table ${table}, ${row}, ${data}`),
    },
    ...metrics.flatMap((metric): ColumnOf<PaperRow>[] => [
      {
        header: metricName(OURS[metric] ?? metric),
        cell: (row) => number(ourNumber(row, metric, widest)),
      },
      {
        header: 'paper',
        cell: ({ paper }) => ofPrinted(paper.metrics[metric], (percent) => number(percent / 100)),
      },
      {
        header: 'difference',
        cell: (row) => {
          const ours = ourNumber(row, metric, widest);
          return ofPrinted(row.paper.metrics[metric], (percent) =>
            number(typeof ours === 'number' ? ours - percent / 100 : ours, { as: 'difference' }),
          );
        },
      },
    ]),
    ...(withStyle ? [style] : []),
  ]);
}

/** An empty cell where the paper prints nothing. */
function ofPrinted(percent: number | undefined, cell: (percent: number) => Cell): Cell {
  return percent === undefined ? text('') : cell(percent);
}

function ourNumber({ values, metrics }: TableRow, metric: string, images: string): number | null | undefined {
  return metric === 'AUC' ? values[images]?.value : metrics[images]?.[OURS[metric]!];
}

function styleAuc({ paperStyle }: TableRow, images: string): number | null | undefined {
  const style = paperStyle?.[images];
  return style?.auc ?? style?.macroAuc;
}

/** The comparisons that the experiment was made for. */
export function familyTable({ reference, comparisons }: TableFamily): Table {
  return tableOf<Comparison>(comparisons, [
    { header: `${reference} −`, words: true, cell: (one) => text(comparedWith(one)) },
    {
      header: 'difference',
      strong: true,
      cell: ({ value, low, high }) => number(value, { low, high, as: 'difference' }),
    },
    { header: 'p', cell: (one) => pValue(one.pValue) },
    { header: 'p, Holm', cell: ({ holm }) => pValue(holm) },
    { header: 'detectable', cell: ({ minimumDetectable }) => number(minimumDetectable) },
  ]);
}

/** `CMC (seeds 0, 1)` where not all seeds of the two are compared. */
export function comparedWith({ against, seeds }: Pick<Comparison, 'against' | 'seeds'>): string {
  return seeds === undefined ? against : `${against} (${seedsName(seeds)})`;
}

/** `seed 0`, `seeds 0, 1` */
export function seedsName(seeds: readonly number[]): string {
  return `seed${seeds.length === 1 ? '' : 's'} ${seeds.join(', ')}`;
}
