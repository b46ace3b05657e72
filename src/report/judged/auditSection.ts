import { positionsWith } from '../../data/presence.js';
import type { Dataset } from '../../data/sample.js';
import { imagesName } from '../../evaluation/results/names.js';
import { html, type Markup } from '../../text/markup.js';
import { counted } from '../../text/numbers.js';
import type { RunData, Unavailable } from '../source/runData.js';

/** Shows the findings of a quick look at the pixels. */
export function auditSection(data: RunData | Unavailable): Markup {
  const more = html`<code>anatomy data check</code> looks longer: swapped, missing and misaligned mates, near-duplicates, and whether images share the anatomy that the method needs.`;
  if ('reason' in data) return html`<p>${data.reason} ${more}</p>`;
  const { dataset, faults } = data;
  const images = imagesSentence(dataset);
  const pairs = `All ${counted(dataset.samples.length)} samples were looked at for blank images, images that occur twice to the pixel, and samples with one image for all modalities: `;
  if (faults.length === 0) return html`${images}<p>${pairs}<b>nothing was found.</b> ${more}</p>`;
  return html`${images}<p>${pairs}</p>
<ul>${faults.map((fault) => html`<li>${fault}</li>`)}</ul>
<p>${more}</p>`;
}

/** Counts the images of each modality, where there are more than two modalities or images are missing. */
function imagesSentence({ modalities, samples }: Dataset): Markup | string {
  const counts = modalities.map((modality) => ({
    modality,
    missing: samples.length - positionsWith(samples, modality).length,
  }));
  const lacking = counts.filter(({ missing }) => missing > 0);
  if (lacking.length === 0) {
    return modalities.length < 3
      ? ''
      : html`<p>${counted(samples.length)} samples, each with an image of ${modalities.map(imagesName).join(', ')}.</p>`;
  }
  const each = counts.map(
    ({ modality, missing }) =>
      `${imagesName(modality)} ${counted(samples.length - missing)}${missing === 0 ? '' : ` (${counted(missing)} missing)`}`,
  );
  return html`<p>Images of ${counted(samples.length)} samples: ${each.join(', ')}.</p>`;
}
