/**
 * The room `experiments/print` writes an experiment's table as Markdown, CSV or LaTeX; this file chooses the format.
 */

import { formatClaims } from '../../evaluation/results/claimsTable.js';
import { resultTable } from '../../evaluation/results/resultTable.js';
import { csvTable } from '../../text/table/csv.js';
import { markdownTable } from '../../text/table/markdown.js';
import type { ExperimentTable } from '../table/model.js';
import { namedPairs } from '../table/pairs.js';
import {
  aboutLines,
  choiceLines,
  closingLines,
  detectable,
  familyTitle,
  fewLine,
  paperLines,
  setLine,
} from './captions.js';
import { csvLines } from './csvLines.js';
import { latex } from './latex.js';
import { familyTable, paperTable, partTitle } from './tables.js';

export const tableFormats = ['markdown', 'csv', 'latex'] as const;
export type TableFormat = (typeof tableFormats)[number];

export function formatTable(table: ExperimentTable, format: TableFormat): string {
  switch (format) {
    case 'markdown':
      return markdown(table);
    case 'csv':
      return csvTable(csvLines(table));
    case 'latex':
      return latex(table);
  }
}

function markdown(table: ExperimentTable): string {
  const { family } = table;
  const sections = [
    `# ${table.name} on ${table.data.name}`,
    table.description?.trim() ?? '',
    ...aboutLines(table, { best: '**best**', second: '*second best*' }),
    ...paperLines(table, table.parts),
    ...(family?.comparisons.length ? [`## ${familyTitle(table)}`, markdownTable(familyTable(family))] : []),
    ...table.parts.flatMap((part) => {
      const paper = paperTable(part);
      const caption = [fewLine(part), setLine(table, part)].filter((line) => line !== '').join(' ');
      const notes = [detectable(part), choiceLines(part).join('\n')];
      return [
        `## ${partTitle(table, part)}`,
        markdownTable({ ...resultTable(part.images, part.rows), caption, notes }),
        ...(paper === undefined ? [] : [markdownTable({ ...paper, caption: 'Beside the paper:' })]),
      ];
    }),
    ...namedPairs(table).map(({ results }) => formatClaims(results).trim()),
    closingLines(table)
      .map((line) => `- ${line}`)
      .join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}
