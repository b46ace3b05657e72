/** The table of an experiment, from the cells that are finished. */
import type { Config } from '../config/index.js';
import type { EvaluationRow, Exposure, RowDifference } from '../evaluation/result.js';
import type { ExperimentProtocol } from './experimentFile.js';
import {
  type DescribedRow,
  type ExperimentDescription,
  evaluationId,
  type FinishedEvaluation,
  pretrainingId,
  readCell,
  readDescription,
} from './folder.js';
import type { PaperNumbers } from './paperNumbers.js';

export interface ExperimentTable extends Omit<ExperimentDescription, 'rows'> {
  /** The measured metric: AUC, or macro AUC of more than two classes; undefined before the first evaluation. */
  readonly metric?: string;
  /** What stands in the brackets: of one seed its interval over subjects, of several their spread. */
  readonly spread: 'interval' | 'seeds';
  /** Settings of the interval. */
  readonly bootstrap?: { readonly replicates: number; readonly confidence: number };
  /** Number of folds. */
  readonly folds?: number;
  /** What was not the same in all rows stands by value with the rows that have it. */
  readonly facts: Readonly<
    Record<'exposure' | 'steps' | 'batchSize' | 'size' | 'width' | 'precision', readonly Fact[]>
  >;
  readonly parts: readonly TablePart[];
  /** Evaluations that are not there yet. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
}

export interface Fact {
  readonly value: string;
  readonly rows: readonly string[];
}

/** The results of one probe on features of one kind. */
export interface TablePart {
  readonly protocol: ExperimentProtocol;
  readonly features: 'pooled' | 'head';
  /** Columns: modalities side by side, as `a+b`. */
  readonly images: readonly string[];
  readonly rows: readonly TableRow[];
}

export interface TableRow {
  readonly name: string;
  readonly source: 'run' | 'untrained' | 'thumbnail';
  readonly exposure?: Exposure['kind'];
  readonly paper?: PaperNumbers;
  /** By images; absent while there is no result. */
  readonly values: Readonly<Record<string, TableValue>>;
  /** Against the untrained encoder and the thumbnail, by images. */
  readonly against: Readonly<Record<'untrained' | 'thumbnail', Readonly<Record<string, TableDifference>>>>;
}

/** Of one seed, or the mean over several; a number that is undefined is null. */
export interface TableValue {
  readonly value: number | null;
  /** Ends of the interval, of one seed. */
  readonly low: number | null;
  readonly high: number | null;
  /** Sample standard deviation over several seeds. */
  readonly deviation: number | null;
  readonly seeds: number;
}

export interface TableDifference extends TableValue {
  /** Of several seeds the mean. */
  readonly minimumDetectable: number | null;
}

interface RowResults {
  readonly row: DescribedRow;
  /** Finished evaluations by protocol, in the order of the seeds. */
  readonly found: ReadonlyMap<ExperimentProtocol, readonly FinishedEvaluation[]>;
  readonly steps: readonly number[];
}

/** @throws UsageError where there is no experiment, DataError when a cell is damaged */
export function experimentTable(root: string): ExperimentTable {
  const { rows, ...description } = readDescription(root);
  const { seeds, protocols } = description;
  const missing: string[] = [];
  const results = rows.map((row): RowResults => {
    const evaluations = (protocol: ExperimentProtocol) =>
      seeds.flatMap((seed) => {
        const cell = readCell(root, evaluationId(row.folder, seed, protocol));
        if (cell?.kind === 'evaluate') return [cell];
        missing.push(`${row.name}, seed ${seed}: ${protocol}`);
        return [];
      });
    const steps = seeds.flatMap((seed) => {
      // Those of the first fold: all folds are trained alike.
      const cell =
        readCell(root, pretrainingId(row.folder, seed)) ?? readCell(root, pretrainingId(row.folder, seed, 0));
      return cell?.kind === 'pretrain' ? [cell.steps] : [];
    });
    return { row, found: new Map(protocols.map((protocol) => [protocol, evaluations(protocol)])), steps };
  });
  const first = results.flatMap(({ found }) => [...found.values()].flat())[0]?.result;
  const parts = protocols.flatMap((protocol) =>
    (['pooled', 'head'] as const).map((features) => partOf(results, protocol, features, seeds.length > 1)),
  );
  return {
    ...description,
    metric: first?.metrics[0],
    spread: seeds.length > 1 ? 'seeds' : 'interval',
    bootstrap: first?.bootstrap,
    folds: first?.folds.k,
    facts: factsOf(results),
    parts,
    missing,
    notes: notesOf(results, parts),
  };
}

function factsOf(results: readonly RowResults[]): ExperimentTable['facts'] {
  const fact = (valuesOf: (result: RowResults) => readonly (string | number)[]) => byValue(results, valuesOf);
  const judged = ({ found }: RowResults) => [...found.values()].flat();
  const setting = (of: (config: Config) => number) =>
    fact((result) => judged(result).map(({ settings }) => of(settings.pretraining as Config)));
  return {
    exposure: fact((result) => judged(result).map(({ result: { exposure } }) => exposure.kind)),
    steps: fact(({ steps }) => steps),
    batchSize: setting(({ training }) => training.batchSize),
    size: setting(({ data }) => data.size),
    width: setting(({ model }) => model.width),
    precision: fact((result) => judged(result).map(({ result: { run } }) => run.precision)),
  };
}

/** Values with the names of the rows that have them, those of most rows first. */
function byValue(
  results: readonly RowResults[],
  valuesOf: (result: RowResults) => readonly (string | number)[],
): Fact[] {
  const rows = new Map<string, string[]>();
  for (const result of results) {
    for (const value of new Set(valuesOf(result).map(String)))
      rows.set(value, [...(rows.get(value) ?? []), result.row.name]);
  }
  return [...rows]
    .map(([value, names]) => ({ value, rows: names }))
    .sort((a, b) => b.rows.length - a.rows.length);
}

function partOf(
  results: readonly RowResults[],
  protocol: ExperimentProtocol,
  features: 'pooled' | 'head',
  severalSeeds: boolean,
): TablePart {
  const of = ({ found }: RowResults) => found.get(protocol)!;
  const judged = results.find((result) => of(result).length > 0);
  const names = judged === undefined ? [] : of(judged)[0]!.result.rows;
  const images = names
    .filter(({ source, features: kind }) => source === 'run' && kind === features)
    .map(imagesOf);
  const rows = results.map((result): TableRow => {
    const cells = of(result);
    const { name, paper } = result.row;
    return {
      name,
      source: 'run',
      exposure: cells[0]?.result.exposure.kind,
      paper,
      values: valuesOf(cells, 'run', features, severalSeeds),
      against: {
        untrained: differencesOf(cells, 'untrained', features, severalSeeds),
        thumbnail: differencesOf(cells, 'thumbnail', features, severalSeeds),
      },
    };
  });
  if (judged === undefined) return { protocol, features, images, rows };
  const baseline = (source: 'untrained' | 'thumbnail', name: string): TableRow => ({
    name,
    source,
    // A thumbnail has no seed.
    values: valuesOf(
      source === 'thumbnail' ? of(judged).slice(0, 1) : of(judged),
      source,
      source === 'thumbnail' ? 'pixels' : features,
      severalSeeds && source !== 'thumbnail',
    ),
    against: { untrained: {}, thumbnail: {} },
  });
  return {
    protocol,
    features,
    images,
    rows: [
      ...rows,
      baseline('untrained', 'untrained, calibrated'),
      baseline('thumbnail', 'thumbnail ridge, 12×12'),
    ],
  };
}

function imagesOf({ modalities }: Pick<EvaluationRow, 'modalities'>): string {
  return modalities.join('+');
}

function valuesOf(
  cells: readonly FinishedEvaluation[],
  source: EvaluationRow['source'],
  features: EvaluationRow['features'],
  severalSeeds: boolean,
): TableRow['values'] {
  const bySeed = cells.map(({ result }) =>
    result.rows
      .filter((row) => row.source === source && row.features === features)
      .map((row) => {
        const { pooled, low, high } = row.metrics[result.metrics[0]!]!;
        return [imagesOf(row), { value: pooled, low, high }] as const;
      }),
  );
  return summarized(bySeed, (found) => summary(found, severalSeeds));
}

function differencesOf(
  cells: readonly FinishedEvaluation[],
  against: 'untrained' | 'thumbnail',
  features: 'pooled' | 'head',
  severalSeeds: boolean,
): Readonly<Record<string, TableDifference>> {
  const bySeed = cells.map(({ result }) => {
    const rows = new Map(result.rows.map((row) => [row.key, row]));
    return result.differences
      .filter(({ row, against: other }) => {
        return rows.get(row)!.features === features && rows.get(other)!.source === against;
      })
      .map((difference) => [imagesOf(rows.get(difference.row)!), difference] as const);
  });
  return summarized(bySeed, (found: readonly RowDifference[]) => ({
    ...summary(found, severalSeeds),
    minimumDetectable: mean(found.map(({ minimumDetectable }) => minimumDetectable)),
  }));
}

/** By images, from the same of each seed. */
function summarized<T, S>(
  bySeed: readonly (readonly (readonly [string, T])[])[],
  summarize: (found: readonly T[]) => S,
): Record<string, S> {
  const found = new Map<string, T[]>();
  for (const [images, value] of bySeed.flat()) found.set(images, [...(found.get(images) ?? []), value]);
  return Object.fromEntries([...found].map(([images, values]) => [images, summarize(values)]));
}

function summary(
  found: readonly { readonly value: number; readonly low: number; readonly high: number }[],
  severalSeeds: boolean,
): TableValue {
  if (!severalSeeds) {
    const { value, low, high } = found[0]!;
    return { value, low, high, deviation: null, seeds: 1 };
  }
  const values = found.map(({ value }) => value);
  return { value: mean(values), low: null, high: null, deviation: deviationOf(values), seeds: values.length };
}

/** Null when a number is undefined, as JSON has it. */
function mean(values: readonly (number | null)[]): number | null {
  if (values.some((value) => value === null || !Number.isFinite(value))) return null;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number | null {
  const center = mean(values);
  if (center === null || values.length < 2) return null;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1));
}

