/** The page of an audit of a data set. It is one HTML file without scripts that loads nothing from elsewhere. */
import type { AuditReport } from '../../data/audit/audit.js';
import type { Finding } from '../../data/audit/finding.js';
import { html, type Markup, trusted } from '../../text/markup.js';
import { counted } from '../../text/numbers.js';
import { packageVersion } from '../../version.js';
import type { Figure } from '../figures/figure.js';
import { shell } from '../html/shell.js';
import type { ShownPicture } from '../source/thumbnails.js';
import { combinationName, factsOf, severityName, verdict } from './auditText.js';
import type { Blend } from './blends.js';

export interface AuditPageContent {
  readonly report: AuditReport;
  readonly figures: readonly Figure[];
  /** The findings in the order of the report. */
  readonly findings: readonly ShownFinding[];
  /** A sentence on what the page shows of the data and whom that concerns. */
  readonly privacy: string;
}

export interface ShownFinding {
  readonly finding: Finding;
  /** The first items, as they are shown. */
  readonly items: readonly ShownItem[];
}

export interface ShownItem {
  /** The samples of the item, each with a row of pictures. */
  readonly samples: readonly { readonly name: string; readonly pictures: readonly SamplePicture[] }[];
  /** The number of samples of this item that are not shown. */
  readonly more: number;
  readonly detail: string;
  /** Of items on how a pair lies: the two images on each other, the one in red and the other in cyan. */
  readonly blends?: { readonly red: string; readonly cyan: string; readonly pictures: readonly Blend[] };
}

/** An image of a sample, or the place of one that it lacks. */
export interface SamplePicture extends ShownPicture {
  readonly missing?: true;
}

export const AUDIT_GENERATOR = 'anatomy-ssl data check';

const auditStyle = `
.finding { border-top: 1px solid var(--line); margin-top: 36px; }
.finding h3 { font-size: 19px; display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: baseline; margin-top: 20px; }
.tag.error { background: var(--bad); color: var(--bad-ink); border-color: transparent; }
.tag.warning { background: var(--note); color: var(--note-ink); border-color: transparent; }
.offenders { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); gap: 18px 24px; margin: 16px 0; padding: 0; list-style: none; max-width: none; }
.offenders > li { margin: 0; min-width: 0; font-size: 14px; overflow-wrap: anywhere; }
.shown { display: grid; grid-template-columns: repeat(auto-fill, 128px); gap: 4px; margin: 2px 0 8px; }
.shown img, .shown .none { display: block; width: 128px; height: 128px; object-fit: contain; background: #000; border-radius: 3px; }
.shown .none { background: var(--panel); border: 1px dashed var(--line); color: var(--soft); font-size: 12.5px; display: grid; place-items: center; text-align: center; padding: 8px; }
.shown figcaption { font-size: 12px; margin: 0; }
.places { columns: 280px; font-size: 14px; max-width: none; }
`;

export function auditPage({ report, figures, findings, privacy }: AuditPageContent): string {
  const title = `Data check: ${report.data}`;
  return shell({
    title,
    lead: html`${verdict(report)}`,
    head: html`<p class="banner" role="note">${privacy}</p>`,
    main: html`<h2>In short</h2>
${findings.length === 0 ? html`<p>Nothing was found.</p>` : html`<ul>${findings.map(({ finding }) => overview(finding))}</ul>`}
<h2>The data</h2>
<dl>${factsOf(report).map(
      ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
    )}</dl>
${presence(report)}
${notes(report)}
<div class="curves">${figures.map(figure)}</div>
<h2>What was found</h2>
${findings.map(section)}`,
    footer: html`Made by anatomy-ssl ${packageVersion()}. For research; not a medical device.`,
    generator: AUDIT_GENERATOR,
    style: auditStyle,
  });
}

function overview({ code, severity, title, count }: Finding): Markup {
  return html`<li><span class="tag ${severity}">${severityName(severity)}</span> <a href="#${code}">${title}</a>${count > 1 ? ` (${counted(count)})` : ''}</li>
`;
}

