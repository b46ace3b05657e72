/**
 * What a terminal or a reader would obey rather than show: control characters but for tab and newline (escape sequences
 * begin with one), marks that turn the direction of writing, and separators that break a line.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Writes the characters that a terminal would obey as escapes, such as `\x1b` or `\u202e`. Ids, labels and file names
 * come from others, so every text passes here on its way to the terminal and to `train.log`.
 */
export function visible(text: string): string {
  return text.replace(OBEYED, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : escaped(code);
  });
}

/** Writes a value as JSON in which such characters are escaped too; whoever parses it gets them back. */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(OBEYED, (character) => escaped(character.charCodeAt(0)));
}

function escaped(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
