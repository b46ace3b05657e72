import { visible, visibleJson } from '../text/visible.js';

/** Prints a command's result for people on standard output, with nothing in it that a terminal would obey. */
export function print(text: string): void {
  process.stdout.write(visible(text));
}

/** Prints a command's result for programs. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${visibleJson(value, indent)}\n`);
}
