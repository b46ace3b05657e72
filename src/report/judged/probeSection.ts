/** An evaluation as tables that stand alone: every number with its interval, and what it must not be read as. */

import type { StoredEvaluation } from '../../evaluation/readResults.js';
import {
  type EvaluationResult,
  type EvaluationRow,
  type MetricSummary,
  primaryRow,
  type RowName,
} from '../../evaluation/results/evaluationResult.js';
import { excludedValueNote } from '../../evaluation/results/excludedValue.js';
import {
  exposureMeaning,
  featuresName,
  metricName,
  modalitiesName,
  nameOf,
  protocolName,
  rowName,
  sourceName,
} from '../../evaluation/results/names.js';
import { counted, fixed, interval, probability, signed, signedInterval } from '../../text/numbers.js';
import { type Content, html, type Markup } from '../html/markup.js';

/** Metrics in a table, as more do not fit a page: of two classes, and of more. */
const COLUMNS = {
  two: ['auc', 'accuracy', 'f1', 'precision', 'recall'],
  more: ['macroAuc', 'accuracy', 'macroF1', 'macroPrecision', 'macroRecall'],
};

function columnsOf({ data, metrics }: EvaluationResult): string[] {
  const columns = data.classes.length === 2 ? COLUMNS.two : COLUMNS.more;
  return columns.filter((name) => metrics.includes(name));
}

export function probeSection({ record, name }: StoredEvaluation, figures: Content): Markup {
  const { exposure, data, folds, patients = [], notes } = record;
  const classes = data.classes.map((name, i) => `${counted(data.samplesPerClass[i] ?? 0)} ${name}`);
  return html`<section aria-labelledby="probe-${name}-title">
<h3 id="probe-${name}-title">${protocolName(record)} <span class="tag ${exposure.kind}">${exposure.kind}</span></h3>
<p>${counted(data.samples)} pairs of ${counted(data.subjects)} subjects of ${data.name} (${classes.join(', ')}), ${folds.judged.length} of ${folds.k} folds by subject${checkpointWords(record)}. <strong>${capital(exposure.kind)}:</strong> ${exposureMeaning(exposure.kind)}</p>
${figures}
${metricTable(record, record.rows, `By image. Each value is of all test predictions together, with its ${percentOf(record)} interval by resampling subjects below it, and mean ± standard deviation of the folds’ own values.`)}
${allMetrics({ record, name })}
${differenceTable(record)}
${paperStyleTable(record)}
${patients.map(({ aggregation, subjects, rows }) =>
  metricTable(
    record,
    rows,
    `By patient: ${counted(subjects)} subjects, the ${aggregation === 'mean' ? 'mean' : 'largest'} of the probabilities of each one’s images.`,
  ),
)}
${notes.length > 0 ? html`<ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>` : ''}
</section>`;
}

function checkpointWords({ run }: EvaluationResult): string {
  const unfinished = run.encoders.find(({ weights }) => weights === 'checkpoint');
  if (unfinished === undefined) return '';
  const at = unfinished.step === undefined ? '' : ` of step ${unfinished.step}`;
  return `; the encoder is a checkpoint${at} of an unfinished run`;
}

function percentOf({ bootstrap }: EvaluationResult): string {
  return `${Math.round(100 * bootstrap.confidence)} %`;
}

/** A row by image or by patient. */
type JudgedRow = RowName & Pick<EvaluationRow, 'metrics'>;

