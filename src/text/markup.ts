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
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
