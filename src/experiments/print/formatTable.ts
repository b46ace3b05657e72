/** An experiment's table as Markdown, CSV or LaTeX. */

import { formatClaims } from '../../report/judged/claimsTable.js';
import { csv } from '../../text/csv.js';
import { markdownTable } from '../../text/markdownTable.js';
import type { ExperimentTable } from '../table/model.js';
import { namedPairs } from '../table/pairs.js';
import {
  aboutLines,
  choiceLines,
  closingLines,
  detectable,
  familyTitle,
  paperLines,
  setLine,
} from './captions.js';
import { csvLines } from './csvLines.js';
import { latex } from './latex.js';
import { besidePaper, familyLayout, type Layout, layOut, title } from './layout.js';

export const tableFormats = ['markdown', 'csv', 'latex'] as const;
export type TableFormat = (typeof tableFormats)[number];

export function formatTable(table: ExperimentTable, format: TableFormat): string {
  switch (format) {
    case 'markdown':
      return markdown(table);
    case 'csv':
      return csv(csvLines(table));
    case 'latex':
      return latex(table);
  }
}

function markdown(table: ExperimentTable): string {
  const family = familyLayout(table);
  const sections = [
    `# ${table.name} on ${table.data.name}`,
    table.description?.trim() ?? '',
    ...aboutLines(table, { best: '**best**', second: '*second best*' }),
    ...paperLines(table, table.parts),
    ...(family === undefined ? [] : [`## ${familyTitle(table)}`, shown(family)]),
    ...table.parts.flatMap((part) => {
      const paper = besidePaper(part);
      return [
        `## ${title(table, part)}`,
        setLine(table, part),
        shown(layOut(part)),
        detectable(part),
        choiceLines(part).join('\n'),
        ...(paper === undefined ? [] : ['Beside the paper:', shown(paper)]),
      ];
    }),
    ...namedPairs(table).map(({ results }) => formatClaims(results).trim()),
    closingLines(table)
      .map((line) => `- ${line}`)
      .join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function shown({ header, rows }: Layout): string {
  const lines = rows.map((cells) =>
    cells.map(({ value, rest, mark }) => {
      const sign = mark === undefined ? '' : mark === 'best' ? '**' : '*';
      return `${sign}${value}${sign}${rest ?? ''}`;
    }),
  );
  return markdownTable(header, lines);
}
