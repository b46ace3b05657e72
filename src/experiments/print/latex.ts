/** Floating tables that need no package. */

import type { ExperimentTable } from '../table/model.js';
import {
  aboutLines,
  choiceLines,
  closingLines,
  detectable,
  familyTitle,
  judgedLine,
  paperLines,
  setLine,
  smokeLines,
} from './captions.js';
import { besidePaper, familyLayout, type Layout, layOut, title } from './layout.js';

const MARKS = { best: '\\textbf', second: '\\underline' } as const;

/** What is true of all tables stands once before them, as captions are set apart from each other. */
export function latex(table: ExperimentTable): string {
  const about = aboutLines(table, { best: '**bold**', second: 'underlined' });
  const family = familyLayout(table);
  // Nobody should meet such a table without it.
  const smoke = smokeLines(table);
  const floats = [
    ...(family === undefined ? [] : [float(family, [`${familyTitle(table)}.`, ...smoke])]),
    ...table.parts.flatMap((part) => {
      const paper = besidePaper(part);
      const what = part.set === undefined ? judgedLine(table, part) : setLine(table, part);
      const own = [`${title(table, part)}.`, what, detectable(part), ...choiceLines(part), ...smoke];
      return [
        float(layOut(part), own),
        ...(paper === undefined
          ? []
          : [
              float(paper, [
                `${title(table, part)}, beside the paper.`,
                ...paperLines(table, [part]),
                ...smoke,
              ]),
            ]),
      ];
    }),
  ];
  return `${[...[...about, ...closingLines(table)].map(prose), ...floats].join('\n\n')}\n`;
}

function float({ header, rows }: Layout, caption: readonly string[]): string {
  // A bracket at the beginning of a line would be taken for the space that \\\\ may leave.
  const line = (cells: readonly string[]) =>
    `${cells[0]!.startsWith('[') ? '{}' : ''}${cells.join(' & ')} \\\\`;
  const shown = rows.map((cells) =>
    line(
      cells.map(({ value, rest = '', mark }) => {
        const text = latexText(value);
        return `${mark === undefined ? text : `${MARKS[mark]}{${text}}`}${latexText(rest)}`;
      }),
    ),
  );
  return [
    '\\begin{table}',
    `\\caption{${prose(caption.filter((text) => text !== '').join(' '))}}`,
    `\\begin{tabular}{ll${'r'.repeat(header.length - 2)}}`,
    '\\hline',
    line(header.map(latexText)),
    '\\hline',
    ...shown,
    '\\hline',
    '\\end{tabular}',
    '\\end{table}',
  ].join('\n');
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '−': '$-$',
  '±': '$\\pm$',
  '×': '$\\times$',
  '²': '$^2$',
  // The letters of old encodings have other signs in their places.
  '<': '$<$',
  '>': '$>$',
  '—': '---',
  '–': '--',
  '’': "'",
  '…': '\\dots{}',
};

/** Of words with the marks of Markdown. */
function prose(text: string): string {
  return latexText(text)
    .replace(/\*\*(.+?)\*\*/g, '\\textbf{$1}')
    .replace(/\*(.+?)\*/g, '\\emph{$1}');
}

function latexText(text: string): string {
  return text.replace(/[\\~^−±×²—–’…<>]|[&%$#_{}]/g, (found) => LATEX[found] ?? `\\${found}`);
}
