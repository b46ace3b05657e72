/** The tables of a study: methods down, kinds of images across, each number with its interval. */

import { metricName, modalitiesName } from '../../evaluation/results/names.js';
import { fixed, interval, probability, signed, signedInterval } from '../../text/numbers.js';
import { html, type Markup } from '../html/markup.js';
import type { Beside, StudyDifference, StudyFamily, StudyTable, StudyValue, TextTable } from './study.js';

const BASELINES = ['untrained', 'thumbnail'] as const;

export function studyTable(table: StudyTable): Markup {
  const { title, metric, caption, images, notes = [] } = table;
  const rows = table.rows.filter(({ values }) => Object.keys(values).length > 0);
  const without = table.rows.filter((row) => !rows.includes(row)).map(({ name }) => name);
  const exposures = new Set(rows.flatMap(({ exposure }) => exposure ?? []));
  const tag = (exposure: string | undefined) =>
    exposure === undefined ? '' : html` <span class="tag ${exposure}">${exposure}</span>`;
  const widest = images.at(-1);
  const compared = BASELINES.filter((other) => rows.some(({ against }) => against[other] !== undefined));
  const wide = widest === undefined ? '' : `, ${imagesName(widest)}`;
  const folded = rows.some(({ foldMean }) => typeof foldMean === 'number');
  const detectable = compared[0];
  return html`<section>
<h3>${title}${exposures.size === 1 ? tag([...exposures][0]) : ''}</h3>
<div class="scroll" tabindex="0" role="region" aria-label="${title}">
<table class="numbers study">
<caption><span>${caption}</span></caption>
<thead><tr><th scope="col">Method</th>${images.map((image) => html`<th scope="col" class="number">${metric}, ${imagesName(image)}</th>`)}${folded ? html`<th scope="col" class="number">Mean of folds${wide}</th>` : ''}${compared.map((other) => html`<th scope="col" class="number">− ${other}${wide}</th>`)}${detectable ? html`<th scope="col" class="number">Detectable</th>` : ''}</tr></thead>
<tbody>
${rows.map(
  (row, i) =>
    html`<tr class="${row.source}${i > 0 && row.source !== 'run' && rows[i - 1]!.source === 'run' ? ' first' : ''}"><th scope="row">${row.name}${exposures.size > 1 ? tag(row.exposure) : ''}</th>${images.map((image) => valueCell(row.values[image]))}${folded ? html`<td class="number">${row.foldMean === undefined ? '–' : fixed(row.foldMean)}</td>` : ''}${compared.map((other) => differenceCell(row.against[other]))}${detectable ? html`<td class="number">${fixed(row.against[detectable]?.minimumDetectable ?? null)}</td>` : ''}</tr>
`,
)}</tbody>
</table>
</div>
${without.length === 0 ? '' : html`<p class="notes">No result yet: ${without.join(', ')}.</p>`}
${notes.map((note) => html`<p class="notes">${note}</p>`)}
${besideTable(table)}
</section>`;
}

function imagesName(image: string): string {
  return modalitiesName(image.split('+'));
}

function valueCell(value: StudyValue | undefined): Markup {
  if (value === undefined) return html`<td class="number">–</td>`;
  const { mark, low, high, deviation, seeds } = value;
  const text = fixed(value.value);
  const marked =
    mark === 'best'
      ? html`<b class="best" title="best, or not shown to be worse">${text}</b>`
      : mark === 'second'
        ? html`<span class="second" title="second best, or not shown to be worse">${text}</span>`
        : text;
  return html`<td class="number">${marked}${low === null ? '' : html`<br><small>${interval(low, high)}</small>`}${deviation === null ? '' : html`<br><small>± ${fixed(deviation)}, ${seeds} runs</small>`}</td>`;
}

function differenceCell(difference: StudyDifference | undefined): Markup {
  if (difference === undefined) return html`<td class="number">–</td>`;
  const { value, low, high } = difference;
  return html`<td class="number">${signed(value)}${low === null ? '' : html`<br><small>${signedInterval(low, high)}</small>`}</td>`;
}

