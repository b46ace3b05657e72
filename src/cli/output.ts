import { narrowTables } from '../text/table/narrow.js';
import { visible, visibleJson } from '../text/visible.js';

/** True where people read standard output as it is written, and no program does. */
export function toTerminal(): boolean {
  return process.stdout.isTTY;
}

/**
 * Prints a command's result for people on standard output, with nothing in it that a terminal would obey, and no table
 * wider than the terminal.
 */
export function print(text: string): void {
  const shown = visible(text);
  // A terminal that does not tell its width has none to keep to.
  const { columns } = process.stdout;
  process.stdout.write(toTerminal() && columns > 0 ? narrowTables(shown, columns) : shown);
}

/** Prints a command's result for programs. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${visibleJson(value, indent)}\n`);
}
