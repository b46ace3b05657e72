/** The results of an experiment in the form that its report shows. */
import { intervalName } from '../../evaluation/results/fewSubjects.js';
import { imagesName, metricHeading, metricName } from '../../evaluation/results/names.js';
import type { StudyFamily, StudyResults } from '../../report/judged/study.js';
import { type Beside, type BesideRow, besideTable } from '../../report/judged/tables.js';
import {
  choiceLines,
  familyTitle,
  familyWarning,
  fewLine,
  judgedLine,
  matchedLines,
} from '../print/captions.js';
import { comparedWith, familyTable, OURS, partTitle } from '../print/tables.js';
import { SHOWN_METRICS } from '../table/entries.js';
import type { ExperimentTable, TableFamily, TablePart, TableRow } from '../table/model.js';

export function studyResults(table: ExperimentTable, part: TablePart): StudyResults {
  const { metric = 'auc', confirmation } = table;
  const { images, rows } = part;
  const seeds = part.seeds ?? table.seeds;
  const widest = images.at(-1) ?? '';
  const percent = percentOf(table);
  const set = confirmation === undefined ? '' : 'Set aside: ';
  const draws = table.protocols.find(({ name }) => name === part.name)?.draws ?? 1;
  const over = [...(seeds.length > 1 ? ['seeds'] : []), ...(draws > 1 ? ['draws of the labels'] : [])];
  const of = over.length > 0 ? `mean over the ${over.join(' and ')}, ± their standard deviation` : 'one seed';
  const few = part.judged?.few;
  const rule =
    few !== undefined
      ? 'No value is marked'
      : part.tested
        ? 'Bold and underlined is the highest value of a column and every one that is not significantly below it (paired over patients, Holm’s correction); italic the same among the others. A help for the eye, in which methods with fewer seeds, or pretrained with labels, take no part'
        : 'Bold and underlined is the highest value of a column, italic the next, whether or not they can be told apart';
  const title = `${set}${partTitle(table, part)}`;
  const beside = rows.map((row) => besideOf(row, widest, metric));
  return {
    title,
    metric: metricHeading(metric),
    caption:
      `${fewLine(part)} ${judgedLine(table, part)} ${matchedLines(table).join('')} ${table.matching === undefined ? `${metricHeading(metric)} of` : 'Over'} all test predictions together, ${of}; in small letters its ${intervalName(few, percent)} over patients. ${rule}.`.trim(),
    images,
    rows,
    few,
    notes: choiceLines(part),
    beside: besideTable(beside, [metric, ...SHOWN_METRICS], { title, images }),
  };
}

function percentOf({ bootstrap }: ExperimentTable): number {
  return Math.round(100 * (bootstrap?.confidence ?? 0.95));
}

/**
 * Sets three numbers beside each other: a row's measurement on the widest images, the paper's, and that of the best
 * test epoch.
 */
function besideOf(row: TableRow, widest: string, metric: string): BesideRow {
  const { name, source, paper, metrics, values, paperStyle } = row;
  const measured: Readonly<Record<string, number | null>> = {
    ...metrics[widest],
    [metric]: values[widest]?.value ?? null,
  };
  const printed = new Map(
    Object.entries(paper?.metrics ?? {}).flatMap(([theirs, percent]) => {
      const ours = OURS[theirs];
      return ours === undefined ? [] : [[ours, percent / 100] as const];
    }),
  );
  const style = paperStyle?.[widest] ?? {};
  if (printed.size === 0 && Object.keys(style).length === 0) return { name, source, beside: {} };
  const shown = new Set([...printed.keys(), ...Object.keys(measured).filter((one) => style[one] != null)]);
  const beside = Object.fromEntries(
    [...shown].map((one): [string, Beside] => [
      one,
      { ours: measured[one] ?? null, paper: printed.get(one), paperStyle: style[one] },
    ]),
  );
  return { name, source, beside };
}

export function studyFamily(table: ExperimentTable, family: TableFamily): StudyFamily {
  const { reference, images, comparisons, missing } = family;
  const confirmed = table.confirmation !== undefined;
  const percent = percentOf(table);
  return {
    ...(confirmed && { on: 'Set aside' }),
    few: family.few,
    comparisons: comparisons.map((one) => ({ ...one, name: `${reference} − ${comparedWith(one)}` })),
    table: {
      ...familyTable(family),
      title: familyTitle(table),
      caption: `${familyWarning(table)
        .map((line) => `${line} `)
        .join(
          '',
        )}${reference} less each of the others in ${metricName(table.metric ?? 'auc')}, ${imagesName(images)}: the comparisons ${confirmed ? 'on the samples that were set aside' : 'that the study was made for'}, named in the experiment’s file. Each ${intervalName(family.few, percent)}, in small letters, is over patients and for its comparison alone; p is two-sided and paired over patients, and what counts is p after Holm’s correction for all comparisons of this table. The last column is the smallest difference that a study of this size finds in four of five tries.`,
      notes: missing.length === 0 ? [] : [`Not compared yet: ${missing.join('; ')}.`],
    },
  };
}
