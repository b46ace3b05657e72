/** Tables of an experiment as its report shows them. */
import { metricName, modalitiesName } from '../../evaluation/results/names.js';
import type { Beside, StudyFamily, StudyRow, StudyTable } from '../../report/judged/study.js';
import { choiceLines, familyTitle, judgedLine, matchedLines } from '../print/captions.js';
import { comparedWith, title } from '../print/layout.js';
import type { ExperimentTable, TableFamily, TablePart, TableRow } from '../table/model.js';

/** The paper’s metrics by the names of ours. */
const OURS: Readonly<Record<string, string>> = {
  AUC: 'auc',
  accuracy: 'accuracy',
  F1: 'f1',
  precision: 'precision',
};

export function studyTable(table: ExperimentTable, part: TablePart): StudyTable {
  const { metric = 'auc', bootstrap, confirmation } = table;
  const seeds = part.seeds ?? table.seeds;
  const widest = part.images.at(-1) ?? '';
  const percent = Math.round(100 * (bootstrap?.confidence ?? 0.95));
  const set = confirmation === undefined ? '' : 'Set aside: ';
  const draws = table.protocols.find(({ name }) => name === part.name)?.draws ?? 1;
  const over = [...(seeds.length > 1 ? ['seeds'] : []), ...(draws > 1 ? ['draws of the labels'] : [])];
  const of = over.length > 0 ? `mean over the ${over.join(' and ')}, ± their standard deviation` : 'one seed';
  const rule = part.tested
    ? 'Bold and underlined is the highest value of a column and every one that is not significantly below it (paired over patients, Holm’s correction); italic the same among the others. A help for the eye, in which methods with fewer seeds, or pretrained with labels, take no part'
    : 'Bold and underlined is the highest value of a column, italic the next, whether or not they can be told apart';
  return {
    title: `${set}${title(table, part)}`,
    metric: metricName(metric),
    caption:
      `${judgedLine(table, part)} ${matchedLines(table).join('')} ${table.matching === undefined ? `${metricName(metric)} of` : 'Over'} all test predictions together, ${of}; in small letters its ${percent} % interval over patients. ${rule}.`.trim(),
    images: part.images,
    rows: part.rows.map((row) => studyRow(row, widest, metric)),
    besideMetrics: [metric, 'accuracy', 'f1', 'precision'],
    notes: choiceLines(part),
  };
}

function studyRow(row: TableRow, widest: string, metric: string): StudyRow {
  const { name, source, exposure, values, marks, against } = row;
  const { [widest]: untrained } = against.untrained;
  const { [widest]: thumbnail } = against.thumbnail;
  return {
    name,
    source,
    exposure,
    values: Object.fromEntries(
      Object.entries(values).map(([images, value]) => [images, { ...value, mark: marks[images] }]),
    ),
    foldMean: values[widest]?.foldMean,
    against: { ...(untrained && { untrained }), ...(thumbnail && { thumbnail }) },
    beside: besideOf(row, widest, metric),
  };
}

function besideOf({ paper, metrics, values, paperStyle }: TableRow, widest: string, metric: string) {
  const measured: Readonly<Record<string, number | null>> = {
    ...metrics[widest],
    [metric]: values[widest]?.value ?? null,
  };
  const printed = new Map(
    Object.entries(paper?.metrics ?? {}).flatMap(([name, percent]) => {
      const ours = OURS[name];
      return ours === undefined ? [] : [[ours, percent / 100] as const];
    }),
  );
  const style = paperStyle?.[widest] ?? {};
  if (printed.size === 0 && Object.keys(style).length === 0) return {};
  const names = [
    ...new Set([...printed.keys(), ...Object.keys(measured).filter((name) => style[name] != null)]),
  ];
  return Object.fromEntries(
    names.map((name): [string, Beside] => [
      name,
      { ours: measured[name] ?? null, paper: printed.get(name), paperStyle: style[name] },
    ]),
  );
}

export function studyFamily(table: ExperimentTable, family: TableFamily): StudyFamily {
  const { reference, images, comparisons, missing } = family;
  const confirmed = table.confirmation !== undefined;
  return {
    title: familyTitle(table),
    ...(confirmed && { on: 'Set aside' }),
    caption: `${reference} less each of the others in ${metricName(table.metric ?? 'auc')}, ${modalitiesName(images.split('+'))}: the comparisons ${confirmed ? 'on the samples that were set aside' : 'that the study was made for'}, named in the experiment’s file. Each interval is over patients and for its comparison alone; p is two-sided and paired over patients, and what counts is p after Holm’s correction for all comparisons of this table. The last column is the smallest difference that a study of this size finds in four of five tries.`,
    comparisons: comparisons.map(({ against, seeds, ...found }) => ({
      name: `${reference} − ${comparedWith({ against, seeds })}`,
      ...found,
    })),
    missing,
  };
}