function metricTable(record: EvaluationResult, rows: readonly JudgedRow[], caption: string): Markup {
  const metrics = columnsOf(record);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${protocolName(record)}: metrics">
<table class="numbers">
<caption><span>${caption} ${exclusions(rows, metrics)}</span></caption>
<thead><tr><th scope="col">Encoder</th><th scope="col">Features</th><th scope="col">Modality</th>${metrics.map((name) => html`<th scope="col" class="number">${metricName(name)}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (
    row,
    i,
  ) => html`<tr class="${row.source}${rows[i - 1]?.source === row.source ? '' : ' first'}"><th scope="row">${sourceName(row.source)}</th><td>${featuresName(row.features)}</td><td>${modalitiesName(row.modalities)}</td>${metrics.map((name) => metricCell(row.metrics[name]))}</tr>
`,
)}</tbody>
</table>
</div>`;
}

/** @param ofMeans whether the intervals of the means over the folds are shown too */
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

function metricCell(metric: MetricSummary | undefined): Markup {
  if (metric === undefined) return html`<td class="number">–</td>`;
  const { pooled, low, high, mean, std } = metric;
  return html`<td class="number"><b>${fixed(pooled)}</b><br><small>${interval(low, high)}</small><br><small>${fixed(mean)} ± ${fixed(std)}</small></td>`;
}

/** What the first table has no room for, of the row that stands for the run. */
function allMetrics({ record, name }: Pick<StoredEvaluation, 'record' | 'name'>): Markup | string {
  const row = primaryRow(record);
  const further = record.metrics.filter((metric) => !columnsOf(record).includes(metric));
  if (row === undefined || further.length === 0) return '';
  const shown = [record.metrics[0]!, ...further];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${protocolName(record)}: further metrics">
<table class="numbers">
<caption><span>Further metrics of ${nameOf(row)}; those of all rows are in evaluation/${name}.json. Classes are called at a probability of 0.5, or the most probable one of more than two. ${exclusions([row], shown, true)}</span></caption>
<thead><tr><th scope="col">Metric</th><th scope="col" class="number">All together</th><th scope="col" class="number">${percentOf(record)} interval</th><th scope="col" class="number">Mean of folds</th><th scope="col" class="number">${percentOf(record)} interval</th></tr></thead>
<tbody>
${shown.map((metric) => {
  const {
    pooled = null,
    low = null,
    high = null,
    mean = null,
    meanLow = null,
    meanHigh = null,
  } = row.metrics[metric] ?? {};
  return html`<tr><th scope="row">${metricName(metric)}</th><td class="number"><b>${fixed(pooled)}</b></td><td class="number">${interval(low, high)}</td><td class="number">${fixed(mean)}</td><td class="number">${interval(meanLow, meanHigh)}</td></tr>
`;
})}</tbody>
</table>
</div>`;
}

function differenceTable(record: EvaluationResult): Markup | string {
  const { differences } = record;
  if (differences.length === 0) return '';
  const withHolm = differences.some(({ holm }) => holm !== undefined);
  const withDeLong = differences.some(({ deLong }) => deLong !== undefined);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${protocolName(record)}: differences">
<table class="numbers">
<caption><span>Paired differences on the same subjects. An interval that holds 0 shows no difference; the last column is the smallest one that a study of this size finds in four of five tries.${withHolm ? ' Holm’s correction is over all rows of this table.' : ''}${withDeLong ? ' DeLong’s test is the one for clustered samples.' : ''}</span></caption>
<thead><tr><th scope="col">Features</th><th scope="col">against</th><th scope="col">Metric</th><th scope="col" class="number">Difference</th><th scope="col" class="number">${percentOf(record)} interval</th><th scope="col" class="number">p</th>${withHolm ? html`<th scope="col" class="number">p, Holm</th>` : ''}${withDeLong ? html`<th scope="col" class="number">p, DeLong</th>` : ''}<th scope="col" class="number">Detectable</th></tr></thead>
<tbody>
${differences.map(
  (
    one,
  ) => html`<tr><th scope="row">${rowName(record, one.row)}</th><td>${rowName(record, one.against)}</td><td>${metricName(one.metric)}</td><td class="number"><b>${signed(one.value)}</b></td><td class="number">${signedInterval(one.low, one.high)}</td><td class="number">${probability(one.pValue)}</td>${withHolm ? html`<td class="number">${probability(one.holm ?? null)}</td>` : ''}${withDeLong ? html`<td class="number">${probability(one.deLong?.pValue ?? null)}</td>` : ''}<td class="number">${fixed(one.minimumDetectable)}</td></tr>
`,
)}</tbody>
</table>
</div>`;
}

/** Numbers that the test labels chose, beside the honest ones and never instead of them. */
function paperStyleTable(record: EvaluationResult): Markup | string {
  const chosen = record.rows.flatMap((row) =>
    row.paperStyle === undefined ? [] : [{ row, ...row.paperStyle }],
  );
  if (chosen.length === 0) return '';
  const names = columnsOf(record).filter((name) => chosen.some((one) => one.metrics[name] !== undefined));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Numbers of the best test epoch">
<table class="numbers">
<caption><span>Only to be set beside the paper’s: ${chosen[0]!.label}. Mean over the folds; the test labels chose the epoch, so these are too good and nothing is compared by them.</span></caption>
<thead><tr><th scope="col">Encoder</th><th scope="col">Features</th><th scope="col">Modality</th>${names.map((name) => html`<th scope="col" class="number">${metricName(name)}</th>`)}</tr></thead>
<tbody>
${chosen.map(
  ({ row, metrics: found }) =>
    html`<tr class="${row.source}"><th scope="row">${sourceName(row.source)}</th><td>${featuresName(row.features)}</td><td>${modalitiesName(row.modalities)}</td>${names.map((name) => html`<td class="number">${fixed(found[name]?.mean ?? null)}</td>`)}</tr>
`,
)}</tbody>
</table>
</div>`;
}

/** A sentence of which one part matters most. */
export interface Verdict {
  readonly before: string;
  readonly strong: string;
  readonly after: string;
}

/** The primary row by itself and against both baselines, in words: higher, lower, or not shown to differ. */
export function verdicts(record: EvaluationResult): Verdict[] {
  const [metric = 'auc'] = record.metrics;
  const primary = primaryRow(record);
  const found = primary?.metrics[metric];
  if (primary === undefined || found === undefined) return [];
  const percent = percentOf(record);
  const own = {
    before: `${metricName(metric)} of the run’s encoder (${featuresName(primary.features)}, ${modalitiesName(primary.modalities)}): `,
    strong: fixed(found.pooled),
    after: `, ${percent} interval ${interval(found.low, found.high)}, ${record.exposure.kind}.`,
  };
  const against = record.differences
    .filter((one) => one.row === primary.key && one.metric === metric)
    .map(({ against: other, value, low, high, holm, minimumDetectable }) => {
      // Without predictions of others there is no p to correct.
      const counts = holm == null ? low !== null && high !== null && (low > 0 || high < 0) : holm < 0.05;
      const higher = counts && value !== null && value > 0;
      const lower = counts && value !== null && value < 0;
      const corrected = holm == null ? '' : `, p ${probability(holm)} after Holm’s correction`;
      const thumbnail = record.rows.some(({ key, source }) => key === other && source === 'thumbnail');
      return {
        before: 'It is ',
        strong: higher ? 'higher than' : lower ? 'lower than' : 'not shown to differ from',
        after:
          ` that of ${thumbnail ? 'a 12×12 thumbnail of the images' : 'the same encoder untrained'}: ` +
          `difference ${signed(value)}, ${percent} interval ${signedInterval(low, high)}${corrected}; ` +
          `differences below ${fixed(minimumDetectable)} would mostly be missed by a study of this size.` +
          (thumbnail ? beyondThumbnail(higher, lower) : ''),
      };
    });
  return [own, ...against];
}

/** What the thumbnail is there for: what an encoder has learned of use to the task shows in that it beats it. */
function beyondThumbnail(higher: boolean, lower: boolean): string {
  if (higher) return '';
  return lower
    ? ' For this task the thumbnail by itself serves better.'
    : ' That it has learned anything useful for this task is not shown.';
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
