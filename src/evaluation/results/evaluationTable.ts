/** An evaluation as Markdown tables that are also aligned for the terminal. */

import { markdownTable } from '../../text/markdownTable.js';
import { fixed, probability, signed } from '../../text/numbers.js';
import type { EvaluationResult, EvaluationRow, MetricSummary, RowName } from './evaluationResult.js';
import { excludedValueNote } from './excludedValue.js';

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
    default:
      return protocol;
  }
}

/** Metrics that fit beside a row's name; the others are in the JSON. */
const COLUMNS = 6;

export function formatEvaluation(result: EvaluationResult): string {
  const { exposure, bootstrap, patients = [], notes } = result;
  const replicates = bootstrap.replicates.toLocaleString('en');
  const mark = exposure.kind === 'transductive' ? ', *transductive*' : '';
  const sections = [
    `## ${result.run.name} on ${result.data.name}: ${protocolTitle(result)}${mark}`,
    describeData(result),
    `### \`mean\`: each fold by itself, mean ± standard deviation over folds [95 % interval of the mean]${mark}`,
    rowTable(result, result.rows, overFolds),
    paperStyleTable(result),
    `### \`pooled\`: all folds together, with 95 % interval (${replicates} bootstraps of subjects)${mark}`,
    rowTable(result, result.rows, together),
    furtherMetrics(result),
    minimumDetectable(result),
    differenceTitle(result, mark),
    differenceTable(result),
    ...patients.flatMap(({ aggregation, subjects, positives, rows }) => [
      `### By patient: ${aggregation} of the probabilities, ${subjects} patients, ${positives} positive${mark}`,
      rowTable(result, rows, together),
    ]),
    [...notes, ...exclusions(result)].map((note) => `- ${note}`).join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

const FOLD_SOURCES = { run: 'of the run', file: 'from a file', published: 'published', generated: 'drawn' };

function describeData({ data, folds, labels, run, exposure }: EvaluationResult): string {
  const classes = data.classes.map((name, c) => `${name} ${data.samplesPerClass[c]}`).join(', ');
  const numbered =
    folds.judged.length === folds.k ? `${folds.k} folds` : `fold ${folds.judged.join(', ')} of ${folds.k}`;
  // What the encoder met in its pretraining was set aside for the probe alone.
  const until = exposure.seenTestSamples > 0 || exposure.kind === 'unknown' ? '' : ' until now';
  const judged =
    folds.source === 'set-aside'
      ? `set aside${until}, judged by what the probe learns from all others`
      : `${numbered} by subject, ${FOLD_SOURCES[folds.source]}`;
  const learned =
    labels.fraction < 1
      ? `; ${percent(labels.fraction)} of the labels: ${range(labels.samples)} samples of ${range(labels.subjects)} subjects to learn from`
      : '';
  return (
    `${data.samples} samples of ${data.subjects} subjects (${classes}); ${judged}${learned}; ` +
    `encoder ${run.method} (recipe ${run.recipe}), ${run.size}², seed ${run.seed}; ${exposure.kind}.`
  );
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** `112` or `110 to 113` */
function range(numbers: readonly number[]): string {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least === most ? `${least}` : `${least} to ${most}`;
}

function overFolds({ mean, std, meanLow, meanHigh }: MetricSummary, first: boolean): string {
  const value = Number.isNaN(std) ? fixed(mean) : `${fixed(mean)} ± ${fixed(std)}`;
  return first && !Number.isNaN(meanLow) ? `${value} [${fixed(meanLow)}, ${fixed(meanHigh)}]` : value;
}

function together({ pooled, low, high }: MetricSummary): string {
  return Number.isNaN(low) ? fixed(pooled) : `${fixed(pooled)} [${fixed(low)}, ${fixed(high)}]`;
}

/** Of the intervals in the tables. */
function exclusions({ metrics, data, rows, patients = [] }: EvaluationResult): string[] {
  const together = [...rows, ...patients.flatMap((one) => one.rows)].flatMap((row) =>
    metrics.slice(0, COLUMNS).map((name) => {
      const { pooled, low, high } = row.metrics[name]!;
      return { name: metricTitle(name, data.classes), value: pooled, low, high };
    }),
  );
  const overFolds = rows.map((row) => {
    const { mean, meanLow, meanHigh } = row.metrics[metrics[0]!]!;
    return {
      name: `the mean of ${metricTitle(metrics[0]!, data.classes)}`,
      value: mean,
      low: meanLow,
      high: meanHigh,
    };
  });
  const note = excludedValueNote([...overFolds, ...together]);
  return note === '' ? [] : [note];
}

function rowTable(
  { metrics, data, exposure }: EvaluationResult,
  rows: readonly (RowName & Pick<EvaluationRow, 'metrics'>)[],
  show: (summary: MetricSummary, first: boolean) => string,
): string {
  const shown = metrics.slice(0, COLUMNS);
  return markdownTable(
    ['encoder', 'features', 'images', ...shown.map((name) => metricTitle(name, data.classes))],
    rows.map((row) => [
      ...rowCells(row, exposure.kind),
      ...shown.map((name, i) => show(row.metrics[name]!, i === 0)),
    ]),
  );
}

function furtherMetrics({ metrics, data }: EvaluationResult): string {
  const further = metrics.slice(COLUMNS).map((name) => metricTitle(name, data.classes));
  const rule =
    data.classes.length === 2 ? `${data.classes[1]} is called above ½` : 'the most probable class is called';
  return further.length === 0
    ? ''
    : `Where a decision is needed, ${rule}. In the JSON too: ${further.join(', ')}.`;
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
      ...names.map((name) => fixed(style.metrics[name]!.mean)),
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
    recall: `sensitivity = recall (${positive})`,
    specificity: 'specificity',
    averagePrecision: `average precision (${positive})`,
    macroAveragePrecision: 'macro average precision',
    macroF1: 'macro F1',
    macroPrecision: 'macro precision',
    macroRecall: 'balanced accuracy = macro recall',
    kappa: 'Cohen’s kappa',
    brier: classes.length === 2 ? 'Brier score' : 'Brier score (sum over classes)',
    calibrationError: 'expected calibration error (10 bins)',
    calibrationSlope: 'calibration slope',
    calibrationIntercept: 'calibration intercept',
  };
  return titles[name] ?? name;
}

function minimumDetectable({ differences }: EvaluationResult): string {
  const against = differences.filter((difference) => difference.against.startsWith('untrained/'));
  if (against.length === 0) return '';
  const values = against.map((difference) => difference.minimumDetectable ?? Number.NaN);
  const [low, high] = [fixed(Math.min(...values)), fixed(Math.max(...values))];
  return (
    `Minimum detectable difference of AUC between run and untrained (two-sided 5 %, power 80 %, paired over subjects): ` +
    `${low === high ? low : `${low} to ${high}`}. A true difference of that size is found four times of five by one test; a smaller one may be found, or not.`
  );
}

/** Names the family that p-values are adjusted in. */
function differenceTitle({ differences }: EvaluationResult, mark: string): string {
  if (differences.length === 0) return '';
  return `### Differences of pooled AUC, paired over subjects; Holm over all ${differences.length} of them${mark}`;
}

function differenceTable({ differences, rows, exposure }: EvaluationResult): string {
  if (differences.length === 0) return '';
  const named = new Map(rows.map((row) => [row.key, row]));
  return markdownTable(
    ['run', 'images', 'against', 'difference [95 % interval]', 'p', 'p, Holm', 'p, DeLong', 'detectable'],
    differences.map(({ row, against, value, low, high, pValue, holm, deLong, minimumDetectable }) => {
      const [, features, shown] = rowCells(named.get(row)!, exposure.kind);
      const other = rowCells(named.get(against)!, exposure.kind)[0]!;
      const interval = `${signed(value)} [${signed(low)}, ${signed(high)}]`;
      const tests = [pValue, holm, deLong?.pValue ?? null].map(probability);
      return [features!, shown!, other, interval, ...tests, fixed(minimumDetectable)];
    }),
  );
}
