/** The part of a table with the results of one protocol, on one data set and one kind of features. */
import type { EvaluationRow } from '../../evaluation/results/evaluationResult.js';
import { countsOf, tooFew } from '../../evaluation/results/fewSubjects.js';
import { modalityKey } from '../../evaluation/results/modalitySets.js';
import { BASELINES, type Baseline, sourceName } from '../../evaluation/results/names.js';
import type { ResultDifference, ResultValue } from '../../evaluation/results/resultTable.js';
import type { Mark } from '../../text/table/model.js';
import { type PaperGroup, paperBlock, printedNumbers } from '../file/paperNumbers.js';
import type { FinishedEvaluation } from '../stored/cell.js';
import type { DescribedRow } from '../stored/description.js';
import {
  defined,
  deviation,
  Entry,
  type EntryOptions,
  type Measurement,
  mean,
  SHOWN_METRICS,
} from './entries.js';
import { byValue } from './facts.js';
import type { PaperBeside, TablePart, TableRow } from './model.js';
import type { Results } from './results.js';
import { marksOf } from './significance.js';

export interface PartOptions extends EntryOptions {
  readonly rows: readonly DescribedRow[];
  readonly results: Results;
  readonly features: TablePart['features'];
  /** The group of the paper’s numbers that the rows stand beside. Each row names its table. */
  readonly paper?: Omit<PaperGroup, 'table'>;
}

