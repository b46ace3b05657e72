/**
 * The section of one evaluation: tables in which every number has its interval, and sentences on how not to read them.
 */

import type { StoredEvaluation } from '../../evaluation/readResults.js';
import {
  countsOfRow,
  type EvaluationResult,
  type EvaluationRow,
  type MetricSummary,
  primaryRow,
  type RowName,
} from '../../evaluation/results/evaluationResult.js';
import { excludedValueNote } from '../../evaluation/results/excludedValue.js';
import {
  countsOf,
  fewWarning,
  intervalName,
  patientCounts,
  type SubjectCounts,
  tooFew,
} from '../../evaluation/results/fewSubjects.js';
import {
  type Counts,
  countsHeader,
  exposureMeaning,
  heading,
  imageCounts,
  judgedCounts,
  metricHeading,
  metricName,
  modalitiesName,
  protocolOf,
  rowName,
  shortFeatures,
  sourceName,
} from '../../evaluation/results/names.js';
import { type Content, html, type Markup } from '../../text/markup.js';
import { counted } from '../../text/numbers.js';
import { htmlTable } from '../../text/table/html.js';
import {
  type Cell,
  type ColumnOf,
  intervalCell,
  MISSING,
  number,
  pValue,
  type Table,
  tableOf,
  text,
} from '../../text/table/model.js';

/** The metrics that fit the width of a page, for two classes and for more. */
const COLUMNS = {
  two: ['auc', 'accuracy', 'f1', 'precision', 'recall'],
  more: ['macroAuc', 'accuracy', 'macroF1', 'macroPrecision', 'macroRecall'],
};

function columnsOf({ data, metrics }: EvaluationResult): string[] {
  const columns = data.classes.length === 2 ? COLUMNS.two : COLUMNS.more;
  return columns.filter((name) => metrics.includes(name));
}

const LOOK = { className: 'numbers' };

export function probeSection({ record, name }: StoredEvaluation, figures: Content): Markup {
  const { exposure, data, folds, patients = [], notes } = record;
  const kind = data.modalities.length === 2 && data.images === undefined ? 'pairs' : 'samples';
  const images = data.images === undefined ? '' : `; images: ${imageCounts(data.images)}`;
  const few = tooFew(countsOf(data));
  const classes = data.classes.map((one, i) => `${counted(data.samplesPerClass[i] ?? 0)} ${one}`);
  const byImage = metricTable(
    record,
    record.rows,
    `By image. Each value is of all test predictions together, with its ${betweenOf(record)} by resampling subjects below it, and mean ± standard deviation of the folds’ own values.`,
  );
  const byPatient = patients.map(({ aggregation, subjects, positives, rows }) => {
    const counts = patientCounts({ subjects, positives }, data.classes);
    return metricTable(
      record,
      rows,
      `By patient: ${counted(subjects)} subjects, the ${aggregation === 'mean' ? 'mean' : 'largest'} of the probabilities of each one’s images, with the ${betweenOf(record, counts)}.`,
      { subjects },
    );
  });
  const tables = [
    byImage,
    furtherMetrics({ record, name }),
    differenceTable(record),
    paperStyleTable(record),
    ...byPatient,
  ].filter((table) => table !== undefined);
  return html`<section aria-labelledby="probe-${name}-title">
<h3 id="probe-${name}-title">${protocolHeading(record)} <span class="tag ${exposure.kind}">${exposure.kind}</span></h3>
<p>${counted(data.samples)} ${kind} of ${counted(data.subjects)} subjects of ${data.name} (${classes.join(', ')}${images}), ${folds.judged.length} of ${folds.k} folds by subject${checkpointWords(record)}. <strong>${heading(exposure.kind)}:</strong> ${exposureMeaning(exposure.kind)}</p>
${few === undefined ? '' : html`<p class="banner" role="note">${fewWarning(few)}</p>`}
${figures}
${tables.map((table) => html`${htmlTable(table, LOOK)}\n`)}
${notes.length > 0 ? html`<ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>` : ''}
</section>`;
}

