/** The room `report/cases` makes pages of samples to look at: predictions, and similar cases. */
import { hasImage } from '../../data/presence.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { html, type Markup, trusted } from '../../text/markup.js';
import { packageVersion } from '../../version.js';
import { shell } from '../html/shell.js';
import { thumbnails } from '../source/thumbnails.js';

/** A sample with what is said of it. */
export interface Case {
  readonly sample: Sample;
  /** The data that the sample is of. */
  readonly dataset: Dataset;
  /** Short sentences below its name, the first in bold. */
  readonly facts: readonly string[];
}

export interface CaseSection {
  readonly title: string;
  /** What the cases have in common and how they were chosen. */
  readonly explanation: string;
  readonly cases: readonly Case[];
}

export interface CasePage {
  readonly title: string;
  readonly lead: string;
  /** Sentences in a banner, such as what the page may be used for. */
  readonly banner: string;
  readonly sections: readonly CaseSection[];
  /** Whether images of patients are shown. Those of phantoms always are. */
  readonly withImages: boolean;
}

const style = `
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); gap: 18px 24px; margin: 16px 0; padding: 0; list-style: none; max-width: none; }
.cases > li { margin: 0; min-width: 0; font-size: 14px; overflow-wrap: anywhere; }
.cases b { display: block; }
.shown { display: flex; flex-wrap: wrap; gap: 4px; margin: 4px 0; }
.shown figure { margin: 0; }
.shown img, .shown .none { display: block; width: 128px; height: 128px; object-fit: contain; background: #000; border-radius: 3px; }
.shown .none { background: var(--panel); border: 1px dashed var(--line); color: var(--soft); font-size: 12.5px; display: grid; place-items: center; text-align: center; padding: 8px; box-sizing: border-box; }
.shown figcaption { font-size: 12px; margin: 0; }
`;

/** Makes the page: one HTML file that carries its pictures, runs no script and loads nothing. */
export async function casePage({ title, lead, banner, sections, withImages }: CasePage): Promise<string> {
  const shown: Markup[] = [];
  for (const { title: heading, explanation, cases } of sections) {
    const items: Markup[] = [];
    for (const one of cases) items.push(await item(one, withImages));
    shown.push(html`<h2>${heading}</h2>
<p>${explanation}</p>
${items.length === 0 ? html`<p class="notes">None.</p>` : html`<ul class="cases">${items}</ul>`}
`);
  }
  const phantoms = sections.every(({ cases }) => cases.every(({ sample }) => isPhantom(sample)));
  const privacy = phantoms
    ? 'All images are synthetic.'
    : withImages
      ? 'This page shows images: if they are of patients, it is for those who may see these.'
      : 'Images are not shown; --with-images shows them.';
  return shell({
    title,
    lead,
    head: html`<style>${trusted(style)}</style><p class="banner" role="note">${banner} ${privacy} Samples are named as in the data.</p>`,
    main: html`${shown}`,
    footer: `Made by anatomy-ssl ${packageVersion()}. For research; not a medical device.`,
  });
}

async function item({ sample, dataset, facts }: Case, withImages: boolean): Promise<Markup> {
  const [first, ...others] = facts;
  const pictures = withImages || isPhantom(sample) ? await picturesOf(dataset, sample) : [];
  return html`<li><b>${sample.id}</b>${pictures.length === 0 ? '' : html`<div class="shown">${pictures}</div>`}<b>${first}</b>${others.map((fact) => html`${fact}<br>`)}</li>
`;
}

/** Pictures the images of a sample, with a gap in the place of each that it lacks. */
async function picturesOf(dataset: Dataset, sample: Sample): Promise<Markup[]> {
  const found = new Map((await thumbnails(dataset, sample)).map(({ modality, jpeg }) => [modality, jpeg]));
  return dataset.modalities.map((modality) => {
    const jpeg = found.get(modality);
    const picture =
      jpeg === undefined
        ? html`<span class="none">${hasImage(sample, modality) ? 'cannot be read' : 'missing'}</span>`
        : html`<img alt="${modality} of ${sample.id}" src="data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}">`;
    return html`<figure>${picture}<figcaption>${modality}</figcaption></figure>`;
  });
}

function isPhantom({ images }: Sample): boolean {
  return Object.values(images).every(({ kind }) => kind === 'generated');
}
