/**
 * The reader's names for the parts of an evaluation: protocols, metrics, rows, features, modalities and exposure. Every
 * table, page and figure looks its words up here. Words are in lower case, as inside a sentence; `heading` makes a
 * title of them. A name that is not listed stands for itself, as do the kinds of exposure, such as `transductive`,
 * whose meanings are here.
 */

import { brief } from '../../text/numbers.js';
import type { EvaluationResult, EvaluationRow } from './evaluationResult.js';
import { isAny, modalityKey } from './modalitySets.js';

/** Capitalises a name: `macro AUC` → `Macro AUC`. */
export function heading(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const PRIMARY = ' (primary probe)';

/** The protocols with their presets, as experiment files name them. */
const protocols: Readonly<Record<string, string>> = {
  logreg: `logistic regression${PRIMARY}`,
  linear: 'hu-linear (SGD on raw features)',
  'linear hu': 'hu-linear (SGD on raw features)',
  'linear moco': 'linear probe as MoCo’s',
  'linear simclr': 'linear probe as SimCLR’s',
  'linear cmc': 'linear probe as CMC’s',
  'linear solo': 'linear probe as solo-learn’s',
  knn: 'k nearest neighbours',
  finetune: 'finetuning of the whole encoder',
};

/** Names a protocol of an experiment file: `logreg labels 0.1` → `logistic regression, 10 % of the training labels`. */
export function protocolName(name: string): string {
  const [, base = name, share] = /^(.+?) labels ([\d.]+)$/.exec(name) ?? [];
  const preset = /^finetune (.+)$/.exec(base)?.[1];
  const known = preset === undefined ? (protocols[base] ?? base) : `${protocols.finetune} (preset ${preset})`;
  if (share === undefined) return known;
  return `${known.replace(PRIMARY, '')}, ${brief(100 * Number(share))} % of the training labels`;
}

/** Names the protocol of an evaluation, as in `linear probe as MoCo’s, 10 % of the training labels`. */
export function protocolOf({
  protocol,
  preset,
  labels,
  setAside,
}: Pick<EvaluationResult, 'protocol' | 'preset'> &
  Partial<
    Pick<EvaluationResult, 'setAside'> & { labels: Pick<EvaluationResult['labels'], 'fraction'> }
  >): string {
  const base = preset === undefined ? protocol : `${protocol} ${preset}`;
  const few = labels === undefined || labels.fraction === 1 ? '' : ` labels ${labels.fraction}`;
  return `${protocolName(base + few)}${setAside === true ? ', on the samples set aside' : ''}`;
}

interface MetricWords {
  readonly name: string;
  /** Whether the metric is of one class against the other, so that the class has to be named. */
  readonly ofPositive?: boolean;
  /** A sentence for readers who are no engineers. */
  readonly meaning?: string;
}

const metrics: Readonly<Record<string, MetricWords>> = {
  auc: {
    name: 'AUC',
    meaning:
      'The chance that of a positive and a negative image the positive one gets the higher score: 0.5 is guessing, 1 is perfect.',
  },
  macroAuc: { name: 'macro AUC' },
  matchedAuc: { name: 'matched AUC' },
  accuracy: { name: 'accuracy' },
  f1: {
    name: 'F1',
    ofPositive: true,
    meaning: 'One number from precision and recall, their harmonic mean.',
  },
  precision: {
    name: 'precision',
    ofPositive: true,
    meaning: 'The share of those called positive that are.',
  },
  recall: {
    name: 'sensitivity = recall',
    ofPositive: true,
    meaning: 'The share of positives that are called positive.',
  },
  specificity: { name: 'specificity', meaning: 'The share of negatives that are called negative.' },
  averagePrecision: { name: 'average precision', ofPositive: true },
  macroAveragePrecision: { name: 'macro average precision' },
  macroF1: { name: 'macro F1' },
  macroPrecision: { name: 'macro precision' },
  macroRecall: { name: 'balanced accuracy = macro recall' },
  kappa: { name: 'Cohen’s kappa' },
  brier: { name: 'Brier score' },
  calibrationError: { name: 'expected calibration error (10 bins)' },
  calibrationSlope: { name: 'calibration slope' },
  calibrationIntercept: { name: 'calibration intercept' },
};

export const metricName = (metric: string): string => metrics[metric]?.name ?? metric;
export const metricHeading = (metric: string): string => heading(metricName(metric));
/** A sentence on a metric; undefined for a metric that has none. */
export const metricMeaning = (metric: string): string | undefined => metrics[metric]?.meaning;

/** Names a metric with its class, as in `F1 (malignant)`. F1 alone may be that of a class or the mean over all. */
export function metricOfClasses(metric: string, classes: readonly string[]): string {
  const name = metricName(metric);
  if (metric === 'brier' && classes.length > 2) return `${name} (sum over classes)`;
  return metrics[metric]?.ofPositive ? `${name} (${classes[1]})` : name;
}

/** Names sets of images: `a+b` → `A+B`. Longer names stay as they are. */
export function imagesName(images: string): string {
  return images
    .split('+')
    .map((name) => (name.length === 1 ? name.toUpperCase() : name))
    .join('+');
}

/** Names a list of modalities: `['a', 'b']` → `A+B`. */
export const modalitiesName = (modalities: readonly string[]): string => imagesName(modalityKey(modalities));

/**
 * Names a list of modalities for a sentence, where `any` says of which: `any of A, B, C`.
 * @param all all modalities of the data
 */
export const modalitiesMeaning = (modalities: readonly string[], all: readonly string[]): string =>
  isAny(modalities) ? `any of ${all.map(imagesName).join(', ')}` : modalitiesName(modalities);

/** Samples and subjects, of a row or of all. */
export interface Counts {
  /** Absent where patients are judged as a whole. */
  readonly samples?: number;
  readonly subjects: number;
}

/** Says on how many samples and subjects a row is judged: `80 (40)`, or `40 of 45` by patient. */
export function judgedCounts({ judgedOn }: { readonly judgedOn?: Counts }, all: Counts): string {
  const subjects = judgedOn?.subjects ?? all.subjects;
  return all.samples === undefined
    ? `${subjects} of ${all.subjects}`
    : `${judgedOn?.samples ?? all.samples} (${subjects})`;
}

/** The header of a column of {@link judgedCounts}. */
export const countsHeader = ({ samples }: Counts): string =>
  samples === undefined ? 'subjects' : 'samples (subjects)';

/** Counts the images of each modality: `A 48, B 24`. */
export const imageCounts = (images: Readonly<Record<string, number>>): string =>
  Object.entries(images)
    .map(([modality, count]) => `${imagesName(modality)} ${count}`)
    .join(', ');

interface Words {
  /** The full name, which is clear anywhere. */
  readonly name: string;
  /** The short name, for legends and for cells of a column whose header says the rest. */
  readonly short: string;
}

/** The origin of a row's features. `pixels` are the baseline of measures on pairs. */
export type Source = EvaluationRow['source'] | 'pixels';

const sources: Readonly<Record<Source, Words>> = {
  run: { name: 'encoder of the run', short: 'run' },
  untrained: { name: 'untrained, calibrated', short: 'untrained' },
  thumbnail: { name: 'thumbnail ridge, 12×12', short: 'thumbnail' },
  pixels: { name: 'pixels', short: 'pixels' },
};

export const sourceName = (source: Source): string => sources[source].name;
export const shortSource = (source: Source): string => sources[source].short;

/** The baselines that every encoder is compared with, in the order of tables. */
export const BASELINES = ['untrained', 'thumbnail'] as const;
export type Baseline = (typeof BASELINES)[number];

/** The name of a baseline inside a sentence such as `higher than …`. */
export const baselineMeaning: Readonly<Record<Baseline, string>> = {
  untrained: 'the same encoder untrained',
  thumbnail: 'a 12×12 thumbnail of the images',
};

const features: Readonly<Record<string, Words>> = {
  chosen: { name: 'features chosen by inner folds', short: 'chosen' },
  pooled: { name: 'pooled features', short: 'pooled' },
  head: { name: 'head features', short: 'head' },
  maps: { name: 'features of the last three maps', short: 'last three maps' },
  pixels: { name: '12×12 pixels', short: '12×12' },
  thumbnail: { name: '12×12 thumbnails', short: '12×12' },
  'patch-mean': { name: 'means of patches', short: 'means' },
  'patch-pixels': { name: 'pixels of patches', short: 'pixels' },
};

/** Names a kind of features: `pooled` → `pooled features`, `map3` → `map 3`. */
export const featuresName = (kind: string): string =>
  features[kind]?.name ?? kind.replace(/^map(\d)$/, 'map $1');
export const shortFeatures = (kind: string): string => features[kind]?.short ?? featuresName(kind);

/** Names a row, as in `encoder of the run, pooled features, A+B`. */
export function rowName({ source, features: kind, modalities }: EvaluationRow): string {
  const of = source === 'thumbnail' ? [] : [featuresName(kind)];
  return [sourceName(source), ...of, modalitiesName(modalities)].join(', ');
}

/** Names a row in a figure, as in `run: head, A+B`. */
export function shortRowName({ source, features: kind, modalities }: EvaluationRow): string {
  const of = source === 'thumbnail' ? [] : [shortFeatures(kind)];
  return `${shortSource(source)}: ${[...of, modalitiesName(modalities)].join(', ')}`;
}

type Exposure = EvaluationResult['exposure']['kind'];

interface ExposureWords {
  /** The images that the encoder saw, as part of a sentence. */
  readonly name: string;
  /** An explanation for readers who meet the name for the first time. */
  readonly meaning: string;
}

const exposures: Readonly<Record<Exposure, ExposureWords>> = {
  transductive: {
    name: 'pretrained on the very images it is tested on, never on their labels',
    meaning:
      'The encoder was pretrained on the very images it is tested on (never on their labels). What it would reach on new patients is not measured here.',
  },
  'in-fold': {
    name: 'each encoder pretrained without the images it is tested on',
    meaning: 'Each encoder was pretrained without the images it is tested on.',
  },
  transfer: { name: 'pretrained on other data', meaning: 'The encoder was pretrained on other data.' },
  unknown: {
    name: 'whether the tested images were seen in pretraining is not known',
    meaning:
      'Whether the encoder was pretrained on the tested images is not known: the data of its run is not there.',
  },
  untrained: {
    name: 'not pretrained here: weights are random, or from elsewhere and taken as they are',
    meaning:
      'The encoder was not pretrained here: its weights are random, or came from elsewhere and were taken as they are.',
  },
};

export const exposureName = (kind: string): string => exposures[kind as Exposure]?.name ?? kind;
export const exposureMeaning = (kind: Exposure): string => exposures[kind].meaning;