function protocolHeading(record: EvaluationResult): string {
  return heading(protocolOf(record));
}

function checkpointWords({ run }: EvaluationResult): string {
  const unfinished = run.encoders.find(({ weights }) => weights === 'checkpoint');
  if (unfinished === undefined) return '';
  const at = unfinished.step === undefined ? '' : ` of step ${unfinished.step}`;
  return `; the encoder is a checkpoint${at} of an unfinished run`;
}

/** Names the intervals of a result, which are over all its subjects unless other counts are given. */
function betweenOf({ bootstrap, data }: EvaluationResult, counts: SubjectCounts = countsOf(data)): string {
  return intervalName(tooFew(counts), Math.round(100 * bootstrap.confidence));
}

function metricTable(
  record: EvaluationResult,
  rows: readonly JudgedRow[],
  caption: string,
  all: Counts = record.data,
): Table {
  const metrics = columnsOf(record);
  return tableOf(
    rows,
    [
      ...rowColumns(rows, all),
      ...metrics.map((name) => ({
        header: metricHeading(name),
        strong: true,
        cell: ({ metrics: found }: JudgedRow) => metricCell(found[name]),
      })),
    ],
    {
      title: `${protocolHeading(record)}: metrics`,
      caption: `${caption} ${exclusions(rows, metrics)}`.trim(),
      kindOf: ({ source }) => source,
    },
  );
}

/** A row by image or by patient. */
type JudgedRow = RowName &
  Pick<EvaluationRow, 'metrics'> & {
    readonly judgedOn?: Counts;
  };

/**
 * The columns that tell a row from the others, with its samples and subjects where some rows are judged on fewer.
 * @param all the numbers of all samples and subjects
 */
function rowColumns(rows: readonly JudgedRow[], all: Counts): ColumnOf<JudgedRow>[] {
  const judged: ColumnOf<JudgedRow> = {
    header: heading(countsHeader(all)),
    words: true,
    cell: (row) => text(judgedCounts(row, all)),
  };
  return [
    { header: 'Encoder', words: true, cell: ({ source }) => text(heading(sourceName(source))) },
    { header: 'Features', words: true, cell: ({ features }) => text(shortFeatures(features)) },
    { header: 'Modality', words: true, cell: ({ modalities }) => text(modalitiesName(modalities)) },
    ...(rows.some(({ judgedOn }) => judgedOn !== undefined) ? [judged] : []),
  ];
}

/**
 * Says which intervals in the tables do not hold their own value.
 *
 * @param ofMeans whether the intervals of the means over the folds are shown too
 */
function exclusions(rows: readonly JudgedRow[], metrics: readonly string[], ofMeans = false): string {
  return excludedValueNote(
    rows.flatMap((row) =>
      metrics.flatMap((metric) => {
        const { pooled, low, high, mean, meanLow, meanHigh } = row.metrics[metric] ?? {};
        const name = metricName(metric);
        return [
          { name, value: pooled, low, high },
          ...(ofMeans ? [{ name, value: mean, low: meanLow, high: meanHigh }] : []),
        ];
      }),
    ),
  );
}

function metricCell(metric: MetricSummary | undefined): Cell {
  if (metric === undefined) return MISSING;
  const { pooled, low, high, mean, std } = metric;
  return number(pooled, { low, high, folds: { mean, deviation: std } });
}

