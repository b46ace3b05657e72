/** What the names in an evaluation mean to a reader. */

import { brief } from '../../text/numbers.js';
import type { EvaluationResult, EvaluationRow } from './evaluationResult.js';

const protocols: Readonly<Record<string, string>> = {
  logreg: 'Logistic regression on frozen features (primary probe)',
  linear: 'Linear probe by SGD',
  finetune: 'Finetuning of the whole encoder',
  knn: 'Nearest neighbours',
};

const sources: Readonly<Record<EvaluationRow['source'], string>> = {
  run: 'Encoder of the run',
  untrained: 'Untrained, calibrated',
  thumbnail: 'Thumbnail ridge, 12×12 pixels',
};

const features: Readonly<Record<string, string>> = { pooled: 'pooled map', head: 'head', pixels: 'pixels' };

const metrics: Readonly<Record<string, string>> = {
  auc: 'AUC',
  accuracy: 'Accuracy',
  f1: 'F1',
  precision: 'Precision',
  recall: 'Sensitivity (recall)',
  specificity: 'Specificity',
  averagePrecision: 'Average precision',
  macroAuc: 'Macro AUC',
  matchedAuc: 'Matched AUC',
  macroAveragePrecision: 'Macro average precision',
  macroF1: 'Macro F1',
  macroPrecision: 'Macro precision',
  macroRecall: 'Balanced accuracy (macro recall)',
  kappa: 'Cohen’s kappa',
  brier: 'Brier score',
  calibrationError: 'Expected calibration error',
  calibrationSlope: 'Calibration slope',
  calibrationIntercept: 'Calibration intercept',
};

const presets: Readonly<Record<string, string>> = { hu: 'as the authors do it (hu)' };

/** `Linear probe by SGD, preset moco, 10 % of the labels` */
export function protocolName({
  protocol,
  preset,
  labels,
  setAside,
}: Pick<EvaluationResult, 'protocol' | 'preset' | 'labels' | 'setAside'>): string {
  // Earlier versions had one preset and did not name it.
  const named = preset ?? (protocol === 'linear' ? 'hu' : undefined);
  return [
    protocols[protocol] ?? protocol,
    ...(named === undefined ? [] : [presets[named] ?? `preset ${named}`]),
    ...(labels === undefined || labels.fraction === 1
      ? []
      : [`${brief(100 * labels.fraction)} % of the labels`]),
    ...(setAside === true ? ['on the samples set aside'] : []),
  ].join(', ');
}

export const sourceName = (source: EvaluationRow['source']): string => sources[source];
export const featuresName = (kind: string): string => features[kind] ?? kind;
export const metricName = (metric: string): string => metrics[metric] ?? metric;
export const modalitiesName = (modalities: readonly string[]): string =>
  modalities.map((name) => (name.length === 1 ? name.toUpperCase() : name)).join(' + ');

/** `Encoder of the run, pooled map, A + B` */
export function rowName(record: EvaluationResult, key: string): string {
  const row = record.rows.find((one) => one.key === key);
  return row === undefined ? key : nameOf(row);
}

export function nameOf({ source, features: kind, modalities }: EvaluationRow): string {
  const parts = [sourceName(source), ...(source === 'thumbnail' ? [] : [featuresName(kind)])];
  return [...parts, modalitiesName(modalities)].join(', ');
}

const shortSources: Readonly<Record<EvaluationRow['source'], string>> = {
  run: 'Run',
  untrained: 'Untrained',
  thumbnail: 'Thumbnail',
};

/** `Run: head, A + B`, for figures. */
export function shortNameOf({ source, features: kind, modalities }: EvaluationRow): string {
  const what = [...(source === 'thumbnail' ? [] : [featuresName(kind)]), modalitiesName(modalities)];
  return `${shortSources[source]}: ${what.join(', ')}`;
}

const exposures: Readonly<Record<EvaluationResult['exposure']['kind'], string>> = {
  transductive:
    'The encoder was pretrained on the very images it is tested on (never on their labels). What it would reach on new patients is not measured here.',
  'in-fold': 'Each encoder was pretrained without the images it is tested on.',
  transfer: 'The encoder was pretrained on other data.',
  unknown:
    'Whether the encoder was pretrained on the tested images is not known: the data of its run is not there.',
  untrained:
    'The encoder was not pretrained here: its weights are random, or came from elsewhere and were taken as they are.',
};

export const exposureMeaning = (kind: EvaluationResult['exposure']['kind']): string => exposures[kind];
