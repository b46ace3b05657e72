import { html, type Markup } from '../markup.js';
import { fixed, interval, signedInterval } from '../numbers.js';
import { cellWords, isKnown, valueWords } from './cellWords.js';
import type { Cell, Column, NumberCell, Table } from './model.js';

export interface HtmlTableOptions {
  /** The CSS class of the table. */
  readonly className: string;
  /** Whether intervals stand in brackets behind their numbers, and not in small letters below. */
  readonly brackets?: boolean;
}

/** Shows a table in a box that scrolls by itself on a narrow screen, with its notes below. */
export function htmlTable(
  { title = '', caption, columns, rows, notes = [] }: Table,
  { className, brackets = false }: HtmlTableOptions,
): Markup {
  const [first, ...others] = columns as [Column, ...Column[]];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${title}">
<table class="${className}${brackets ? ' bracketed' : ''}">
${caption === undefined ? '' : html`<caption><span>${caption}</span></caption>\n`}<thead><tr>${columns.map((column) => html`<th scope="col"${classOf(column)}>${column.header}</th>`)}</tr></thead>
<tbody>
${rows.map(({ kind, cells: [name, ...cells] }, i) => {
  // A line is drawn where rows of another kind begin.
  const begins = i > 0 && rows[i - 1]!.kind !== kind;
  const names = [...(kind === undefined ? [] : [kind]), ...(begins ? ['first'] : [])];
  return html`<tr${names.length === 0 ? '' : html` class="${names.join(' ')}"`}><th scope="row">${content(name!, first, brackets)}</th>${cells.map(
    (cell, c) => html`<td${classOf(others[c]!)}>${content(cell, others[c]!, brackets)}</td>`,
  )}</tr>
`;
})}</tbody>
</table>
</div>
${notes.map((note) => html`<p class="notes">${note}</p>\n`)}`;
}

/** Shows a word in a label, such as the kind of exposure. */
export function tag(word: string): Markup {
  return html` <span class="tag ${word}">${word}</span>`;
}

function classOf({ words = false }: Column): Markup | string {
  return words ? '' : html` class="number"`;
}

function content(cell: Cell, { strong = false }: Column, brackets: boolean): Markup {
  switch (cell.kind) {
    case 'text':
      return html`${cell.text}${cell.tag === undefined ? '' : tag(cell.tag)}`;
    case 'number':
      return numberContent(cell, strong, brackets);
    // A page has the same sign for every cell without a number.
    case 'missing':
    case 'none':
      return html`–`;
    default:
      return html`${cellWords(cell).value}`;
  }
}

function numberContent(cell: NumberCell, strong: boolean, brackets: boolean): Markup {
  const { as, low, high, deviation, runs, folds } = cell;
  const value = marked(cell, strong);
  // A bracketed interval is one word, so that a narrow cell breaks before it and not inside.
  if (brackets) {
    return html`${value}${cellWords(cell).rest.replace(/\[[^\]]*\]/g, (one) => one.replaceAll(' ', '\u00a0'))}`;
  }
  const between = as === 'difference' ? signedInterval : interval;
  return html`${value}${[
    ...(low === undefined || high === undefined ? [] : [between(low, high)]),
    ...(isKnown(deviation) ? [`± ${fixed(deviation)}${runs === undefined ? '' : `, ${runs} runs`}`] : []),
    ...(folds === undefined ? [] : [`${fixed(folds.mean)} ± ${fixed(folds.deviation)}`]),
  ].map((line) => html`<br><small>${line}</small>`)}`;
}

function marked(cell: NumberCell, strong: boolean): Markup {
  const value = valueWords(cell);
  if (cell.mark === 'best') return html`<b class="best" title="best, or not shown to be worse">${value}</b>`;
  if (cell.mark === 'second')
    return html`<span class="second" title="second best, or not shown to be worse">${value}</span>`;
  return strong ? html`<b>${value}</b>` : html`${value}`;
}
