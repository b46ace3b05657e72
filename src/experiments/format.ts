/** An experiment's table as Markdown, CSV or LaTeX. */
import { csv } from '../csv.js';
import { markdownTable } from '../markdownTable.js';
import { counted, fixed, signed } from '../report/numbers.js';
import type { ExperimentTable, Fact, TableDifference, TablePart, TableRow, TableValue } from './table.js';

export const tableFormats = ['markdown', 'csv', 'latex'] as const;
export type TableFormat = (typeof tableFormats)[number];

export function formatTable(table: ExperimentTable, format: TableFormat): string {
  switch (format) {
    case 'markdown':
      return markdown(table);
    case 'csv':
      return csv(csvLines(table));
    case 'latex':
      return latex(table);
  }
}

const PROTOCOLS: Readonly<Record<TablePart['protocol'], string>> = {
  logreg: 'logistic regression (primary probe)',
  linear: 'hu-linear (SGD on raw features)',
  knn: 'k nearest neighbours',
};

const METRICS: Readonly<Record<string, string>> = { auc: 'AUC', macroAuc: 'macro AUC' };

const EXPOSURES: Readonly<Record<string, string>> = {
  transductive: 'pretrained on the very images it is tested on, never on their labels',
  'in-fold': 'each encoder pretrained without the images it is tested on',
  transfer: 'pretrained on other data',
  unknown: 'whether the tested images were seen in pretraining is not known',
  untrained: 'not pretrained here: weights are random, or from elsewhere and taken as they are',
};

const MISSING = '—';

interface Cell {
  /** What is marked where this is the best or second best value of its column. */
  readonly value: string;
  /** Interval or spread. */
  readonly rest?: string;
  readonly mark?: 'best' | 'second';
}

