/**
 * Shows the results of rows on each set of modalities as a table, with a line for each row and a column for each set.
 */
import {
  type Cell,
  type ColumnOf,
  type Mark,
  MISSING,
  NONE,
  number,
  type Table,
  tableOf,
  text,
} from '../../text/table/model.js';
import type { EvaluationRow, Exposure } from './evaluationResult.js';
import { BASELINES, type Baseline, imagesName, shortSource } from './names.js';

/** A method, or a baseline that the methods are compared with. */
export interface ResultRow {
  readonly name: string;
  readonly source: EvaluationRow['source'];
  readonly exposure?: Exposure['kind'];
  /** The values on each set of images, such as `a+b`; absent while there is no result. */
  readonly values: Readonly<Record<string, ResultValue>>;
  /** The differences to each baseline, on each set of images. */
  readonly against: Readonly<Record<Baseline, Readonly<Record<string, ResultDifference>>>>;
  /** The marks of the best and second best values, on each set of images. */
  readonly marks: Readonly<Record<string, Mark>>;
}

/** The value of one seed, or the mean over several; a number that is undefined is null. */
export interface ResultValue {
  readonly value: number | null;
  /** The ends of the interval over subjects, that of the mean where there are several seeds. */
  readonly low: number | null;
  readonly high: number | null;
  /** The sample standard deviation over several seeds. */
  readonly deviation: number | null;
  /** The number of seeds, times draws of the labels. */
  readonly seeds: number;
  /**
   * The mean of the AUCs inside the test folds. It stands beside the AUC of all test predictions together, and is null
   * where a fold has none.
   */
  readonly foldMean: number | null;
}

export interface ResultDifference extends Omit<ResultValue, 'foldMean'> {
  readonly minimumDetectable: number | null;
  /** The p-value after Holm’s correction, of one evaluation over all its comparisons. */
  readonly holm?: number | null;
}

/**
 * Makes the table of the values on each set of images. The last and widest set also shows the mean of the folds and the
 * differences to the baselines.
 *
 * @param images the sets of modalities, the widest last
 */
export function resultTable<Of extends ResultRow>(images: readonly string[], rows: readonly Of[]): Table {
  const widest = images.at(-1) ?? '';
  const less = widest === '' ? 'row' : imagesName(widest);
  const folds: ColumnOf<Of> = {
    header: `${imagesName(widest)}, mean of folds`,
    cell: ({ values }) => number(values[widest]?.foldMean),
  };
  return tableOf(rows, [
    { header: 'row', words: true, cell: ({ name }) => text(name) },
    {
      header: 'exposure',
      words: true,
      cell: ({ exposure, source }) => (exposure ? text(exposure) : source === 'run' ? MISSING : NONE),
    },
    ...images.map((image) => ({
      header: imagesName(image),
      cell: (row: Of) => valueCell(row, image),
    })),
    ...(hasFolds(rows, widest) ? [folds] : []),
    ...BASELINES.flatMap((baseline): ColumnOf<Of>[] => [
      {
        header: `${less} − ${shortSource(baseline)}`,
        cell: (row) => (row.source === 'run' ? differenceCell(row.against[baseline][widest]) : NONE),
      },
      {
        header: 'detectable',
        cell: (row) =>
          row.source === 'run' ? number(row.against[baseline][widest]?.minimumDetectable) : NONE,
      },
    ]),
  ]);
}

/** Tells whether any row has a mean over folds on these images. */
export function hasFolds(rows: readonly ResultRow[], images: string): boolean {
  return rows.some(({ values }) => typeof values[images]?.foldMean === 'number');
}

export function valueCell({ values, marks }: ResultRow, images: string): Cell {
  const found = values[images];
  if (found === undefined) return MISSING;
  return number(found.value, { ...spreadOf(found), mark: marks[images] });
}

export function differenceCell(found: ResultDifference | undefined): Cell {
  return found === undefined ? MISSING : number(found.value, { ...spreadOf(found), as: 'difference' });
}

function spreadOf({ low, high, deviation, seeds }: ResultDifference | ResultValue) {
  const interval = low === null || high === null ? {} : { low, high };
  return { ...interval, deviation, runs: seeds };
}