/** Keeps the entry of each row on each set of images, so that comparisons use the same bootstrap as the table. */
export class Part {
  readonly #options: PartOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: PartOptions) {
    this.#options = options;
  }

  entry(row: DescribedRow, source: EvaluationRow['source'], images: string): Entry {
    const { results, features } = this.#options;
    const key = `${row.folder} ${source} ${images}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const kind = source === 'thumbnail' ? 'pixels' : features;
    const made = new Entry(results.measure(row, source, kind, images), this.#options);
    this.#entries.set(key, made);
    return made;
  }

  /** The sets of modalities that the rows were judged on, in the order of the evaluation. */
  get images(): string[] {
    const { rows, results, features } = this.#options;
    const first = rows.flatMap((row) => results.found(row))[0]?.result.rows ?? [];
    const own = first.filter(
      ({ source, features: kind }) => source === 'run' && (features === 'chosen' || kind === features),
    );
    return [...new Set(own.map(({ modalities }) => modalityKey(modalities)))];
  }

  table(): TablePart {
    const { rows, results, features } = this.#options;
    const { images } = this;
    const ranked = rows.filter((row) => results.ranks(row));
    const marks = images.map((image) =>
      marksOf(new Map(ranked.map((row) => [row.name, this.entry(row, 'run', image)]))),
    );
    // A row with all seeds gives the baselines, where there is one.
    const found = rows.filter((row) => results.found(row).length > 0);
    const judged = found.find(({ seeds }) => seeds === undefined) ?? found[0];
    return {
      set: results.set?.name,
      protocol: results.protocol.protocol,
      name: results.protocol.name,
      seeds: results.protocol.seeds,
      judged: this.#judged(),
      features,
      images,
      rows: [
        ...rows.map((row) =>
          this.#row(row, images, new Map(images.map((image, i) => [image, marks[i]!.marks]))),
        ),
        ...(judged === undefined
          ? []
          : BASELINES.map((source) => this.#baseline(judged, source, images)).filter(
              // Finetuning may be judged without them.
              ({ values }) => Object.keys(values).length > 0,
            )),
      ],
      tested: marks.every(({ tested }) => tested),
    };
  }

  #judged(): TablePart['judged'] {
    const { rows, results } = this.#options;
    const found = rows.map((row) => ({ row, cells: results.found(row) }));
    const first = found.flatMap(({ cells }) => cells)[0]?.result;
    if (first === undefined) return undefined;
    const { data, folds } = first;
    const exposure = byValue(found, ({ cells }) => cells.map(({ result }) => result.exposure.kind));
    const few = tooFew(countsOf(data));
    return { samples: data.samples, subjects: data.subjects, folds: folds.k, exposure, few };
  }

  #row(
    row: DescribedRow,
    images: readonly string[],
    marks: ReadonlyMap<string, ReadonlyMap<string, Mark>>,
  ): TableRow {
    const { results } = this.#options;
    const measured = images.filter((image) => this.entry(row, 'run', image).measurements.length > 0);
    const byImages = <T>(of: (entry: Entry, image: string) => T) =>
      Object.fromEntries(measured.map((image) => [image, of(this.entry(row, 'run', image), image)]));
    const found = results.found(row);
    const tuned = measured.some(
      (image) => this.entry(row, 'run', image).measurements[0]!.choices !== undefined,
    );
    const style = this.#paperStyle(row, measured);
    return {
      name: row.name,
      source: 'run',
      exposure: found[0]?.result.exposure.kind,
      paper: this.#paper(row),
      values: byImages(tableValue),
      metrics: byImages(metricsOf),
      against: {
        untrained: this.#against(row, 'untrained', measured),
        thumbnail: this.#against(row, 'thumbnail', measured),
      },
      marks: Object.fromEntries(
        measured.flatMap((image) => {
          const mark = marks.get(image)?.get(row.name);
          return mark === undefined ? [] : [[image, mark]];
        }),
      ),
      choices: tuned
        ? byImages((entry) =>
            Object.fromEntries(
              entry.measurements.map(({ seed, draw, choices = [] }) => [
                draw === undefined ? String(seed) : `${seed}, draw ${draw}`,
                choices,
              ]),
            ),
          )
        : undefined,
      paperStyle: style,
    };
  }

  #baseline(row: DescribedRow, source: Baseline, images: readonly string[]): TableRow {
    const own = images.flatMap((image) => {
      const { measurements } = this.entry(row, source, image);
      if (measurements.length === 0) return [];
      // A thumbnail is the same for all seeds, and differs only between draws of the labels.
      const [{ seed: first }] = measurements as [Measurement, ...Measurement[]];
      const distinct =
        source === 'thumbnail' ? measurements.filter(({ seed }) => seed === first) : measurements;
      return [[image, new Entry(distinct, this.#options)] as const];
    });
    return {
      name: sourceName(source),
      source,
      values: Object.fromEntries(own.map(([image, entry]) => [image, tableValue(entry)])),
      metrics: Object.fromEntries(own.map(([image, entry]) => [image, metricsOf(entry)])),
      against: { untrained: {}, thumbnail: {} },
      marks: {},
    };
  }

  #against(row: DescribedRow, other: Baseline, images: readonly string[]): Record<string, ResultDifference> {
    const { results, features, metric, resampled } = this.#options;
    const cells = results.found(row);
    return Object.fromEntries(
      images.flatMap((image): [string, ResultDifference][] => {
        // A difference needs both sides of a seed.
        const all = this.entry(row, other, image);
        const own = this.entry(row, 'run', image).pairedWith(all);
        const others = all.pairedWith(own);
        const stored =
          features === 'chosen' || row.candidates.length > 1 || resampled !== undefined
            ? []
            : cells.flatMap((cell) => storedDifference(cell, other, features, image) ?? []);
        const [first] = stored;
        if (first !== undefined && stored.length === 1) {
          const { value, low, high, minimumDetectable } = first;
          return [[image, { value, low, high, deviation: null, seeds: 1, minimumDetectable }]];
        }
        const each = own.measurements.map(({ metrics }, i) => {
          const [a, b] = [metrics[metric], others.measurements[i]?.metrics[metric]];
          return typeof a === 'number' && typeof b === 'number' ? a - b : null;
        });
        const value = mean(each);
        if (value === null) return [];
        const found = own.minus(others);
        return [
          [
            image,
            {
              value,
              low: found?.low ?? null,
              high: found?.high ?? null,
              deviation: deviation(each),
              seeds: each.length,
              minimumDetectable:
                found === undefined
                  ? mean(stored.map(({ minimumDetectable }) => minimumDetectable))
                  : defined(found.minimumDetectable),
            },
          ],
        ];
      }),
    );
  }

  #paper({ paper }: DescribedRow): PaperBeside | undefined {
    const { paper: group } = this.#options;
    if (paper === undefined || group === undefined) return undefined;
    const block = paperBlock({ ...group, table: paper.table });
    const metrics = block && printedNumbers(block, paper.row);
    return metrics && { ...paper, data: block.data, protocol: block.protocol, metrics };
  }

  /** The metrics of the epoch that did best on the test data; undefined for probes without epochs. */
  #paperStyle(row: DescribedRow, images: readonly string[]): TableRow['paperStyle'] {
    const { results, features } = this.#options;
    if (features === 'chosen' || row.candidates.length > 1) return undefined;
    const own = images.flatMap((image) => {
      const styles = results.found(row).flatMap(({ result }) => {
        const found = result.rows.find(
          (one) => one.source === 'run' && one.features === features && modalityKey(one.modalities) === image,
        );
        return found?.paperStyle ?? [];
      });
      const [first] = styles;
      if (first === undefined) return [];
      const means = Object.keys(first.metrics).map((name) => [
        name,
        mean(styles.map(({ metrics }) => metrics[name]?.mean ?? null)),
      ]);
      return [[image, Object.fromEntries(means) as Record<string, number | null>] as const];
    });
    return own.length === 0 ? undefined : Object.fromEntries(own);
  }
}

function tableValue(entry: Entry): ResultValue {
  const [only, ...others] = entry.measurements;
  const stored = others.length === 0 ? only?.interval : undefined;
  const interval = stored ?? entry.interval();
  return {
    value: entry.value(),
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    deviation: entry.deviation,
    seeds: entry.measurements.length,
    foldMean: entry.foldMean,
  };
}

function metricsOf(entry: Entry): Record<string, number | null> {
  return Object.fromEntries(SHOWN_METRICS.map((name) => [name, entry.value(name)]));
}

function storedDifference({ result }: FinishedEvaluation, other: Baseline, features: string, images: string) {
  const rows = new Map(result.rows.map((row) => [row.key, row]));
  return result.differences.find(({ row, against }) => {
    const own = rows.get(row)!;
    return (
      own.features === features &&
      modalityKey(own.modalities) === images &&
      rows.get(against)!.source === other
    );
  });
}
