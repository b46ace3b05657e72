/**
 * The style of every page: the letters of the reader's system, one column, and the reader's choice of light or dark.
 */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1a1d21; --soft: #545c67; --line: #d9dde3; --accent: #0b66a0;
  --note: #fff4d6; --note-ink: #5a4300; --bad: #fde4e1; --bad-ink: #7a1b12;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1c2026; --ink: #e6e9ed; --soft: #a3acb8; --line: #343b45; --accent: #6cb6e6;
    --note: #3a2f10; --note-ink: #f3dc9b; --bad: #45201c; --bad-ink: #ffc9c2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
}
* { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
main, header, footer { max-width: 1020px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
footer { padding-top: 24px; padding-bottom: 48px; color: var(--soft); font-size: 14px; border-top: 1px solid var(--line); margin-top: 56px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 22px; margin: 52px 0 12px; letter-spacing: -0.005em; }
h3 { font-size: 17px; margin: 32px 0 8px; }
p { margin: 8px 0; max-width: 74ch; }
.lead { color: var(--soft); margin: 0; font-size: 17px; }
.banner { padding: 10px 14px; border-radius: 6px; background: var(--note); color: var(--note-ink); margin: 20px 0 0; max-width: none; }
.banner.failed { background: var(--bad); color: var(--bad-ink); }
ul { padding-left: 22px; max-width: 78ch; }
li { margin: 5px 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); gap: 14px 32px; margin: 12px 0; }
dt { color: var(--soft); font-size: 13px; }
dd { margin: 0; overflow-wrap: anywhere; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 36px 32px; margin-top: 16px; }
figure { margin: 0; min-width: 0; }
figure h4 { font-size: 15px; margin: 0 0 6px; }
figure svg { width: 100%; max-width: 520px; height: auto; }
figcaption { color: var(--soft); font-size: 14px; line-height: 1.45; margin-top: 6px; max-width: 78ch; }
.scroll {
  overflow-x: auto; margin: 20px 0;
  /* A shadow at an edge says that the table goes on there; the covers scroll with the table and hide it at its end. */
  background:
    linear-gradient(90deg, var(--paper) 30%, transparent) left / 40px 100% no-repeat local,
    linear-gradient(270deg, var(--paper) 30%, transparent) right / 40px 100% no-repeat local,
    linear-gradient(90deg, var(--line), transparent) left / 14px 100% no-repeat scroll,
    linear-gradient(270deg, var(--line), transparent) right / 14px 100% no-repeat scroll;
}
/*
 * Words say it too, at the top of each table that is wider than its box. Only such a box has a scroll timeline, so only
 * there the animation shows them. They go at the last column. A browser without such timelines has the shadow alone.
 */
.scroll::before {
  content: "More columns: scroll sideways \\2192"; display: block; position: sticky; left: 0; width: max-content;
  height: 0; visibility: hidden; color: var(--accent); font-size: 13px;
}
@supports (animation-timeline: scroll()) {
  .scroll::before { animation: more linear both; animation-timeline: scroll(nearest inline); }
}
@keyframes more {
  from, 90% { height: 1.8em; visibility: visible; }
  to { height: 1.8em; visibility: hidden; }
}
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 4px; }
table { border-collapse: collapse; font-size: 14.5px; }
table.numbers { width: 100%; }
caption > span { display: inline-block; position: sticky; left: 0; max-width: min(74ch, calc(100vw - 48px)); }
caption { text-align: left; color: var(--soft); font-size: 14px; padding-bottom: 8px; }
th, td { text-align: left; vertical-align: top; padding: 7px 14px 7px 0; font-weight: 400; }
thead th { color: var(--soft); border-bottom: 1px solid var(--soft); font-size: 13px; vertical-align: bottom; white-space: nowrap; }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr.first:not(:first-child) { border-top: 2px solid var(--soft); }
tr.run th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number, td.number { padding-right: 0; padding-left: 14px; }
.number + :not(.number) { padding-left: 18px; }
table.bracketed :is(th, td) { white-space: normal; }
table.bracketed thead th { min-width: 5.5em; }
.number small { color: var(--soft); font-size: 12.5px; }
.tag { font-size: 12.5px; font-weight: 600; padding: 2px 9px; border-radius: 99px; background: var(--panel); border: 1px solid var(--line); white-space: nowrap; }
.tag.transductive, .tag.unknown { background: var(--note); color: var(--note-ink); border-color: transparent; }
.notes { color: var(--soft); font-size: 14px; }
.shown { display: flex; gap: 4px; }
.failures th, .failures td { padding-right: 18px; }
.failures th.number, .failures td.number { padding-right: 24px; }
.failures .shown img { display: block; width: 96px; height: 96px; object-fit: contain; background: #000; border-radius: 3px; }
.glossary dt { color: var(--ink); font-weight: 600; font-size: 14.5px; }
.glossary dd { color: var(--soft); font-size: 14.5px; }
.pairs th[scope=row] { font-size: 14px; min-width: 110px; padding-right: 18px; }
.pairs th[scope=row] small { color: var(--soft); display: block; }
.pairs tbody tr { border: 0; }
.pairs thead th { border: 0; }
.pairs th, .pairs td { padding-top: 4px; padding-bottom: 4px; padding-right: 8px; }
.pairs img { display: block; width: 160px; height: 160px; image-rendering: pixelated; border-radius: 3px; }
.contents { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; padding: 0; margin: 24px 0 0; font-size: 14.5px; max-width: none; }
a { color: var(--accent); }
table.study thead th { white-space: normal; }
table.study th[scope=row] { min-width: 130px; font-weight: 600; }
table.study tr:not(.run) th[scope=row] { font-weight: 400; }
table.study.bracketed th[scope=row] { min-width: 0; }
/* Five intervals in a row fit the column, even where all ends have signs. */
@media screen and (min-width: 561px) { table.bracketed { font-size: 14px; } }
.best { text-decoration: underline; text-underline-offset: 3px; }
.second { font-style: italic; text-decoration: underline dotted; text-underline-offset: 3px; }
details { margin: 14px 0; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 14px 16px; overflow-x: auto; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; font: 0.92em ui-monospace, "DejaVu Sans Mono", monospace; }
@media (max-width: 560px) {
  table { font-size: 13px; }
  thead th { white-space: normal; }
  th, td { padding-right: 8px; }
  th.number, td.number { padding-left: 8px; }
  table.study th[scope=row] { min-width: 0; }
  main, header, footer { padding-left: 16px; padding-right: 16px; }
  .curves { grid-template-columns: 1fr; }
  .pairs th[scope=row] { min-width: 0; padding-right: 6px; font-size: 12px; }
  .pairs img { width: 17vw; height: 17vw; }
}
@page { margin: 14mm; }
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --panel: #f6f7f9; --ink: #1a1d21; --soft: #454c56; --line: #d9dde3; --accent: #0b66a0;
    --note: #fff4d6; --note-ink: #5a4300; --bad: #fde4e1; --bad-ink: #7a1b12;
  }
  body { font-size: 10pt; }
  main, header, footer { max-width: none; padding-left: 0; padding-right: 0; }
  header { padding-top: 0; }
  h2 { margin-top: 28px; }
  h2, h3, h4, caption { break-after: avoid; break-inside: avoid; }
  figure, tr, dl > div, li { break-inside: avoid; }
  .curves { grid-template-columns: 1fr 1fr; gap: 20px 24px; }
  .scroll { overflow: visible; background: none; }
  .scroll::before { content: none; }
  table { font-size: 7.6pt; }
  th, td { padding: 3px 6px 3px 0; }
  th.number, td.number { padding-left: 6px; }
  thead th { white-space: normal; overflow-wrap: break-word; font-size: 7.5pt; }
  table.study th[scope=row] { min-width: 0; }
  table:has(th:nth-child(12)) :is(th, td, small) { font-size: 6.5pt; padding-right: 0; padding-left: 3px; }
  .number { white-space: normal; }
  .number small { font-size: 7pt; }
  .pairs img { width: 24mm; height: 24mm; }
  pre { white-space: pre-wrap; }
  nav { display: none; }
}
`;
