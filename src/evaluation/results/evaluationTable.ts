/** Writes an evaluation as Markdown tables, which are also aligned for the terminal. */

import { fixed } from '../../text/numbers.js';
import { markdownTable } from '../../text/table/markdown.js';
import { type Cell, type ColumnOf, number, pValue, tableOf, text } from '../../text/table/model.js';
import type { EvaluationResult, EvaluationRow, MetricSummary, RowName } from './evaluationResult.js';
import { excludedValueNote } from './excludedValue.js';
import { countsOf, fewWarning, intervalName, patientCounts, tooFew } from './fewSubjects.js';
import {
  type Counts,
  countsHeader,
  imageCounts,
  judgedCounts,
  metricOfClasses,
  modalitiesName,
  protocolOf,
  shortFeatures,
  shortSource,
} from './names.js';

function protocolTitle({ protocol, preset, settings }: EvaluationResult): string {
  const name = protocolOf({ protocol, preset });
  const { batchNorm } = settings;
  if (batchNorm === undefined) return name;
  return `${name}, batch norm ${batchNorm === 'frozen' ? 'frozen' : 'trained'}`;
}

/** The number of metrics that fit beside a row's name. The others are in the JSON. */
const COLUMNS = 6;

export function formatEvaluation(result: EvaluationResult): string {
  const { exposure, bootstrap, patients = [], notes } = result;
  const replicates = bootstrap.replicates.toLocaleString('en');
  const mark = exposure.kind === 'transductive' ? ', *transductive*' : '';
  const few = tooFew(countsOf(result.data));
  const between = intervalName(few);
  const sections = [
    `## ${result.run.name} on ${result.data.name}: ${protocolTitle(result)}${mark}`,
    describeData(result),
    few === undefined ? '' : `**${fewWarning(few)}**`,
    `### \`mean\`: each fold by itself, mean ± standard deviation over folds [${few === undefined ? `${between} of the mean` : between}]${mark}`,
    rowTable(result, result.rows, overFolds),
    paperStyleTable(result),
    `### \`pooled\`: all folds together, with ${between} (${replicates} bootstraps of subjects)${mark}`,
    rowTable(result, result.rows, together),
    furtherMetrics(result),
    minimumDetectable(result),
    differenceTitle(result, mark),
    differenceTable(result),
    ...patients.flatMap(({ aggregation, subjects, positives, rows }) => [
      `### By patient: ${aggregation} of the probabilities, ${subjects} patients, ${positives} positive, with ${intervalName(tooFew(patientCounts({ subjects, positives }, result.data.classes)))}${mark}`,
      rowTable(result, rows, together, { subjects }),
    ]),
    [...notes, ...exclusions(result)].map((note) => `- ${note}`).join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

const FOLD_SOURCES = { run: 'of the run', file: 'from a file', published: 'published', generated: 'drawn' };

function describeData({ data, folds, labels, run, exposure }: EvaluationResult): string {
  const classes = data.classes.map((name, c) => `${name} ${data.samplesPerClass[c]}`).join(', ');
  const images = data.images === undefined ? '' : `; images: ${imageCounts(data.images)}`;
  const numbered =
    folds.judged.length === folds.k ? `${folds.k} folds` : `fold ${folds.judged.join(', ')} of ${folds.k}`;
  // Samples that the encoder saw in its pretraining were set aside for the probe alone.
  const until = exposure.seenTestSamples > 0 || exposure.kind === 'unknown' ? '' : ' until now';
  const judged =
    folds.source === 'set-aside'
      ? `set aside${until}, judged by what the probe learns from all others`
      : `${numbered} by subject, ${FOLD_SOURCES[folds.source]}`;
  const learned =
    labels.fraction < 1
      ? `; ${percent(labels.fraction)} of the labels: ${range(labels.samples)} samples of ${range(labels.subjects)} subjects to learn from`
      : '';
  return (
    `${data.samples} samples of ${data.subjects} subjects (${classes})${images}; ${judged}${learned}; ` +
    `encoder ${run.method} (recipe ${run.recipe}), ${run.size}², seed ${run.seed}; ${exposure.kind}.`
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** Writes a range of numbers, as in `112` or `110 to 113`. */
function range(numbers: readonly number[]): string {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least === most ? `${least}` : `${least} to ${most}`;
}

function overFolds({ mean, std, meanLow, meanHigh }: MetricSummary, first: boolean): Cell {
  return number(mean, { deviation: std, ...(first && { low: meanLow, high: meanHigh }) });
}

function together({ pooled, low, high }: MetricSummary): Cell {
  return number(pooled, { low, high });
}

/** Says which intervals in the tables do not hold their own value. */
function exclusions({ metrics, data, rows, patients = [] }: EvaluationResult): string[] {
  const together = [...rows, ...patients.flatMap((one) => one.rows)].flatMap((row) =>
    metrics.slice(0, COLUMNS).map((name) => {
      const { pooled, low, high } = row.metrics[name]!;
      return { name: metricOfClasses(name, data.classes), value: pooled, low, high };
    }),
  );
  const overFolds = rows.map((row) => {
    const { mean, meanLow, meanHigh } = row.metrics[metrics[0]!]!;
    return {
      name: `the mean of ${metricOfClasses(metrics[0]!, data.classes)}`,
      value: mean,
      low: meanLow,
      high: meanHigh,
    };
  });
  const note = excludedValueNote([...overFolds, ...together]);
  return note === '' ? [] : [note];
}

function rowTable(
  { metrics, data, exposure }: EvaluationResult,
  rows: readonly TableRow[],
  show: (summary: MetricSummary, first: boolean) => Cell,
  all: Counts = data,
): string {
  const columns = metrics.slice(0, COLUMNS).map((name, i) => ({
    header: metricOfClasses(name, data.classes),
    cell: (row: TableRow) => show(row.metrics[name]!, i === 0),
  }));
  return markdownTable(tableOf(rows, [...rowColumns(exposure.kind, rows, all), ...columns]));
}

function furtherMetrics({ metrics, data }: EvaluationResult): string {
  const further = metrics.slice(COLUMNS).map((name) => metricOfClasses(name, data.classes));
  const rule =
    data.classes.length === 2 ? `${data.classes[1]} is called above ½` : 'the most probable class is called';
  return further.length === 0
    ? ''
    : `Where a decision is needed, ${rule}. In the JSON too: ${further.join(', ')}.`;
}

/**
 * Makes the table of the best test epoch. It stands apart from the other tables, so that nobody takes its numbers for
 * theirs.
 */
function paperStyleTable({ rows, data, exposure }: EvaluationResult): string {
  const styled = rows.filter(({ paperStyle }) => paperStyle !== undefined);
  const style = styled[0]?.paperStyle;
  if (style === undefined) return '';
  const table = tableOf(
    styled,
    [
      ...rowColumns(exposure.kind, styled, data),
      ...Object.keys(style.metrics).map((name) => ({
        header: metricOfClasses(name, data.classes),
        cell: ({ paperStyle }: EvaluationRow) => number(paperStyle!.metrics[name]!.mean),
      })),
      { header: 'epochs', words: true, cell: ({ paperStyle }) => text(paperStyle!.epochs.join(', ')) },
    ],
    { caption: `Not a result (${style.label}); the table above is of the last epoch:` },
  );
  return markdownTable(table);
}

/** A row by sample or by patient. */
type TableRow = RowName &
  Pick<EvaluationRow, 'metrics'> & {
    readonly judgedOn?: Counts;
  };

/**
 * The columns that tell a row from the others, with its samples and subjects where some rows are judged on fewer.
 * @param all the numbers of all samples and subjects
 */
function rowColumns(exposure: string, rows: readonly TableRow[], all: Counts): ColumnOf<TableRow>[] {
  const judged: ColumnOf<TableRow> = {
    header: countsHeader(all),
    words: true,
    cell: (row) => text(judgedCounts(row, all)),
  };
  return [
    { header: 'encoder', words: true, cell: ({ source }) => text(encoderWords(source, exposure)) },
    { header: 'features', words: true, cell: ({ features }) => text(shortFeatures(features)) },
    { header: 'images', words: true, cell: ({ modalities }) => text(modalitiesName(modalities)) },
    ...(rows.some(({ judgedOn }) => judgedOn !== undefined) ? [judged] : []),
  ];
}

function encoderWords(source: RowName['source'], exposure: string): string {
  const transductive = source === 'run' && exposure === 'transductive';
  return `${shortSource(source)}${transductive ? ', transductive' : ''}`;
}

function minimumDetectable({ differences }: EvaluationResult): string {
  const values = differences
    .filter(({ against }) => against.startsWith('untrained/'))
    .flatMap(({ minimumDetectable: found }) => found ?? []);
  if (values.length === 0) return '';
  const [low, high] = [fixed(Math.min(...values)), fixed(Math.max(...values))];
  return (
    `Minimum detectable difference of AUC between run and untrained (two-sided 5 %, power 80 %, paired over subjects): ` +
    `${low === high ? low : `${low} to ${high}`}. A true difference of that size is found four times of five by one test; a smaller one may be found, or not.`
  );
}

/** Names the family over which the p-values are adjusted. */
function differenceTitle({ differences, data }: EvaluationResult, mark: string): string {
  if (differences.length === 0) return '';
  const few = tooFew(countsOf(data));
  const tested =
    few === undefined ? `Holm over all ${differences.length} of them` : `not tested, of only ${few}`;
  return `### Differences of pooled AUC, paired over subjects; ${tested}${mark}`;
}

function differenceTable({ differences, rows, exposure, data }: EvaluationResult): string {
  if (differences.length === 0) return '';
  const named = new Map(rows.map((row) => [row.key, row]));
  const table = tableOf(differences, [
    { header: 'run', words: true, cell: ({ row }) => text(shortFeatures(named.get(row)!.features)) },
    { header: 'images', words: true, cell: ({ row }) => text(modalitiesName(named.get(row)!.modalities)) },
    {
      header: 'against',
      words: true,
      cell: ({ against }) => text(encoderWords(named.get(against)!.source, exposure.kind)),
    },
    {
      header: `difference [${intervalName(tooFew(countsOf(data)))}]`,
      cell: ({ value, low, high }) => number(value, { low, high, as: 'difference' }),
    },
    { header: 'p', cell: (one) => pValue(one.pValue) },
    { header: 'p, Holm', cell: ({ holm }) => pValue(holm) },
    { header: 'p, DeLong', cell: ({ deLong }) => pValue(deLong?.pValue) },
    { header: 'detectable', cell: ({ minimumDetectable }) => number(minimumDetectable) },
  ]);
  return markdownTable(table);
}