function markdown(table: ExperimentTable): string {
  const sections = [
    `# ${table.name} on ${table.data.name}`,
    table.description?.trim() ?? '',
    ...aboutLines(table),
    ...table.parts.flatMap((part) => {
      const { header, rows } = layOut(table, part);
      const shown = rows.map((cells) =>
        cells.map(({ value, rest, mark }) => {
          const sign = mark === undefined ? '' : mark === 'best' ? '**' : '*';
          return `${sign}${value}${sign}${rest ?? ''}`;
        }),
      );
      return [`## ${title(table, part)}`, markdownTable(header, shown), detectable(table, part)];
    }),
    closingLines(table)
      .map((line) => `- ${line}`)
      .join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function title({ metric = 'auc' }: ExperimentTable, { protocol, features }: TablePart): string {
  return `${METRICS[metric] ?? metric}, ${PROTOCOLS[protocol]}, ${features} features`;
}

/** What was run and how to read it. */
function aboutLines(table: ExperimentTable): string[] {
  const { data, facts, seeds, folds, spread, bootstrap } = table;
  const ran = [
    `${counted(data.pairs)} pairs of ${counted(data.subjects)} subjects`,
    ...(folds === undefined ? [] : [`${folds} folds by subject`]),
    ...named(facts.steps, (value) => `${value} steps`),
    ...named(facts.batchSize, (value) => `batches of ${value}`),
    ...named(facts.size, (value) => `${value}²`),
    ...named(facts.width, (value) => `width ${value}`),
    ...named(facts.precision, (value) => value),
    `seed${seeds.length === 1 ? '' : 's'} ${seeds.join(', ')}`,
  ];
  const exposures = facts.exposure.map(({ value, rows }, i) => {
    const who =
      i > 0 ? rows.join(', ') : facts.exposure.length === 1 ? 'all rows' : 'all rows but those that follow';
    return `*${value}* (${EXPOSURES[value]}): ${who}`;
  });
  const brackets =
    spread === 'seeds'
      ? 'Mean ± standard deviation over the seeds.'
      : bootstrap === undefined
        ? ''
        : `In brackets the ${100 * bootstrap.confidence} % interval over subjects (${counted(bootstrap.replicates)} bootstraps), of one seed.`;
  const paper = paperSetting(table);
  return [
    ...(table.smoke ? ['**A smoke run: far too small to mean anything.**'] : []),
    `${ran.join('; ')}.`,
    ...(exposures.length === 0 ? [] : [`${exposures.join('; ')}.`]),
    `${brackets} Of the rows above the baselines **best** and *second best* are marked, whether or not they can be told apart.`.trim(),
    ...(paper === undefined
      ? []
      : [
          `The paper’s numbers are on ${paper.data}, by its ${paper.protocol} probe, at 200 epochs; ours are on ${data.name}.`,
        ]),
  ];
}

/** The value of most rows; those of others with their names. */
function named([most, ...others]: readonly Fact[], text: (value: string) => string): string[] {
  if (most === undefined) return [];
  const exceptions = others.map(({ value, rows }) => `${rows.join(', ')}: ${value}`);
  return [text(most.value) + (exceptions.length === 0 ? '' : ` (${exceptions.join('; ')})`)];
}

function paperSetting({ parts }: ExperimentTable) {
  return parts.flatMap(({ rows }) => rows).find(({ paper }) => paper !== undefined)?.paper;
}

function closingLines({ missing, parts, seeds, notes }: ExperimentTable): string[] {
  const rows = parts[0]!.rows.filter(({ source }) => source === 'run').length;
  const all = rows * seeds.length * new Set(parts.map(({ protocol }) => protocol)).size;
  if (missing.length === 0) return [...notes];
  const named = missing.slice(0, 6).join('; ') + (missing.length > 6 ? '; …' : '');
  return [`${missing.length} of ${all} evaluations are missing (${MISSING}): ${named}.`, ...notes];
}

function detectable({ spread }: ExperimentTable, { rows, images }: TablePart): string {
  const widest = images.at(-1);
  const found = rows.flatMap(({ against }) => against.untrained[widest ?? '']?.minimumDetectable ?? []);
  if (widest === undefined || found.length === 0) return '';
  const [low, high] = [fixed(Math.min(...found)), fixed(Math.max(...found))];
  return (
    `Minimum detectable difference to the untrained encoder, ${shownImages(widest)}: ${low === high ? low : `${low} to ${high}`} ` +
    `(two-sided 5 %, power 80 %, paired over subjects${spread === 'seeds' ? ', mean over seeds' : ''}). Smaller differences rank nothing.`
  );
}

function layOut(table: ExperimentTable, part: TablePart): { header: string[]; rows: Cell[][] } {
  const { images, rows } = part;
  const widest = images.at(-1) ?? '';
  const withPaper = paperSetting(table) !== undefined;
  const ranks = images.map((image) => ranking(rows, image));
  const header = [
    'row',
    'exposure',
    ...images.map(shownImages),
    ...['untrained', 'thumbnail'].flatMap((other) => [`${shownImages(widest)} − ${other}`, 'detectable']),
    ...(withPaper ? ['paper'] : []),
  ];
  const lines = rows.map((row): Cell[] => {
    const baseline = row.source !== 'run';
    return [
      { value: row.name },
      { value: row.exposure ?? (baseline ? '' : MISSING) },
      ...images.map((image, i) => {
        const cell = valueCell(row.values[image]);
        return baseline ? cell : { ...cell, mark: ranks[i]!.get(row.values[image]?.value ?? null) };
      }),
      ...(['untrained', 'thumbnail'] as const).flatMap((other) =>
        baseline ? [{ value: '' }, { value: '' }] : differenceCells(row.against[other][widest]),
      ),
      ...(withPaper ? [paperCell(row)] : []),
    ];
  });
  return { header, rows: lines };
}

/** `a+b` → `A+B`; longer names stay. */
function shownImages(images: string): string {
  return images
    .split('+')
    .map((name) => (name.length === 1 ? name.toUpperCase() : name))
    .join('+');
}

/** The largest value and the next among the rows that were pretrained. */
function ranking(rows: readonly TableRow[], image: string): Map<number | null, Cell['mark']> {
  const values = rows.flatMap(({ source, values }) => (source === 'run' ? (values[image]?.value ?? []) : []));
  const [best, second] = [...new Set(values)].sort((a, b) => b - a);
  const ranks = new Map<number | null, Cell['mark']>();
  if (best !== undefined) ranks.set(best, 'best');
  if (second !== undefined) ranks.set(second, 'second');
  return ranks;
}

function valueCell(value: TableValue | undefined): Cell {
  if (value === undefined) return { value: MISSING };
  const { low, high, deviation } = value;
  if (deviation !== null) return { value: fixed(value.value), rest: ` ± ${fixed(deviation)}` };
  const rest = low === null || high === null ? undefined : ` [${fixed(low)}, ${fixed(high)}]`;
  return { value: fixed(value.value), rest };
}

function differenceCells(difference: TableDifference | undefined): Cell[] {
  if (difference === undefined) return [{ value: MISSING }, { value: MISSING }];
  const { value, low, high, deviation, minimumDetectable } = difference;
  const rest =
    deviation !== null
      ? ` ± ${fixed(deviation)}`
      : low === null || high === null
        ? undefined
        : ` [${signed(low)}, ${signed(high)}]`;
  return [{ value: signed(value), rest }, { value: fixed(minimumDetectable) }];
}

function paperCell({ paper }: TableRow): Cell {
  if (paper === undefined) return { value: '' };
  const { AUC } = paper.metrics;
  return { value: fixed(AUC! / 100), rest: ` (Table ${paper.table}, ${paper.data})` };
}

function csvLines({ parts, metric = '' }: ExperimentTable): string[][] {
  const number = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : String(value);
  const against = ['untrained', 'thumbnail'] as const;
  const header = [
    ...['row', 'source', 'exposure', 'protocol', 'features', 'images', 'metric'],
    ...['value', 'low', 'high', 'deviation', 'seeds'],
    ...against.flatMap((other) =>
      ['difference', 'low', 'high', 'deviation', 'detectable'].map((name) => `${other}_${name}`),
    ),
    ...['paper_table', 'paper_row', 'paper_data', 'paper_auc_percent'],
  ];
  const lines = parts.flatMap(({ protocol, features, images, rows }) =>
    rows.flatMap(({ name, source, exposure = '', values, paper, ...row }) =>
      images.map((image) => {
        const value = values[image];
        return [
          ...[name, source, exposure, protocol, features, image, metric],
          ...[value?.value, value?.low, value?.high, value?.deviation, value?.seeds].map(number),
          ...against.flatMap((other) => {
            const found = row.against[other][image];
            const { deviation, minimumDetectable } = found ?? {};
            return [found?.value, found?.low, found?.high, deviation, minimumDetectable].map(number);
          }),
          ...[number(paper?.table), paper?.row ?? '', paper?.data ?? '', number(paper?.metrics.AUC)],
        ];
      }),
    ),
  );
  return [header, ...lines];
}

/** A floating table for each part; needs no package. */
function latex(table: ExperimentTable): string {
  const about = aboutLines(table).map((line) => line.replaceAll('*', ''));
  const marks = { best: '\\textbf', second: '\\underline' } as const;
  const tables = table.parts.map((part) => {
    const { header, rows } = layOut(table, part);
    const line = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`;
    const shown = rows.map((cells) =>
      line(
        cells.map(({ value, rest = '', mark }) => {
          const text = latexText(value);
          return `${mark === undefined ? text : `${marks[mark]}{${text}}`}${latexText(rest)}`;
        }),
      ),
    );
    const caption = [`${title(table, part)}.`, detectable(table, part), ...about, ...closingLines(table)];
    return [
      '\\begin{table}',
      `\\caption{${latexText(caption.filter((text) => text !== '').join(' '))}}`,
      `\\begin{tabular}{ll${'r'.repeat(header.length - 2)}}`,
      '\\hline',
      line(header.map(latexText)),
      '\\hline',
      ...shown,
      '\\hline',
      '\\end{tabular}',
      '\\end{table}',
    ].join('\n');
  });
  return `${tables.join('\n\n')}\n`;
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '−': '$-$',
  '±': '$\\pm$',
  '×': '$\\times$',
  '²': '$^2$',
  '—': '---',
  '–': '--',
  '’': "'",
  '…': '\\dots{}',
};

function latexText(text: string): string {
  return text.replace(/[\\~^−±×²—–’…]|[&%$#_{}]/g, (found) => LATEX[found] ?? `\\${found}`);
}
