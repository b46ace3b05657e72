/** Collects the facts that stand above a table: its settings by row, and the notes that a reader must know. */
import type { Config } from '../../config/index.js';
import type { FinishedEvaluation } from '../stored/cell.js';
import type { DescribedRow } from '../stored/description.js';
import type { ExperimentTable, Fact, TablePart } from './model.js';

/** The finished cells of a row. */
export interface RowFound {
  readonly row: DescribedRow;
  /** Evaluations on the data that the encoders were pretrained on. */
  readonly judged: readonly FinishedEvaluation[];
  /** Evaluations on all data. */
  readonly all: readonly FinishedEvaluation[];
  /** Numbers of training steps of the row’s pretrainings. */
  readonly steps: readonly number[];
}

/** The settings of the runs, each with its values and their rows. */
export function factsOf(found: readonly RowFound[]): ExperimentTable['facts'] {
  const setting = (of: (config: Config) => number) =>
    byValue(found, ({ judged }) => judged.map(({ settings }) => of(settings.pretraining as Config)));
  return {
    exposure: byValue(found, ({ judged }) => judged.map(({ result: { exposure } }) => exposure.kind)),
    steps: byValue(found, ({ steps }) => steps),
    batchSize: setting(({ training }) => training.batchSize),
    size: setting(({ data }) => data.size),
    width: setting(({ model }) => model.width),
    precision: byValue(found, ({ judged }) => judged.map(({ result: { run } }) => run.precision)),
  };
}

/** Each value with the names of the rows that have it; the value of most rows comes first. */
export function byValue<Found extends { readonly row: { readonly name: string } }>(
  found: readonly Found[],
  valuesOf: (found: Found) => readonly (string | number)[],
): Fact[] {
  const rows = new Map<string, string[]>();
  for (const one of found) {
    for (const value of new Set(valuesOf(one).map(String))) {
      rows.set(value, [...(rows.get(value) ?? []), one.row.name]);
    }
  }
  return [...rows]
    .map(([value, names]) => ({ value, rows: names }))
    .sort((a, b) => b.rows.length - a.rows.length);
}

/** The notes of the evaluations, each once, with the names of its rows where it is not of all. */
export function notesOf(found: readonly RowFound[], parts: readonly TablePart[]): string[] {
  const notes = parts.flatMap(otherUntrained);
  const hashes = new Set(found.flatMap(({ judged }) => judged.map(({ result }) => result.data.dataHash)));
  if (hashes.size > 1) {
    notes.push('The rows were judged on different versions of the data; run them anew in another folder.');
  }
  const judged = found.filter(({ all }) => all.length > 0);
  for (const { value, rows } of byValue(judged, ({ all }) => all.flatMap(({ result }) => result.notes))) {
    const others = judged.map(({ row }) => row.name).filter((name) => !rows.includes(name));
    const who = others.length < rows.length ? `all rows but ${others.join(', ')}` : rows.join(', ');
    notes.push(others.length === 0 ? value : `${value} (${who})`);
  }
  return notes;
}

/** The same encoder, run in another process, gives an AUC that differs by no more than this. */
const SAME = 5e-4;

/**
 * A note on rows whose untrained encoder is not the one that the table shows, as its head or its normalisation is
 * another.
 */
function otherUntrained({ set, name, features, images, rows }: TablePart): string[] {
  const widest = images.at(-1) ?? '';
  const { value: shown, seeds } = rows.find(({ source }) => source === 'untrained')?.values[widest] ?? {};
  if (typeof shown !== 'number') return [];
  const others = rows.flatMap((row) => {
    const [value, difference] = [row.values[widest]?.value, row.against.untrained[widest]?.value];
    if (typeof value !== 'number' || typeof difference !== 'number') return [];
    // A mean over other seeds differs anyway.
    if (row.values[widest]!.seeds !== seeds || row.against.untrained[widest]!.seeds !== seeds) return [];
    const own = value - difference;
    return Math.abs(own - shown) > SAME ? [`${row.name} ${own.toFixed(3)}`] : [];
  });
  if (others.length === 0) return [];
  const where = [...(set === undefined ? [] : [set]), name, features].join(', ');
  return [
    `${where}: differences are to each row’s own untrained encoder, which is another for ${others.join(', ')} (${widest}).`,
  ];
}
