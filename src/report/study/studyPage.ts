/** Several runs, or an experiment, as one page that a clinician or a reviewer can read from top to bottom. */

import { type Content, html, type Markup } from '../../text/markup.js';
import { packageVersion } from '../../version.js';
import { figureGrid } from '../figures/figureMarkup.js';
import { glossary } from '../html/glossary.js';
import { shell } from '../html/shell.js';
import { auditSection } from '../judged/auditSection.js';
import { failureSection } from '../judged/failureSection.js';
import { mechanismSection } from '../judged/mechanismSection.js';
import type { NamedFact, Study } from '../judged/study.js';
import { familySection, resultsSection } from '../judged/tables.js';

export function studyPage(study: Study): string {
  const sections: readonly (readonly [id: string, title: string, content: Content])[] = [
    ['short', 'In short', shortSection(study)],
    ['trained', 'What was trained on what', [paragraphs(study.about), factList(study.facts)]],
    ['data', 'A look at the data', auditSection(study.data)],
    ['results', 'Results', resultSection(study)],
    ['curves', 'Training', curveSection(study)],
    ['mechanism', 'What pairs say without labels', mechanismSection(study.mechanism)],
    ['judged', 'Right and wrong, closer', judgedSection(study)],
    ['failures', 'Where it is most wrong', failuresSection(study)],
    ['paper', 'The paper’s numbers', paperSection(study)],
    ['provenance', 'To repeat it', factList(study.provenance)],
    ['words', 'Words', glossary()],
  ];
  return shell({
    title: study.title,
    lead: study.lead,
    head: study.banners.map((text) => html`<p class="banner" role="note">${text}</p>`),
    main: html`<nav aria-label="Sections"><ul class="contents">${sections.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
${sections.map(
  ([id, title, content]) => html`<h2 id="${id}">${title}</h2>
${content}
`,
)}`,
    footer: html`Made by anatomy-ssl ${packageVersion()} from the files of the runs. Self-supervised pretraining after Anatomy-Aware Self-Supervised Learning for Aligned Multi-Modal Medical Data (BMVC 2022). Samples and patients have pseudonyms. For research; not a medical device.`,
  });
}

function shortSection({ inShort }: Study): Markup {
  return html`<ul>${inShort.map(
    ({ before, strong, after }) => html`<li>${before}<b>${strong}</b>${after}</li>
`,
  )}</ul>`;
}

function resultSection({ overview, results, families, notes }: Study): Content {
  if (results.length === 0) return html`<p>Nothing has been judged on labels yet.</p>`;
  return [
    figureGrid(overview),
    ...families.map(familySection),
    html`<p class="notes">Columns of the tables below: a value for each kind of image; − untrained and − thumbnail are what a row adds to the same encoder with random weights and to a linear model on 12×12 pixels, on the same patients; Detectable is the smallest difference to the untrained encoder that so many patients would show in four of five tries, by one test without correction. Mean of folds is the AUC inside each test fold, averaged: it never ranks the scores of two probes against each other, as the value of all test predictions together does. Intervals are over patients; what another pretraining of the same method would change is not in them.</p>`,
    ...results.map(resultsSection),
    notes.length === 0
      ? ''
      : html`<h3>Notes</h3><ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>`,
  ];
}

function curveSection({ curves }: Study): Content {
  if (curves.length === 0) return html`<p>The runs’ curves are not in this folder.</p>`;
  return [
    html`<p>How each loss went while training: strong lines are moving means of the pale ones. Dashed is what guessing, or strangers in place of partners, would have.</p>`,
    figureGrid(curves),
  ];
}

function judgedSection({ judged }: Study): Content {
  if (judged.length === 0) {
    return html`<p>The predictions are not in this folder, so there are no curves of them.</p>`;
  }
  return judged.map(
    ({ name, figures }, i) => html`<h3>${name}</h3>${figureGrid(figures, { readings: i === 0 })}`,
  );
}

function failuresSection({ failures }: Study): Content {
  if (failures.length === 0) return html`<p>The predictions are not in this folder.</p>`;
  return failures.map((one) => html`<h3>${one.name}</h3>${failureSection(one.failures)}`);
}

function paperSection({ paperNotes, results }: Study): Content {
  if (!results.some(({ beside }) => beside?.comparable))
    return html`<p>No row stands beside one of the paper’s.</p>`;
  return [
    html`<p>They stand beside ours in the tables above. They are of other data, most of them private, trained longer; intervals are not given. What is odd about them, by arithmetic on what is printed:</p>`,
    paperNotes.length === 0
      ? html`<p>Nothing that concerns the rows shown.</p>`
      : html`<ul>${paperNotes.map((note) => html`<li>${note}</li>`)}</ul>`,
  ];
}

function paragraphs(texts: readonly string[]): Markup[] {
  return texts.map((text) => html`<p>${text}</p>`);
}

function factList(facts: readonly NamedFact[]): Markup {
  return html`<dl>${facts.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
  )}</dl>`;
}
