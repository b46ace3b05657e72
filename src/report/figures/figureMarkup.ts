import { html, type Markup, trusted } from '../../text/markup.js';
import type { Figure } from './figure.js';

interface GridOptions {
  /** False where the same kinds of figures were explained before. */
  readonly readings?: boolean;
}

/** Side by side where there is room; nothing of no figures. */
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
