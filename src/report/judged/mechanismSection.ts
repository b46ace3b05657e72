import { type Content, html } from '../../text/markup.js';
import { figureGrid } from '../figures/figureMarkup.js';
import type { StudyMechanism } from './study.js';
import { claimsSection } from './tables.js';

export function mechanismSection({ groups, tables }: StudyMechanism): Content {
  if (groups.length === 0 && tables.length === 0) {
    return html`<p>Not measured yet: <code>anatomy evaluate pairs --run RUN</code> measures whether partners are near in the features and whether their patches agree.</p>`;
  }
  return [
    ...tables.map(claimsSection),
    ...groups.map(({ title, figures }) => html`<h3>${title}</h3>${figureGrid(figures)}`),
  ];
}
