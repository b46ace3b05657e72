/** A part of a table as lines of cells, for Markdown and LaTeX alike, and the words around it. */
import { brief, fixed, probability, signed } from '../../text/numbers.js';
import type { ExperimentTable, TableDifference, TablePart, TableRow, TableValue } from '../table/model.js';
import type { Comparison, Mark } from '../table/significance.js';

export const MISSING = '—';

export interface Cell {
  /** What is marked where this is the best or second best value of its column. */
  readonly value: string;
  /** Interval or spread. */
  readonly rest?: string;
  readonly mark?: Mark;
}

export interface Layout {
  readonly header: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A protocol's name begins with one of these, unless the file gives it another; its settings follow. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  logreg: 'logistic regression (primary probe)',
  linear: 'hu-linear (SGD on raw features)',
  'linear moco': 'linear probe as MoCo’s',
  'linear simclr': 'linear probe as SimCLR’s',
  'linear cmc': 'linear probe as CMC’s',
  'linear solo': 'linear probe as solo-learn’s',
  knn: 'k nearest neighbours',
  finetune: 'finetuning of the whole encoder',
};

const FEATURES: Readonly<Record<TablePart['features'], string>> = {
  chosen: 'features chosen by inner folds',
  pooled: 'pooled features',
  head: 'head features',
};

const METRICS: Readonly<Record<string, string>> = {
  auc: 'AUC',
  macroAuc: 'Macro AUC',
  matchedAuc: 'Matched AUC',
};

/** The paper’s metric → ours. */
const BESIDE: Readonly<Record<string, string>> = { accuracy: 'accuracy', F1: 'f1', precision: 'precision' };

export function title({ metric = 'auc' }: Pick<ExperimentTable, 'metric'>, part: TablePart): string {
  const { set, name, features, seeds } = part;
  const where = set === undefined ? '' : `${set}, `;
  const judged = seeds === undefined ? '' : `, seed${seeds.length === 1 ? '' : 's'} ${seeds.join(', ')}`;
  return `${METRICS[metric] ?? metric}, ${where}${shownProtocol(name)}, ${FEATURES[features]}${judged}`;
}

export const featuresOf = ({ features }: Pick<TablePart, 'features'>): string => FEATURES[features];

/** `logreg labels 0.1` → `logistic regression, 10 % of the labels` */
export function shownProtocol(name: string): string {
  const [, base = name, share] = /^(.+?) labels ([\d.]+)$/.exec(name) ?? [];
  const labels = share === undefined ? '' : `, ${brief(100 * Number(share))} % of the training labels`;
  const known = PROTOCOLS[base];
  if (known !== undefined)
    return `${share === undefined ? known : known.replace(' (primary probe)', '')}${labels}`;
  const preset = /^finetune (.+)$/.exec(base)?.[1];
  return `${preset === undefined ? base : `${PROTOCOLS.finetune} (preset ${preset})`}${labels}`;
}

/** `a+b` → `A+B`; longer names stay. */
export function shownImages(images: string): string {
  return images
    .split('+')
    .map((name) => (name.length === 1 ? name.toUpperCase() : name))
    .join('+');
}

/** AUC on all images, of all folds together and of each in the mean, and against the baselines. */
export function layOut({ images, rows }: TablePart): Layout {
  const widest = images.at(-1) ?? '';
  const less = widest === '' ? 'row' : shownImages(widest);
  const folded = rows.some(({ values }) => typeof values[widest]?.foldMean === 'number');
  const header = [
    'row',
    'exposure',
    ...images.map(shownImages),
    ...(folded ? [`${shownImages(widest)}, mean of folds`] : []),
    ...['untrained', 'thumbnail'].flatMap((other) => [`${less} − ${other}`, 'detectable']),
  ];
  const lines = rows.map((row): Cell[] => {
    const baseline = row.source !== 'run';
    return [
      { value: row.name },
      { value: row.exposure ?? (baseline ? '' : MISSING) },
      ...images.map((image) => ({ ...valueCell(row.values[image]), mark: row.marks[image] })),
      ...(folded ? [{ value: shownNumber(row.values[widest]?.foldMean) }] : []),
      ...(['untrained', 'thumbnail'] as const).flatMap((other) =>
        baseline ? [{ value: '' }, { value: '' }] : differenceCells(row.against[other][widest]),
      ),
    ];
  });
  return { header, rows: lines };
}

