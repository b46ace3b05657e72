/**
 * A table of typed cells. It is built once, and the files beside this one show it as Markdown, LaTeX, CSV or HTML. They
 * alone decide how a number, an interval or a gap is written.
 */

export interface Table {
  /** The name of the table where the table cannot be seen. */
  readonly title?: string;
  /** A text that a reader must know before the numbers. */
  readonly caption?: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Notes on single numbers or rows, which stand below the table. */
  readonly notes?: readonly string[];
}

export interface Column {
  readonly header: string;
  /** Whether the cells are words, which begin at the left, and not numbers, which end at the right. */
  readonly words?: boolean;
  /** Whether pages show the numbers in bold, as the ones that count. */
  readonly strong?: boolean;
}

export interface Row {
  /** Rows of one kind stand together; pages draw a line where another kind begins. */
  readonly kind?: string;
  /** One cell for each column. */
  readonly cells: readonly Cell[];
}

export type Cell = TextCell | NumberCell | IntervalCell | ProbabilityCell | EmptyCell;

export interface TextCell {
  readonly kind: 'text';
  readonly text: string;
  /** A word that pages set in a label behind the text. */
  readonly tag?: string;
}

/** The value that is marked as the best of its column, or the second best. */
export type Mark = 'best' | 'second';

export interface NumberCell extends NumberOptions {
  readonly kind: 'number';
  /** Null or NaN where the number is undefined, as an AUC is without positives. */
  readonly value: number | null;
}

export interface NumberOptions {
  /** The number of decimal places; 3 by default. */
  readonly places?: number;
  /** A difference is written with its sign, a ratio behind ×. */
  readonly as?: 'difference' | 'ratio';
  /** The ends of the interval; undefined where none belongs to the number, null where it is undefined. */
  readonly low?: number | null;
  readonly high?: number | null;
  /** The standard deviation over several runs. */
  readonly deviation?: number | null;
  /** The number of runs that the deviation is over. */
  readonly runs?: number;
  /** The mean and the standard deviation of the folds’ own values. */
  readonly folds?: { readonly mean: number | null; readonly deviation: number | null };
  /** The value that chance alone gives; it stands in round brackets. */
  readonly chance?: number | null;
  readonly mark?: Mark;
}

/** An interval in a column of its own. */
export interface IntervalCell {
  readonly kind: 'interval';
  readonly low: number | null;
  readonly high: number | null;
  /** Whether the ends are differences, which are written with their signs. */
  readonly signed: boolean;
}

export interface ProbabilityCell {
  readonly kind: 'probability';
  readonly value: number | null;
}

export interface EmptyCell {
  /** `missing`: there is no result yet; `none`: there can be no result. */
  readonly kind: 'missing' | 'none';
}

export const MISSING: EmptyCell = { kind: 'missing' };
export const NONE: EmptyCell = { kind: 'none' };

export function text(words: string, tag?: string): TextCell {
  return { kind: 'text', text: words, tag };
}

/**
 * Makes the cell of a number.
 *
 * @param value undefined where there is no result yet
 */
export function number(
  value: number | null | undefined,
  options: NumberOptions = {},
): NumberCell | EmptyCell {
  return value === undefined ? MISSING : { kind: 'number', value, ...options };
}

export function intervalCell(low: number | null, high: number | null, signed = false): IntervalCell {
  return { kind: 'interval', low, high, signed };
}

/** The p-value of a test. */
export function pValue(value: number | null | undefined): ProbabilityCell {
  return { kind: 'probability', value: value ?? null };
}

/** A column with the function that makes its cell from the item of a row. */
export interface ColumnOf<T> extends Column {
  readonly cell: (of: T) => Cell;
}

/** Makes a table with a row for each item. @param kindOf the kind of a row */
export function tableOf<T>(
  rows: readonly T[],
  columns: readonly ColumnOf<T>[],
  {
    kindOf,
    ...around
  }: Pick<Table, 'title' | 'caption' | 'notes'> & { readonly kindOf?: (of: T) => string } = {},
): Table {
  return {
    ...around,
    columns: columns.map(({ cell: _, ...column }) => column),
    rows: rows.map((of) => ({ kind: kindOf?.(of), cells: columns.map(({ cell }) => cell(of)) })),
  };
}
