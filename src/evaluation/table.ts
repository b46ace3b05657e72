/** An evaluation as Markdown tables that are also aligned for the terminal. */
import { markdownTable } from '../markdownTable.js';
import type { EvaluationResult, EvaluationRow, MetricSummary, RowName } from './result.js';

function protocolTitle({ protocol, preset, settings }: EvaluationResult): string {
  switch (protocol) {
    case 'logreg':
      return 'logistic regression';
    case 'linear':
      return preset === undefined || preset === 'hu'
        ? 'hu-linear (SGD on raw features)'
        : `${preset}-linear (linear layer on augmented images)`;
    case 'knn':
      return 'k nearest neighbours';
    case 'finetune':
      return `finetuning, preset ${preset} (batch norm ${settings.batchNorm === 'frozen' ? 'frozen' : 'trained'})`;
  }
}

export function formatEvaluation(result: EvaluationResult): string {
  const { exposure, bootstrap, patients = [], notes } = result;
  const replicates = bootstrap.replicates.toLocaleString('en');
  const mark = exposure.kind === 'transductive' ? ', *transductive*' : '';
  const sections = [
    `## ${result.run.name} on ${result.data.name}: ${protocolTitle(result)}${mark}`,
    describeData(result),
    `### Mean ± standard deviation over folds${mark}`,
    rowTable(result, result.rows, overFolds),
    paperStyleTable(result),
    `### All folds together, with 95 % interval (${replicates} bootstraps of subjects)${mark}`,
    rowTable(result, result.rows, together),
    minimumDetectable(result),
    ...(result.differences.length === 0
      ? []
      : [`### Differences of AUC, paired over subjects${mark}`, differenceTable(result)]),
    ...patients.flatMap(({ aggregation, subjects, positives, rows }) => [
      `### By patient: ${aggregation} of the probabilities, ${subjects} patients, ${positives} positive${mark}`,
      rowTable(result, rows, together),
    ]),
    notes.map((note) => `- ${note}`).join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function describeData({ data, folds, run, exposure }: EvaluationResult): string {
  const classes = data.classes.map((name, c) => `${name} ${data.samplesPerClass[c]}`).join(', ');
  const judged =
    folds.judged.length === folds.k ? `${folds.k} folds` : `fold ${folds.judged.join(', ')} of ${folds.k}`;
  const source = { run: 'of the run', file: 'from a file', published: 'published', generated: 'drawn' }[
    folds.source
  ];
  return (
    `${data.samples} samples of ${data.subjects} subjects (${classes}); ${judged} by subject, ${source}; ` +
    `encoder ${run.method} (recipe ${run.recipe}), ${run.size}², seed ${run.seed}; ${exposure.kind}.`
  );
}

function overFolds({ mean, std }: MetricSummary): string {
  return Number.isNaN(std) ? number(mean) : `${number(mean)} ± ${number(std)}`;
}

function together({ pooled, low, high }: MetricSummary): string {
  return Number.isNaN(low) ? number(pooled) : `${number(pooled)} [${number(low)}, ${number(high)}]`;
}

function rowTable(
  { metrics, data, exposure }: EvaluationResult,
  rows: readonly (RowName & Pick<EvaluationRow, 'metrics'>)[],
  show: (summary: MetricSummary) => string,
): string {
  return markdownTable(
    ['encoder', 'features', 'images', ...metrics.map((name) => metricTitle(name, data.classes))],
    rows.map((row) => [...rowCells(row, exposure.kind), ...metrics.map((name) => show(row.metrics[name]!))]),
  );
}

/** Apart from the tables that count: nobody should take a number for one of theirs. */
function paperStyleTable({ rows, data, exposure }: EvaluationResult): string {
  const styled = rows.flatMap((row) =>
    row.paperStyle === undefined ? [] : [{ row, style: row.paperStyle }],
  );
  if (styled.length === 0) return '';
  const names = Object.keys(styled[0]!.style.metrics);
  const table = markdownTable(
    ['encoder', 'features', 'images', ...names.map((name) => metricTitle(name, data.classes)), 'epochs'],
    styled.map(({ row, style }) => [
      ...rowCells(row, exposure.kind),
      ...names.map((name) => number(style.metrics[name]!.mean)),
      style.epochs.join(', '),
    ]),
  );
  return `Not a result (${styled[0]!.style.label}); the table above is of the last epoch:\n\n${table}`;
}

function rowCells({ source, features, modalities }: RowName, exposure: string): string[] {
  const marked = source === 'run' && exposure === 'transductive' ? 'run, transductive' : source;
  return [
    source === 'thumbnail' ? 'thumbnail ridge' : marked,
    features === 'pixels' ? '12×12' : features,
    images(modalities),
  ];
}

function images(modalities: readonly string[]): string {
  return modalities.map((name) => (name.length === 1 ? name.toUpperCase() : name)).join('+');
}

/** Says what is binary and of which class, and what is macro: F1 alone means either. */
function metricTitle(name: string, classes: readonly string[]): string {
  const positive = classes[1]!;
  const titles: Readonly<Record<string, string>> = {
    auc: 'AUC',
    macroAuc: 'macro AUC',
    accuracy: 'accuracy',
    f1: `F1 (${positive})`,
    precision: `precision (${positive})`,
    recall: `recall (${positive})`,
    specificity: 'specificity',
    macroF1: 'macro F1',
    macroPrecision: 'macro precision',
    macroRecall: 'macro recall',
  };
  return titles[name] ?? name;
}

function minimumDetectable({ differences }: EvaluationResult): string {
  const against = differences.filter((difference) => difference.against.startsWith('untrained/'));
  if (against.length === 0) return '';
  const values = against.map((difference) => difference.minimumDetectable);
  const [low, high] = [number(Math.min(...values)), number(Math.max(...values))];
  return (
    `Minimum detectable difference of AUC between run and untrained (two-sided 5 %, power 80 %, paired over subjects): ` +
    `${low === high ? low : `${low} to ${high}`}. Smaller differences rank nothing.`
  );
}

function differenceTable({ differences, rows, exposure }: EvaluationResult): string {
  const named = new Map(rows.map((row) => [row.key, row]));
  return markdownTable(
    ['run', 'images', 'against', 'difference [95 % interval]', 'p', 'detectable'],
    differences.map(({ row, against, value, low, high, pValue, minimumDetectable }) => {
      const [, features, shown] = rowCells(named.get(row)!, exposure.kind);
      const other = rowCells(named.get(against)!, exposure.kind)[0]!;
      const interval = `${signed(value)} [${signed(low)}, ${signed(high)}]`;
      return [features!, shown!, other, interval, pValue.toFixed(3), number(minimumDetectable)];
    }),
  );
}

function number(value: number): string {
  return Number.isNaN(value) ? '–' : value.toFixed(3);
}

function signed(value: number): string {
  return value < 0 ? `−${number(-value)}` : `+${number(value)}`;
}
