import { resultTable } from '../../evaluation/results/resultTable.js';
import { latexProse, latexTable } from '../../text/table/latex.js';
import type { ExperimentTable } from '../table/model.js';
import {
  aboutLines,
  choiceLines,
  closingLines,
  detectable,
  familyTitle,
  familyWarning,
  fewLine,
  judgedLine,
  paperLines,
  setLine,
  smokeLines,
} from './captions.js';
import { familyTable, paperTable, partTitle } from './tables.js';

/** Floating tables. Sentences that hold for all of them stand once before them. */
export function latex(table: ExperimentTable): string {
  const about = aboutLines(table, { best: '**bold**', second: 'underlined' });
  const { family } = table;
  // Every table of a smoke run says that it is one, as tables are copied one by one.
  const smoke = smokeLines(table);
  const floats = [
    ...(family?.comparisons.length
      ? [{ ...familyTable(family), title: familyTitle(table), notes: [...familyWarning(table), ...smoke] }]
      : []),
    ...table.parts.flatMap((part) => {
      const title = partTitle(table, part);
      const judged = part.set === undefined ? judgedLine(table, part) : setLine(table, part);
      const caption = [fewLine(part), judged].filter((line) => line !== '').join(' ');
      const notes = [detectable(part), ...choiceLines(part), ...smoke];
      const paper = paperTable(part);
      const beside = paper && {
        ...paper,
        title: `${title}, beside the paper`,
        notes: [...paperLines(table, [part]), ...smoke],
      };
      return [
        { ...resultTable(part.images, part.rows), title, caption, notes },
        ...(beside === undefined ? [] : [beside]),
      ];
    }),
  ];
  return `${[...[...about, ...closingLines(table)].map(latexProse), ...floats.map(latexTable)].join('\n\n')}\n`;
}
