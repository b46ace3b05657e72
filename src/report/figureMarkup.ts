import type { Figure } from './figure.js';
import { html, type Markup, trusted } from './markup.js';

export function figureMarkup({ title, svg, reading }: Figure): Markup {
  return html`<figure><h4>${title}</h4>${trusted(svg)}<figcaption>${reading}</figcaption></figure>
`;
}

/** Side by side where there is room; nothing of no figures. */
export function figureGrid(figures: readonly Figure[]): Markup | string {
  return figures.length === 0 ? '' : html`<div class="curves">${figures.map(figureMarkup)}</div>`;
}
