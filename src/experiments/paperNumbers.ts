/**
 * What the paper reports, to stand beside what we measure. So far the columns of linear classification on Breast US-SWE,
 * its Table 1 (methods) and Table 2 (terms of the loss), in per cent as printed. What is odd about these numbers is in
 * PAPER.md.
 */
import { UsageError } from '../errors.js';
import { nearest } from '../nearest.js';

export interface PaperTable {
  readonly data: string;
  readonly protocol: string;
  /** Names of the columns; AUC is the first. */
  readonly metrics: readonly string[];
  readonly rows: Readonly<Record<string, readonly number[]>>;
}

const setting = { data: 'US-SWE', protocol: 'linear' } as const;

export const paperTables: Readonly<Record<1 | 2, PaperTable>> = {
  1: {
    ...setting,
    metrics: ['AUC', 'accuracy', 'F1'],
    rows: {
      'InstDis-US': [81.77, 75.2, 69.77],
      'InstDis-SWE': [85.85, 78.16, 72.23],
      CMC: [86.77, 79.89, 74.57],
      SimCLR: [88.54, 77.77, 72.59],
      // The same AUC is printed under finetuning: perhaps a slip of copying.
      'InstDis-All': [88.27, 80.88, 77.26],
      DenseCL: [87.62, 80.95, 76.89],
      Ours: [90.11, 82.43, 78.46],
    },
  },
  2: {
    ...setting,
    metrics: ['AUC', 'accuracy', 'precision'],
    rows: {
      Consistency: [75.99, 54.25, 49.77],
      Global: [87.89, 81.07, 79.7],
      'Consistency + Global': [90.11, 82.43, 80.84],
    },
  },
};

/** Names a row of the paper's tables. */
export interface PaperReference {
  readonly table: keyof typeof paperTables;
  readonly row: string;
}

/** What the paper prints in a row, by column. */
export interface PaperNumbers extends PaperReference {
  readonly data: string;
  readonly protocol: string;
  /** In per cent. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** @throws UsageError when the table has no such row, with the nearest */
export function paperNumbers({ table, row }: PaperReference): PaperNumbers {
  const { data, protocol, metrics, rows } = paperTables[table];
  const values = Object.hasOwn(rows, row) ? rows[row] : undefined;
  if (values === undefined) {
    const known = Object.keys(rows);
    const meant = nearest(row, known);
    throw new UsageError(
      `the paper’s Table ${table} has no row "${row}", expected one of ${known.join(', ')}` +
        (meant === undefined ? '' : `; did you mean ${meant}?`),
    );
  }
  return {
    table,
    row,
    data,
    protocol,
    metrics: Object.fromEntries(metrics.map((name, i) => [name, values[i]!])),
  };
}