/** The metrics that the first table has no room for, of the primary row. */
function furtherMetrics({ record, name }: Pick<StoredEvaluation, 'record' | 'name'>): Table | undefined {
  const row = primaryRow(record);
  const further = record.metrics.filter((metric) => !columnsOf(record).includes(metric));
  if (row === undefined || further.length === 0) return undefined;
  const shown = [record.metrics[0]!, ...further];
  const between = betweenOf(record, countsOfRow(record, row));
  const found = (metric: string): Partial<MetricSummary> => row.metrics[metric] ?? {};
  return tableOf(
    shown,
    [
      { header: 'Metric', words: true, cell: (metric) => text(metricHeading(metric)) },
      { header: 'All together', strong: true, cell: (metric) => number(found(metric).pooled) },
      {
        header: between,
        cell: (metric) => intervalCell(found(metric).low ?? null, found(metric).high ?? null),
      },
      { header: 'Mean of folds', cell: (metric) => number(found(metric).mean) },
      {
        header: between,
        cell: (metric) => intervalCell(found(metric).meanLow ?? null, found(metric).meanHigh ?? null),
      },
    ],
    {
      title: `${protocolHeading(record)}: further metrics`,
      caption:
        `Further metrics of the ${rowName(row)}; those of all rows are in evaluation/${name}.json. Classes are called at a probability of 0.5, or the most probable one of more than two. ${exclusions([row], shown, true)}`.trim(),
    },
  );
}

function differenceTable(record: EvaluationResult): Table | undefined {
  const { differences, rows } = record;
  if (differences.length === 0) return undefined;
  const few = tooFew(countsOf(record.data));
  const withHolm = differences.some(({ holm }) => holm !== undefined);
  const withDeLong = differences.some(({ deLong }) => deLong !== undefined);
  const named = (key: string) => {
    const row = rows.find((one) => one.key === key);
    return text(row === undefined ? key : heading(rowName(row)));
  };
  return tableOf<Tested>(
    differences,
    [
      { header: 'Features', words: true, cell: ({ row }) => named(row) },
      { header: 'against', words: true, cell: ({ against }) => named(against) },
      { header: 'Metric', words: true, cell: ({ metric }) => text(metricHeading(metric)) },
      { header: 'Difference', strong: true, cell: ({ value }) => number(value, { as: 'difference' }) },
      { header: heading(betweenOf(record)), cell: ({ low, high }) => intervalCell(low, high, true) },
      { header: 'p', cell: (one) => pValue(one.pValue) },
      ...(withHolm ? [{ header: 'p, Holm', cell: ({ holm }: Tested) => pValue(holm) }] : []),
      ...(withDeLong ? [{ header: 'p, DeLong', cell: ({ deLong }: Tested) => pValue(deLong?.pValue) }] : []),
      { header: 'Detectable', cell: ({ minimumDetectable }) => number(minimumDetectable) },
    ],
    {
      title: `${protocolHeading(record)}: differences`,
      caption: `Paired differences on the same subjects. ${few === undefined ? `Each interval is of its difference alone; one that holds 0 shows none.${withHolm ? ' What counts is p after Holm’s correction, which is over all rows of this table.' : ''} The last column is the smallest difference that a study of this size finds in four of five tries.` : fewWarning(few)}${withDeLong ? ' DeLong’s test is the one for clustered samples.' : ''}`,
    },
  );
}

type Tested = EvaluationResult['differences'][number];

/**
 * The metrics of the best test epoch. The test labels chose it, so they stand beside the honest numbers and never
 * replace them.
 */
function paperStyleTable(record: EvaluationResult): Table | undefined {
  const chosen = record.rows.filter(({ paperStyle }) => paperStyle !== undefined);
  const [first] = chosen;
  if (first === undefined) return undefined;
  const names = columnsOf(record).filter((name) =>
    chosen.some(({ paperStyle }) => paperStyle!.metrics[name] !== undefined),
  );
  return tableOf(
    chosen,
    [
      ...rowColumns(chosen, record.data),
      ...names.map((name) => ({
        header: metricHeading(name),
        cell: ({ paperStyle }: EvaluationRow) => number(paperStyle!.metrics[name]?.mean),
      })),
    ],
    {
      title: 'Numbers of the best test epoch',
      caption: `Only to be set beside the paper’s: ${first.paperStyle!.label}. Mean over the folds; the test labels chose the epoch, so these are too good and nothing is compared by them.`,
      kindOf: ({ source }) => source,
    },
  );
}
