import { expect, test } from 'vitest';
import { standaloneSvg, svgToPng } from '../../src/report/figures/figure.js';
import { forestPlot } from '../../src/report/figures/forestPlot.js';
import { html, printable } from '../../src/text/markup.js';

/** What a name from a file may hold: markup, colours of a terminal, marks of direction, half a letter. */
const NASTY = '<script>alert("1")</script> & \u001b[31mred\u001b[0m \u202egnp.\ud800 \u0000end';

const UNSHOWN = ['\u0000', '\u001b', '\u202e'];

test('a text from a file is escaped on a page, in content and in attributes', () => {
  const page = html`<p title="${NASTY}">${NASTY}</p>`.toString();
  expect(page).toContain(
    '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; \ufffd[31mred\ufffd[0m \ufffdgnp.',
  );
  for (const part of [...UNSHOWN, '<script']) expect(page).not.toContain(part);
});

test('letters of all languages, line breaks and whole pairs of surrogates stay', () => {
  const kept = 'Läsion\t病変\n🩻 אבחנה\u200f';
  expect(printable(kept)).toBe(kept);
});

test('a figure with such a name can be drawn, as SVG and as PNG', async () => {
  const words = { title: NASTY, of: NASTY, reading: NASTY, label: NASTY };
  const row = { name: NASTY, value: 0.5, low: 0.4, high: 0.6 };
  const figure = forestPlot([row], { id: 'x', ...words, reference: { level: 0.5, name: NASTY } })!;
  const svg = standaloneSvg(figure);
  for (const part of [...UNSHOWN, '<script']) expect(svg).not.toContain(part);
  expect((await svgToPng(svg)).length).toBeGreaterThan(1000);
});