/** Largest difference that is none: runs of the same encoder in other processes. */
const SAME = 5e-4;

function notesOf(results: readonly RowResults[], parts: readonly TablePart[]): string[] {
  const notes = otherUntrained(results, parts);
  const all = results.flatMap(({ found }) => [...found.values()].flat());
  if (new Set(all.map(({ result }) => result.data.dataHash)).size > 1) {
    notes.push('The rows were judged on different versions of the data; run them anew in another folder.');
  }
  const judged = results.filter(({ found }) => [...found.values()].some((cells) => cells.length > 0));
  const said = byValue(judged, ({ found }) =>
    [...found.values()].flat().flatMap(({ result }) => result.notes),
  );
  for (const { value, rows } of said) {
    const others = judged.map(({ row }) => row.name).filter((name) => !rows.includes(name));
    const who = others.length < rows.length ? `all rows but ${others.join(', ')}` : rows.join(', ');
    notes.push(others.length === 0 ? value : `${value} (${who})`);
  }
  return notes;
}

/** Rows whose own untrained encoder is another than the one shown: another head, another normalisation. */
function otherUntrained(results: readonly RowResults[], parts: readonly TablePart[]): string[] {
  return parts.flatMap(({ protocol, features, images, rows }) => {
    const widest = images.at(-1);
    const shown = rows.find(({ source }) => source === 'untrained')?.values[widest ?? '']?.value;
    if (widest === undefined || typeof shown !== 'number') return [];
    const others = results.flatMap(({ row, found }) => {
      const cells = found.get(protocol)!;
      const own = valuesOf(cells, 'untrained', features, cells.length > 1)[widest]?.value;
      return typeof own === 'number' && Math.abs(own - shown) > SAME ? [`${row.name} ${own.toFixed(3)}`] : [];
    });
    if (others.length === 0) return [];
    return [
      `${protocol}, ${features}: differences are to each row’s own untrained encoder, which is another for ${others.join(', ')} (${widest}).`,
    ];
  });
}
