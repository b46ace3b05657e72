/**
 * Writes the lines of a CSV file by RFC 4180, with quotes around cells that hold a comma, a quote or a line break. A
 * cell that a spreadsheet would take for a formula gets an apostrophe in front, which {@link unguarded} takes off.
 */
export function csv(lines: readonly (readonly string[])[]): string {
  return lines.map((cells) => `${cells.map((cell) => quoted(guarded(cell))).join(',')}\n`).join('');
}

/** A number, or an interval as two of them. */
const NUMBERS = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?( [+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)?$/i;

/** Puts an apostrophe before `=`, `+`, `-`, `@`, tab and carriage return, unless the cell is a number. */
function guarded(cell: string): string {
  return /^'*[=+\-@\t\r]/.test(cell) && !NUMBERS.test(cell) ? `'${cell}` : cell;
}

/** Gives what was written as this cell: without the apostrophe that keeps a spreadsheet from computing it. */
export function unguarded(cell: string): string {
  return /^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell;
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
