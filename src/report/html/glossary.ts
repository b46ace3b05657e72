/** The glossary of a report: each term in a sentence, for a reader who is no engineer. */
import { metricHeading, metricMeaning } from '../../evaluation/results/names.js';
import { html, type Markup } from '../../text/markup.js';

const TERMS: readonly (readonly [term: string, meaning: string])[] = [
  [
    'Pair, A and B',
    'Two images of the same place in the same patient by two techniques, on the same pixel grid.',
  ],
  [
    'Pretraining without labels',
    'The network learns from pairs alone what images have in common; no diagnosis is shown to it.',
  ],
  ['Encoder, features', 'The trained network, and the list of numbers into which it turns an image.'],
  [
    'Probe',
    'A simple classifier that predicts the diagnosis from the features alone, and so measures what they hold.',
  ],
  ['Finetuning', 'The whole encoder is trained on with labels, not only a classifier on top of it.'],
  [
    'Fold, cross-validation',
    'Patients are divided into groups; each is tested once with what was learned from the others.',
  ],
  [
    'Transductive',
    'The encoder has seen the test images in pretraining, without their labels; on new patients it may do worse.',
  ],
  [
    'In-fold, transfer',
    'In-fold: each encoder was pretrained without the images that it is tested on. Transfer: it was pretrained on other data altogether.',
  ],
  [
    'Set aside, confirmatory',
    'Patients that nothing was learned or chosen from, judged once at the end; the other results may have guided choices, these did not.',
  ],
  [
    'Untrained, thumbnail',
    'What must be beaten: the same network with random weights, and a linear model on the image shrunk to 12×12 pixels.',
  ],
  ...['auc', 'recall', 'specificity', 'precision', 'f1'].map(
    (metric) => [metricHeading(metric), metricMeaning(metric) ?? ''] as const,
  ),
  [
    'Calibration',
    'Whether of all images called 30 % likely positive, 30 % are; a slope of 1 and an intercept of 0 are ideal.',
  ],
  [
    '95 % interval',
    'Found by drawing the patients anew many times. Of 100 studies like this one, about 95 have intervals that hold the true value; it says nothing of single patients.',
  ],
  [
    'p, Holm',
    'How often a difference at least this large would be seen if there were none; below 0.05 counts as shown here. Holm’s correction makes up for several questions asked at once.',
  ],
  [
    'Detectable difference',
    'The smallest true difference that a study of this size would find in four of five tries, by one test without correction; smaller ones are found less often, so that finding none shows little.',
  ],
  [
    'Best test epoch',
    'The result at the moment that happened to suit the test patients best. It is too good, and shown only because some papers report it.',
  ],
  ['Seed', 'The number from which all chance is drawn: another seed is another run of the same study.'],
];

export function glossary(): Markup {
  return html`<dl class="glossary">${TERMS.map(
    ([term, meaning]) => html`<div><dt>${term}</dt><dd>${meaning}</dd></div>
`,
  )}</dl>`;
}
