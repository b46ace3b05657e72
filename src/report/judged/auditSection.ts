import { html, type Markup } from '../../text/markup.js';
import { counted } from '../../text/numbers.js';
import type { RunData, Unavailable } from '../source/runData.js';

/** Shows the findings of a quick look at the pixels. */
export function auditSection(data: RunData | Unavailable): Markup {
  const more = html`<code>anatomy data check</code> looks longer: swapped, missing and misaligned mates, near-duplicates, and whether images share the anatomy that the method needs.`;
  if ('reason' in data) return html`<p>${data.reason} ${more}</p>`;
  const { dataset, faults } = data;
  const pairs = `All ${counted(dataset.samples.length)} samples were looked at for blank images, images that occur twice to the pixel, and samples with one image for all modalities: `;
  if (faults.length === 0) return html`<p>${pairs}<b>nothing was found.</b> ${more}</p>`;
  return html`<p>${pairs}</p>
<ul>${faults.map((fault) => html`<li>${fault}</li>`)}</ul>
<p>${more}</p>`;
}
