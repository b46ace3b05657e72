import { markdownGrid } from './markdown.js';

/**
 * Lays the Markdown tables of a text out again where they are wider than a terminal, which would break every line. A
 * table is split into several, each with the columns that name the rows and some of the others; where not even one
 * other column fits, each row becomes a list. Nothing is left out, and tables that fit stay as they are.
 *
 * @param width the terminal's, in characters
 */
export function narrowTables(text: string, width: number): string {
  return text.replace(/^\|.*\n\|[-|]+\|$(?:\n\|.*)*/gm, (table) => {
    const lines = table.split('\n');
    return lines.every((line) => line.length <= width) ? table : narrowed(lines, width);
  });
}

type Row = readonly string[];

function narrowed([first, , ...others]: readonly string[], width: number): string {
  const [header, ...rows] = [first!, ...others].map(cellsOf) as [Row, ...Row[]];
  const names = namingColumns(rows, header.length);
  const widths = header.map((_, c) => Math.max(...[header, ...rows].map((row) => row[c]!.length)));
  // A line is `| a | b |`: three characters beside each cell, and one.
  const widthOf = (columns: readonly number[]) => columns.reduce((sum, c) => sum + widths[c]! + 3, 1);
  const naming = header.slice(0, names).map((_, c) => c);
  const blocks: number[][] = [];
  for (let c = names; c < header.length; c += 1) {
    const last = blocks.at(-1);
    if (last !== undefined && widthOf([...naming, ...last, c]) <= width) last.push(c);
    else blocks.push([c]);
  }
  if (blocks.some((columns) => widthOf([...naming, ...columns]) > width))
    return lists(
      header.map(plain),
      rows.map((row) => row.map(plain)),
      names,
    );
  const pick = (columns: readonly number[]) => (row: Row) =>
    [...naming, ...columns].map((c) => plain(row[c]!));
  return blocks.map((columns) => markdownGrid(pick(columns)(header), rows.map(pick(columns)))).join('\n\n');
}

function cellsOf(line: string): Row {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/** A cell as it was before a grid put signs before its bars, which count for its width. */
function plain(cell: string): string {
  return cell.replaceAll('\\|', '|');
}

/** Counts the columns from the left that it takes to tell every row from the others; at least one column is none of them. */
function namingColumns(rows: readonly Row[], columns: number): number {
  for (let count = 1; count < columns - 1; count += 1) {
    if (new Set(rows.map((row) => JSON.stringify(row.slice(0, count)))).size === rows.length) return count;
  }
  return Math.min(1, columns - 1);
}

function lists(header: Row, rows: readonly Row[], names: number): string {
  const longest = Math.max(...header.slice(names).map((name) => name.length));
  return rows
    .map((row) =>
      [
        row.slice(0, names).join(', '),
        ...header.slice(names).map((name, c) => `  ${name.padEnd(longest)}  ${row[names + c]}`.trimEnd()),
      ].join('\n'),
    )
    .join('\n\n');
}
