/**
 * The section on the errors that a probe was surest of. Samples have pseudonyms, and images where these may be shown.
 */

import { html, type Markup } from '../../text/markup.js';
import { counted, fixed } from '../../text/numbers.js';
import type { ShownPicture } from '../source/thumbnails.js';
import type { Failure, Failures } from './judgement.js';

export interface ShownFailure extends Failure {
  readonly pictures: readonly ShownPicture[];
}

export interface PageFailures {
  readonly found: Failures;
  readonly shown: readonly ShownFailure[];
  /** The reason that there are no images, where there are none. */
  readonly withheld?: string;
}

const PSEUDONYM = /^[SP]-[0-9a-f]{12}$/;

/**
 * Replaces names that are no pseudonyms by numbers: a page may be passed on, and predictions may hold the ids of
 * patients.
 */
export function withoutIdentities(worst: readonly Failure[]): Failure[] {
  const named = (name: string, kind: string, all: string[]) =>
    PSEUDONYM.test(name) ? name : `${kind} ${all.indexOf(name) + 1}`;
  const ids = [...new Set(worst.map(({ id }) => id))];
  const subjects = [...new Set(worst.map(({ subject }) => subject))];
  return worst.map((failure) => ({
    ...failure,
    id: named(failure.id, 'sample', ids),
    subject: named(failure.subject, 'subject', subjects),
  }));
}

export function failureSection({ found, shown, withheld }: PageFailures): Markup {
  const { features, wrong, samples } = found;
  const intro = html`<p>${counted(wrong)} of ${counted(samples)} test images were given a wrong class (${features}). ${
    wrong === 0
      ? ''
      : `Below ${shown.length === 1 ? 'is the one' : `are the ${shown.length}`} of which the probe was surest: what they have in common, such as a device, a mark on the image or a label in doubt, often says more than a metric. ${withheld ?? ''}`
  }</p>`;
  if (shown.length === 0) return intro;
  const pictured = shown.some(({ pictures }) => pictures.length > 0);
  return html`${intro}
<div class="scroll" tabindex="0" role="region" aria-label="Most confident errors">
<table class="numbers failures">
<thead><tr><th scope="col">Sample</th><th scope="col">Subject</th><th scope="col" class="number">Fold</th><th scope="col">True class</th><th scope="col">Predicted</th><th scope="col" class="number">Its probability</th>${pictured ? html`<th scope="col">Images</th>` : ''}</tr></thead>
<tbody>
${shown.map(
  (
    one,
  ) => html`<tr><th scope="row">${one.id}</th><td>${one.subject}</td><td class="number">${one.fold}</td><td>${one.label}</td><td>${one.predicted}</td><td class="number">${fixed(one.probability)}</td>${pictured ? html`<td><div class="shown">${one.pictures.map((each) => pictureOf(one.id, each))}</div></td>` : ''}</tr>
`,
)}</tbody>
</table>
</div>`;
}

function pictureOf(name: string, { modality, jpeg }: ShownPicture): Markup | string {
  if (jpeg === undefined) return '';
  return html`<img alt="${name}, ${modality}" src="data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}">`;
}
