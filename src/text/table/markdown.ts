import { cellWords } from './cellWords.js';
import type { Cell, Table } from './model.js';

const MARKS = { best: '**', second: '*' } as const;

/**
 * Writes a table in Markdown, with its caption before it and its notes behind it. The columns are also aligned for the
 * terminal.
 */
export function markdownTable({ caption = '', columns, rows, notes = [] }: Table): string {
  const header = columns.map((column) => column.header);
  const grid = markdownGrid(
    header,
    rows.map(({ cells }) => cells.map(cellMarkdown)),
  );
  return [caption, grid, ...notes].filter((section) => section !== '').join('\n\n');
}

function cellMarkdown(cell: Cell): string {
  const { value, rest } = cellWords(cell);
  const sign = cell.kind === 'number' && cell.mark !== undefined ? MARKS[cell.mark] : '';
  return `${sign}${value}${sign}${rest}`;
}

/** Writes a grid of cells that are words already. */
export function markdownGrid(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, c) => cell.padEnd(widths[c]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(cells[0]!), rule, ...cells.slice(1).map(line)].join('\n');
}
