/** Floating tables that need no package. */
import { aboutLines, choiceLines, closingLines, detectable, familyTitle } from './captions.js';
import { besidePaper, familyLayout, type Layout, layOut, title } from './layout.js';
import type { ExperimentTable } from './tableTypes.js';

const MARKS = { best: '\\textbf', second: '\\underline' } as const;

export function latex(table: ExperimentTable): string {
  const about = aboutLines(table).map((line) => line.replaceAll('*', ''));
  const closing = closingLines(table);
  const family = familyLayout(table);
  const floats = [
    ...(family === undefined ? [] : [float(family, [`${familyTitle(table)}.`, ...about, ...closing])]),
    ...table.parts.flatMap((part) => {
      const paper = besidePaper(part);
      const own = [`${title(table, part)}.`, detectable(part), ...choiceLines(part), ...about, ...closing];
      return [
        float(layOut(part), own),
        ...(paper === undefined
          ? []
          : [float(paper, [`${title(table, part)}, beside the paper.`, ...closing])]),
      ];
    }),
  ];
  return `${floats.join('\n\n')}\n`;
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
    `\\caption{${latexText(caption.filter((text) => text !== '').join(' '))}}`,
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
  '—': '---',
  '–': '--',
  '’': "'",
  '…': '\\dots{}',
};

function latexText(text: string): string {
  return text.replace(/[\\~^−±×²—–’…]|[&%$#_{}]/g, (found) => LATEX[found] ?? `\\${found}`);
}