/** The images that there are and those that are missing, as tables; nothing where all samples have all. */
function presence({ modalities, combinations, samples }: AuditReport): Markup | string {
  if (modalities.every(({ missing }) => missing === 0)) return '';
  return html`<h3>Images that are missing</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Images of each modality"><table>
<thead><tr><th scope="col">modality</th><th scope="col" class="number">images</th><th scope="col" class="number">missing</th><th scope="col" class="number">subjects that lack it</th></tr></thead>
<tbody>${modalities.map(
    ({
      name,
      missing,
      missingSubjects,
    }) => html`<tr><th scope="row">${name}</th><td class="number">${counted(samples - missing)}</td><td class="number">${counted(missing)}</td><td class="number">${counted(missingSubjects)}</td></tr>
`,
  )}</tbody></table></div>
<div class="scroll" tabindex="0" role="region" aria-label="Combinations of modalities"><table>
<thead><tr><th scope="col">samples with</th>${modalities.map(({ name }) => html`<th scope="col">${name}</th>`)}<th scope="col" class="number">samples</th><th scope="col" class="number">subjects</th></tr></thead>
<tbody>${combinations.map(
    (one) => html`<tr><th scope="row">${combinationName(one, modalities)}</th>${modalities.map(
      ({ name }) => html`<td>${one.modalities.includes(name) ? '●' : '–'}</td>`,
    )}<td class="number">${counted(one.samples)}</td><td class="number">${counted(one.subjects)}</td></tr>
`,
  )}</tbody></table></div>
`;
}

function notes({ published }: AuditReport): Markup | string {
  if (published === undefined || published.notes.length === 0) return '';
  return html`<h3>Known of ${published.name}</h3>
<ul>${published.notes.map(
    (note) => html`<li>${note}</li>
`,
  )}</ul>`;
}

function figure({ title, svg, reading }: Figure): Markup {
  return html`<figure><h4>${title}</h4>${trusted(svg)}<figcaption>${reading}</figcaption></figure>
`;
}

function section({ finding, items }: ShownFinding): Markup {
  const { code, severity, title, explanation, fix, count } = finding;
  const more = count - items.length;
  return html`<section class="finding" id="${code}">
<h3><span class="tag ${severity}">${severityName(severity)}</span> ${title}${count > 1 ? ` (${counted(count)})` : ''}</h3>
<p>${explanation}</p>
<p><b>What to do:</b> ${fix}</p>
<ul class="${items.some(({ samples }) => samples.length > 0) ? 'offenders' : 'places'}">${items.map(offender)}</ul>
${more > 0 ? html`<p class="notes">… and ${counted(more)} more</p>` : ''}
</section>
`;
}

function offender({ samples, detail, more, blends }: ShownItem): Markup {
  return html`<li>${samples.map(
    ({ name, pictures }) =>
      html`<div><b>${name}</b>${
        pictures.length === 0
          ? ''
          : html`<div class="shown">${pictures.map((one) => picture(name, one))}</div>`
      }</div>`,
  )}${blends === undefined ? '' : blendRow(blends)}${more > 0 ? html`<p class="notes">… and ${counted(more)} more of them</p>` : ''}${detail}</li>
`;
}

function blendRow({ red, cyan, pictures }: NonNullable<ShownItem['blends']>): Markup {
  return html`<div class="shown">${pictures.map(
    ({ name, jpeg }) =>
      html`<figure>${image(`${red} in red and ${cyan} in cyan, ${name}`, jpeg)}<figcaption>${name}: ${red} red, ${cyan} cyan</figcaption></figure>`,
  )}</div>`;
}

function image(alt: string, jpeg: Uint8Array): Markup {
  return html`<img alt="${alt}" src="data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}">`;
}

function picture(name: string, { modality, jpeg, missing }: SamplePicture): Markup {
  const shown =
    jpeg === undefined
      ? html`<span class="none">${missing ? 'missing' : 'cannot be shown'}</span>`
      : image(`${name}, ${modality}`, jpeg);
  return html`<figure>${shown}<figcaption>${modality}</figcaption></figure>`;
}
