import { cellWords } from './cellWords.js';
import type { Cell, Table } from './model.js';

const MARKS = { best: '\\textbf', second: '\\underline' } as const;

/** Writes a floating table that needs no package. Its LaTeX caption holds title, caption and notes. */
export function latexTable({ title, caption, columns, rows, notes = [] }: Table): string {
  const around = [title === undefined ? '' : `${title}.`, caption ?? '', ...notes];
  return [
    '\\begin{table}',
    `\\caption{${latexProse(
      around
        .filter((words) => words !== '')
        .join(' ')
        .replaceAll('\n', ' '),
    )}}`,
    // The second column holds words too, or a difference with its interval.
    `\\begin{tabular}{ll${'r'.repeat(columns.length - 2)}}`,
    '\\hline',
    line(columns.map(({ header }) => latexText(header))),
    '\\hline',
    ...rows.map(({ cells }) => line(cells.map(cellLatex))),
    '\\hline',
    '\\end{tabular}',
    '\\end{table}',
  ].join('\n');
}

function line(cells: readonly string[]): string {
  // LaTeX would take a bracket at the beginning of a line for the optional space after \\.
  return `${cells[0]!.startsWith('[') ? '{}' : ''}${cells.join(' & ')} \\\\`;
}

function cellLatex(cell: Cell): string {
  const { value, rest } = cellWords(cell);
  const shown = latexText(value);
  const marked = cell.kind === 'number' && cell.mark !== undefined ? `${MARKS[cell.mark]}{${shown}}` : shown;
  return `${marked}${latexText(rest)}`;
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '−': '$-$',
  '±': '$\\pm$',
  '×': '$\\times$',
  '²': '$^2$',
  // Old font encodings have other signs in the places of these letters.
  '<': '$<$',
  '>': '$>$',
  '—': '---',
  '–': '--',
  '’': "'",
  '…': '\\dots{}',
  // Names of rows speak of weights and temperatures.
  α: '$\\alpha$',
  β: '$\\beta$',
  γ: '$\\gamma$',
  λ: '$\\lambda$',
  τ: '$\\tau$',
};

/** Writes sentences that have the marks of Markdown. */
export function latexProse(sentences: string): string {
  return latexText(sentences)
    .replace(/\*\*(.+?)\*\*/g, '\\textbf{$1}')
    .replace(/\*(.+?)\*/g, '\\emph{$1}');
}

function latexText(plain: string): string {
  return plain.replace(/[\\~^−±×²—–’…<>αβγλτ]|[&%$#_{}]/g, (found) => LATEX[found] ?? `\\${found}`);
}