/** The paper’s numbers beside ours, in per cent as it prints them. */
function besideTable({ rows, besideMetrics, title, images }: StudyTable): Markup | string {
  // Columns without any number are left out.
  const columns = besideMetrics.flatMap((metric): BesideColumns[] => {
    const found = rows.flatMap(({ beside }) => beside[metric] ?? []);
    const paper = found.some(comparable);
    const style = found.some(({ paperStyle }) => paperStyle != null);
    return paper || style ? [{ metric, paper, style }] : [];
  });
  if (columns.length === 0) return '';
  const styled = columns.some(({ style }) => style);
  const listed = rows.filter(({ beside }) => columns.some(({ metric }) => beside[metric] !== undefined));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${title}: beside the paper">
<table class="numbers study">
<caption><span>Beside the paper, in per cent, ${images.at(-1) === undefined ? '' : imagesName(images.at(-1)!)}: what is measured here, what the paper prints for its own data, and the difference. Other data and another budget, so the difference says how far apart two studies are, not which method is better.${styled ? ' “Best test epoch” is chosen by the test labels, as the paper’s snapshot does, and too good.' : ''}</span></caption>
<thead><tr><th scope="col">Method</th>${columns.map(({ metric, paper, style }) => html`<th scope="col" class="number">${metricName(metric)}</th>${paper ? html`<th scope="col" class="number">paper</th><th scope="col" class="number">difference</th>` : ''}${style ? html`<th scope="col" class="number">best test epoch</th>` : ''}`)}</tr></thead>
<tbody>
${listed.map(
  ({ name, source, beside }) =>
    html`<tr class="${source}"><th scope="row">${name}</th>${columns.map((one) => besideCells(beside[one.metric], one))}</tr>
`,
)}</tbody>
</table>
</div>`;
}

interface BesideColumns {
  readonly metric: string;
  /** Whether it has the paper’s numbers and the differences to them, and those of the best test epoch. */
  readonly paper: boolean;
  readonly style: boolean;
}

/** Whether there is a number on both sides. */
export function comparable({ ours, paper }: Beside): boolean {
  return ours !== null && paper !== undefined;
}

function besideCells(beside: Beside | undefined, columns: BesideColumns): Markup {
  const percent = (value: number | null | undefined) => (value == null ? '–' : fixed(100 * value, 1));
  const { ours, paper, paperStyle } = beside ?? {};
  const difference = ours == null || paper === undefined ? '–' : signed(100 * (ours - paper), 1);
  return html`<td class="number"><b>${percent(ours)}</b></td>${columns.paper ? html`<td class="number">${percent(paper)}</td><td class="number">${difference}</td>` : ''}${columns.style ? html`<td class="number">${percent(paperStyle)}</td>` : ''}`;
}

export function familyTable({ title, caption, comparisons, missing }: StudyFamily): Markup {
  return html`<section>
<h3>${title}</h3>
<div class="scroll" tabindex="0" role="region" aria-label="${title}">
<table class="numbers study">
<caption><span>${caption}</span></caption>
<thead><tr><th scope="col">Comparison</th><th scope="col" class="number">Difference</th><th scope="col" class="number">95 % interval</th><th scope="col" class="number">p</th><th scope="col" class="number">p, Holm</th><th scope="col" class="number">Detectable</th></tr></thead>
<tbody>
${comparisons.map(
  ({ name, value, low, high, pValue, holm, minimumDetectable }) =>
    html`<tr><th scope="row">${name}</th><td class="number"><b>${signed(value)}</b></td><td class="number">${signedInterval(low, high)}</td><td class="number">${probability(pValue)}</td><td class="number">${probability(holm)}</td><td class="number">${fixed(minimumDetectable)}</td></tr>
`,
)}</tbody>
</table>
</div>
${missing.length === 0 ? '' : html`<p class="notes">Not compared yet: ${missing.join('; ')}.</p>`}
</section>`;
}

/** A column of words has a letter at the beginning of a cell. */
export function textTable({ title, caption, header, rows }: TextTable): Markup {
  const number = (i: number) => (rows.some((row) => /^\p{L}/u.test(row[i] ?? '')) ? '' : 'number');
  return html`<h3>${title}</h3>
<div class="scroll" tabindex="0" role="region" aria-label="${title}">
<table class="numbers study">
<caption><span>${caption}</span></caption>
<thead><tr>${header.map((name, i) => html`<th scope="col" class="${number(i)}">${name}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ([name, ...cells]) =>
    html`<tr><th scope="row">${name}</th>${cells.map((cell, i) => html`<td class="${number(i + 1)}">${cell}</td>`)}</tr>
`,
)}</tbody>
</table>
</div>`;
}
