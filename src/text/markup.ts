/** A text that is HTML already. Only `html` and `trusted` make it, so all other text in a page has been escaped. */
export class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type Content = Markup | string | number | null | undefined | readonly Content[];

/**
 * Fills a template of HTML. Texts are escaped for content and for quoted attributes; markup and lists of it go in as
 * they are.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let text = strings[0]!;
  values.forEach((value, i) => {
    text += textOf(value) + strings[i + 1]!;
  });
  return new Markup(text);
}

/** Wraps HTML and SVG of our own making, such as a rendered figure, so that it is not escaped. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function textOf(content: Content): string {
  if (content === null || content === undefined) return '';
  if (content instanceof Markup) return content.toString();
  if (typeof content === 'object') return content.map(textOf).join('');
  return escapeText(String(content));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

/**
 * Characters that XML forbids, such as the escape of a terminal's colours, halves of a surrogate pair, and marks that
 * turn the direction of all text behind them. Names from files may hold any of them.
 */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is sought
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Cs}/gu;

/** Puts a replacement sign in the place of each character that a page or a figure cannot show. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd');
}
