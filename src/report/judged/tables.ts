/** The tables of a study: methods down, kinds of images across, each number with its interval. */

import { BASELINES, imagesName, metricHeading, shortSource } from '../../evaluation/results/names.js';
import {
  differenceCell,
  hasFolds,
  type ResultDifference,
  type ResultRow,
  valueCell,
} from '../../evaluation/results/resultTable.js';
import { html, type Markup } from '../../text/markup.js';
import { htmlTable, tag } from '../../text/table/html.js';
import {
  type Cell,
  type ColumnOf,
  MISSING,
  number,
  type Table,
  tableOf,
  text,
} from '../../text/table/model.js';
import type { BesideTable, StudyFamily, StudyResults } from './study.js';

const STUDY = { className: 'numbers study' };

export function resultsSection(results: StudyResults): Markup {
  const exposures = exposuresOf(measured(results.rows));
  return html`<section>
<h3>${results.title}${exposures.length === 1 ? tag(exposures[0]!) : ''}</h3>
${htmlTable(resultsOnPage(results), STUDY)}
${results.beside === undefined ? '' : htmlTable(results.beside.table, STUDY)}
</section>`;
}

export function familySection({ table }: StudyFamily): Markup {
  return html`<section>
<h3>${table.title}</h3>
${htmlTable(table, STUDY)}
</section>`;
}

export function claimsSection(table: Table): Markup {
  return html`<h3>${table.title}</h3>
${htmlTable(table, { ...STUDY, brackets: true })}`;
}

/**
 * Makes the table that fits the width of a page. It has only rows with a result, exposure as a label, and the smallest
 * detectable difference once.
 */
function resultsOnPage({ title, metric, caption, images, rows: all, notes = [] }: StudyResults): Table {
  const rows = measured(all);
  const without = all.filter((row) => !rows.includes(row)).map(({ name }) => name);
  const several = exposuresOf(rows).length > 1;
  const widest = images.at(-1) ?? '';
  const wide = widest === '' ? '' : `, ${imagesName(widest)}`;
  const compared = BASELINES.filter((other) => rows.some(({ against }) => against[other][widest]));
  const [first] = compared;
  const folds: ColumnOf<ResultRow> = {
    header: `Mean of folds${wide}`,
    cell: ({ values }) => number(values[widest]?.foldMean),
  };
  return tableOf<ResultRow>(
    rows,
    [
      {
        header: 'Method',
        words: true,
        cell: ({ name, exposure }) => text(name, several ? exposure : undefined),
      },
      ...images.map((image) => ({
        header: `${metric}, ${imagesName(image)}`,
        cell: (row: ResultRow) => valueCell(row, image),
      })),
      ...(hasFolds(rows, widest) ? [folds] : []),
      ...compared.map((other) => ({
        header: `− ${shortSource(other)}${wide}`,
        cell: ({ against }: ResultRow) => differenceOnPage(against[other][widest]),
      })),
      ...(first === undefined
        ? []
        : [
            {
              header: 'Detectable',
              cell: ({ against }: ResultRow) => number(against[first][widest]?.minimumDetectable),
            },
          ]),
    ],
    {
      title,
      caption,
      notes: [...(without.length === 0 ? [] : [`No result yet: ${without.join(', ')}.`]), ...notes],
      kindOf: ({ source }) => (source === 'run' ? 'run' : 'baseline'),
    },
  );
}

/** A difference without its deviation over the seeds: on a page only values show theirs. */
function differenceOnPage(found: ResultDifference | undefined): Cell {
  return differenceCell(found && { ...found, deviation: null });
}

function measured(rows: readonly ResultRow[]): ResultRow[] {
  return rows.filter(({ values }) => Object.keys(values).length > 0);
}

function exposuresOf(rows: readonly ResultRow[]): string[] {
  return [...new Set(rows.flatMap(({ exposure }) => exposure ?? []))];
}

/** A row with its numbers that stand beside each other, by metric. */
export interface BesideRow extends Pick<ResultRow, 'name' | 'source'> {
  readonly beside: Readonly<Record<string, Beside>>;
}

/** The numbers of one metric, as shares of 1. */
export interface Beside {
  readonly ours: number | null;
  readonly paper?: number;
  /** The value of the best test epoch. */
  readonly paperStyle?: number | null;
}

/**
 * The paper’s numbers beside ours, in per cent as it prints them; undefined where there is nothing to set beside each
 * other.
 *
 * @param metrics in the order of the columns
 */
export function besideTable(
  rows: readonly BesideRow[],
  metrics: readonly string[],
  { title, images }: Pick<StudyResults, 'title' | 'images'>,
): BesideTable | undefined {
  // Columns without any number are left out.
  const columns = metrics.flatMap((metric) => {
    const found = rows.flatMap(({ beside }) => beside[metric] ?? []);
    const paper = found.some(({ ours, paper: printed }) => ours !== null && printed !== undefined);
    const style = found.some(({ paperStyle }) => paperStyle != null);
    return paper || style ? [{ metric, paper, style }] : [];
  });
  if (columns.length === 0) return undefined;
  const styled = columns.some(({ style }) => style);
  const widest = images.at(-1);
  const table = tableOf<BesideRow>(
    rows.filter(({ beside }) => columns.some(({ metric }) => beside[metric] !== undefined)),
    [
      { header: 'Method', words: true, cell: ({ name }) => text(name) },
      ...columns.flatMap(({ metric, paper, style }): ColumnOf<BesideRow>[] => [
        {
          header: metricHeading(metric),
          strong: true,
          cell: ({ beside }) => percent(beside[metric]?.ours),
        },
        ...(paper
          ? [
              { header: 'paper', cell: ({ beside }: BesideRow) => percent(beside[metric]?.paper) },
              { header: 'difference', cell: ({ beside }: BesideRow) => differenceOf(beside[metric]) },
            ]
          : []),
        ...(style
          ? [
              {
                header: 'best test epoch',
                cell: ({ beside }: BesideRow) => percent(beside[metric]?.paperStyle),
              },
            ]
          : []),
      ]),
    ],
    {
      title: `${title}: beside the paper`,
      caption: `Beside the paper, in per cent, ${widest === undefined ? '' : imagesName(widest)}: what is measured here, what the paper prints for its own data, and the difference. Other data and another budget, so the difference says how far apart two studies are, not which method is better.${styled ? ' “Best test epoch” is chosen by the test labels, as the paper’s snapshot does, and too good.' : ''}`,
      kindOf: ({ source }) => (source === 'run' ? 'run' : 'baseline'),
    },
  );
  return { table, comparable: columns.some(({ paper }) => paper) };
}

function percent(share: number | null | undefined) {
  return number(share == null ? share : 100 * share, { places: 1 });
}

function differenceOf({ ours = null, paper }: Partial<Beside> = {}) {
  if (ours === null || paper === undefined) return MISSING;
  return number(100 * (ours - paper), { places: 1, as: 'difference' });
}
