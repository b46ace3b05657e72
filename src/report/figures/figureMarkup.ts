import { html, type Markup, trusted } from '../../text/markup.js';
import type { Figure } from './figure.js';

interface GridOptions {
  /**
   * Whether each figure comes with a sentence on how to read it; false where an earlier section explained the same kind
   * of figure.
   */
  readonly readings?: boolean;
}

/** Lays figures out side by side where there is room; empty without figures. */
export function figureGrid(
  figures: readonly Figure[],
  { readings = true }: GridOptions = {},
): Markup | string {
  return figures.length === 0
    ? ''
    : html`<div class="curves">${figures.map(
        ({ title, svg, reading }) =>
          html`<figure><h4>${title}</h4>${trusted(svg)}${readings ? html`<figcaption>${reading}</figcaption>` : ''}</figure>
`,
      )}</div>`;
}