/** Ours, the paper’s and the difference for those metrics of its tables that can be compared; undefined where none can. */
export function besidePaper({ images, rows }: TablePart): Layout | undefined {
  const widest = images.at(-1) ?? '';
  const own = rows.filter(({ paper }) => paper !== undefined);
  const printed = new Set(own.flatMap(({ paper }) => Object.keys(paper!.metrics)));
  const metrics = [...printed].filter((metric) =>
    own.some((row) => row.paper!.metrics[metric] !== undefined && ourNumber(row, metric, widest) != null),
  );
  const withStyle = own.some((row) => styleAuc(row, widest) != null);
  if (metrics.length === 0 && !withStyle) return undefined;
  const header = [
    'row',
    'paper',
    ...metrics.flatMap((metric) => [metric, 'paper', 'difference']),
    ...(withStyle ? ['AUC at the best test epoch (optimistic)'] : []),
  ];
  const lines = own.map((row): Cell[] => {
    const paper = row.paper!;
    return [
      { value: row.name },
      { value: `Table ${paper.table}, ${paper.row}, ${paper.data}` },
      ...metrics.flatMap((metric) => {
        const ours = ourNumber(row, metric, widest);
        const printed = paper.metrics[metric];
        if (printed === undefined) return [{ value: shownNumber(ours) }, { value: '' }, { value: '' }];
        const difference = ours === undefined || ours === null ? ours : ours - printed / 100;
        return [
          { value: shownNumber(ours) },
          { value: fixed(printed / 100) },
          { value: difference === undefined ? MISSING : signed(difference) },
        ];
      }),
      ...(withStyle ? [{ value: shownNumber(styleAuc(row, widest)) }] : []),
    ];
  });
  return { header, rows: lines };
}

/** The comparisons that the experiment was made for; undefined where there are none yet. */
export function familyLayout({ family }: ExperimentTable): Layout | undefined {
  if (family === undefined || family.comparisons.length === 0) return undefined;
  const header = [`${family.reference} −`, 'difference', 'p', 'p (Holm)', 'detectable'];
  const rows = family.comparisons.map((comparison) => [
    { value: comparedWith(comparison) },
    { value: signed(comparison.value), rest: ` [${signed(comparison.low)}, ${signed(comparison.high)}]` },
    ...[
      probability(comparison.pValue),
      probability(comparison.holm),
      fixed(comparison.minimumDetectable),
    ].map((text) => ({ value: text })),
  ]);
  return { header, rows };
}

/** `CMC (seeds 0, 1)` where not all seeds of the two are compared. */
export function comparedWith({ against, seeds }: Pick<Comparison, 'against' | 'seeds'>): string {
  if (seeds === undefined) return against;
  return `${against} (seed${seeds.length === 1 ? '' : 's'} ${seeds.join(', ')})`;
}

function ourNumber({ values, metrics }: TableRow, metric: string, images: string): number | null | undefined {
  if (metric === 'AUC') return values[images]?.value;
  return metrics[images]?.[BESIDE[metric]!];
}

function styleAuc({ paperStyle }: TableRow, images: string): number | null | undefined {
  const style = paperStyle?.[images];
  return style?.auc ?? style?.macroAuc;
}

/** Undefined: there is no result; null: its number is undefined. */
function shownNumber(value: number | null | undefined): string {
  return value === undefined ? MISSING : fixed(value);
}

function valueCell(value: TableValue | undefined): Cell {
  if (value === undefined) return { value: MISSING };
  return { value: fixed(value.value), rest: spreadOf(value, fixed) };
}

function differenceCells(difference: TableDifference | undefined): Cell[] {
  if (difference === undefined) return [{ value: MISSING }, { value: MISSING }];
  const { value, minimumDetectable } = difference;
  return [{ value: signed(value), rest: spreadOf(difference, signed) }, { value: fixed(minimumDetectable) }];
}

function spreadOf(
  { low, high, deviation }: Pick<TableValue, 'low' | 'high' | 'deviation'>,
  shown: (value: number) => string,
): string | undefined {
  const parts = [
    ...(deviation === null ? [] : [` ± ${fixed(deviation)}`]),
    ...(low === null || high === null ? [] : [` [${shown(low)}, ${shown(high)}]`]),
  ];
  return parts.length === 0 ? undefined : parts.join('');
}
