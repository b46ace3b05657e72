/** Reads the test predictions that an evaluation stored beside its JSON. */
import { existsSync, readFileSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import { DataError } from '../../errors.js';
import { unguarded } from '../../text/csv.js';

/** The samples of all judged folds together. Entry i of each list belongs to sample i. */
export interface StoredPredictions {
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  readonly folds: readonly number[];
  /** The class number of each sample. */
  readonly labels: readonly number[];
  /** The class names by class number. */
  readonly classes: readonly string[];
  /**
   * The probabilities by row key, [n, classes] row-major. Of two classes only the second is stored, and the first is
   * the rest to 1. A row whose training diverged is left out. Samples that lack an image of the row are NaN; see
   * {@link predictionsOf}.
   */
  readonly probabilities: ReadonlyMap<string, Float64Array>;
}

/** The part of an evaluation that its predictions must fit. */
export interface PredictedEvaluation {
  readonly data: { readonly classes: readonly string[]; readonly samples: number };
  readonly rows: readonly {
    readonly key: string;
    readonly judgedOn?: { readonly samples: number };
  }[];
}

const HEAD = ['id', 'subject', 'fold', 'label'];

/**
 * Reads the file of predictions.
 *
 * @param of the evaluation that the file must fit: its class names by class number, its number of judged samples, and
 * the rows that are judged on fewer
 * @param remedy advice for the error where the file does not fit
 * @returns undefined where there is no such file, as predictions may stay at home while the numbers travel
 * @throws DataError naming the file and the faulty line
 */
export function readPredictions(
  file: string,
  { data: { classes, samples }, rows }: PredictedEvaluation,
  remedy = 'run anatomy evaluate again',
): StoredPredictions | undefined {
  if (!existsSync(file)) return undefined;
  const wrong = (what: string): never => {
    throw new DataError(`${file}: ${what}; ${remedy}`);
  };
  const [head = [], ...lines] = linesOf(file, wrong);
  if (HEAD.some((name, i) => head[i] !== name)) {
    wrong(`begins with the columns "${head.slice(0, 4).join(',')}", expected "${HEAD.join(',')}"`);
  }
  if (lines.length !== samples) {
    wrong(`has the predictions of ${lines.length} samples, and the evaluation judged ${samples}`);
  }
  const labels = lines.map((cells, i) => {
    const label = classes.indexOf(cells[3]!);
    return label >= 0
      ? label
      : wrong(`line ${i + 2}: label "${cells[3]}" is none of the classes ${classes.join(', ')}`);
  });
  const column = (at: number, key: string): number[] | undefined => {
    const judged = rows.find((row) => row.key === key)?.judgedOn?.samples;
    const isEmpty = (cells: readonly string[]) => judged !== undefined && cells[at] === '';
    // A finetuning that diverged has no predictions for any sample. That is a finding and no fault of the file.
    const given = lines.filter((cells) => !isEmpty(cells));
    if (given.length > 0 && given.every((cells) => cells[at] === 'NaN')) return undefined;
    if (judged !== undefined && given.length !== judged) {
      wrong(
        `column "${head[at]}" has ${given.length} predictions, and the row was judged on ${judged} samples`,
      );
    }
    return lines.map((cells, i) => {
      if (isEmpty(cells)) return Number.NaN;
      const value = cells[at] === '' ? Number.NaN : Number(cells[at]);
      return Number.isFinite(value)
        ? value
        : wrong(`line ${i + 2}, column "${head[at]}": "${cells[at]}" is no number`);
    });
  };
  const names = head.slice(HEAD.length);
  const probabilities = new Map<string, Float64Array>();
  if (classes.length === 2) {
    names.forEach((key, i) => {
      const values = column(HEAD.length + i, key);
      if (values === undefined) return;
      probabilities.set(key, Float64Array.from(values.flatMap((positive) => [1 - positive, positive])));
    });
  } else {
    const last = `:${classes.at(-1)}`;
    for (const key of names
      .filter((name) => name.endsWith(last))
      .map((name) => name.slice(0, -last.length))) {
      const columns = classes.map((name) => {
        const at = head.indexOf(`${key}:${name}`);
        return at >= 0 ? column(at, key) : wrong(`has no column "${key}:${name}"`);
      });
      if (columns.some((values) => values === undefined)) continue;
      probabilities.set(
        key,
        Float64Array.from(lines.flatMap((_, i) => columns.map((values) => values![i]!))),
      );
    }
  }
  return {
    ids: lines.map((cells) => cells[0]!),
    subjects: lines.map((cells) => cells[1]!),
    folds: lines.map((cells) => Number(cells[2])),
    labels,
    classes,
    probabilities,
  };
}

/** The predictions of one row, on the samples that it is judged on. */
export interface RowPredictions extends Omit<StoredPredictions, 'probabilities'> {
  /** The probabilities [n, classes], row-major. */
  readonly probabilities: Float64Array;
}

/** Picks the predictions of one row; undefined where it has none. */
export function predictionsOf(all: StoredPredictions, key: string): RowPredictions | undefined {
  const probabilities = all.probabilities.get(key);
  if (probabilities === undefined) return undefined;
  const { length } = all.classes;
  const judged = all.ids.flatMap((_, i) => (Number.isNaN(probabilities[i * length]!) ? [] : [i]));
  const own = { ...all, probabilities };
  return judged.length === all.ids.length ? own : onSamples(own, judged);
}

/** The predictions of some samples, by their places and in that order. */
export function onSamples(all: RowPredictions, places: readonly number[]): RowPredictions {
  const of = <T>(values: readonly T[]) => places.map((i) => values[i]!);
  const { length } = all.classes;
  return {
    ids: of(all.ids),
    subjects: of(all.subjects),
    folds: of(all.folds),
    labels: of(all.labels),
    classes: all.classes,
    probabilities: Float64Array.from(
      places.flatMap((i) => [...all.probabilities.subarray(i * length, (i + 1) * length)]),
    ),
  };
}

/** The same for a row that must be there. @throws DataError when the predictions have no such column */
export function rowOf(all: StoredPredictions, key: string): RowPredictions {
  const found = predictionsOf(all, key);
  if (found !== undefined) return found;
  throw new DataError(`the predictions have no column ${key}; run the evaluation again`);
}

function linesOf(file: string, wrong: (what: string) => never): string[][] {
  try {
    const lines: string[][] = parse(readFileSync(file, 'utf8'), { skip_empty_lines: true });
    return lines.map((cells) => cells.map(unguarded));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return wrong(`is not valid CSV (${error.message})`);
  }
}
