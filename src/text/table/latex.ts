import { cellWords } from './cellWords.js';
import type { Cell, Table } from './model.js';

const MARKS = { best: '\\textbf', second: '\\underline' } as const;

/** A floating table that needs no package. Title, caption and notes are its caption. */
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
    // The second column has words too, or a difference with its interval.
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
  // A bracket at the beginning of a line would be taken for the space that \\\\ may leave.
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
  // The letters of old encodings have other signs in their places.
  '<': '$<$',
  '>': '$>$',
  '—': '---',
  '–': '--',
  '’': "'",
  '…': '\\dots{}',
};

/** Sentences that have the marks of Markdown. */
export function latexProse(sentences: string): string {
  return latexText(sentences)
    .replace(/\*\*(.+?)\*\*/g, '\\textbf{$1}')
    .replace(/\*(.+?)\*/g, '\\emph{$1}');
}

function latexText(plain: string): string {
  return plain.replace(/[\\~^−±×²—–’…<>]|[&%$#_{}]/g, (found) => LATEX[found] ?? `\\${found}`);
}
