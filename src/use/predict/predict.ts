/** `anatomy predict`: what a fitted model says of new images. */
import { ImageLoader } from '../../data/loading/loader.js';
import { openDataset } from '../../data/openDataset.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { DataError, UsageError } from '../../errors.js';
import type { JudgedDataSpec } from '../../evaluation/encoders/judgedData.js';
import { subjectsPerClass, tooFew } from '../../evaluation/results/fewSubjects.js';
import { isAny, modalitiesIn, modalityKey } from '../../evaluation/results/modalitySets.js';
import { resampledAuc } from '../../evaluation/summary/rowMetrics.js';
import { makeFolderOf, refuseToReplace, writeFileAtomic } from '../../files.js';
import { MessageConsole } from '../../log/console.js';
import { bootstrapInterval } from '../../metrics/bootstrap.js';
import { withTemperature } from '../../metrics/calibration/temperature.js';
import { predictedClasses } from '../../metrics/classification.js';
import type { Features } from '../../metrics/features/features.js';
import { csv } from '../../text/csv.js';
import { openImages } from '../../training/imageCache.js';
import { type Precision, resolveDevice, resolvePrecision } from '../../training/precision.js';
import { collectFeatures } from '../embed/featureStream.js';
import { askProbe } from '../fit/fitProbe.js';
import {
  disposeModel,
  encoderOf,
  loadModel,
  type ModelDescription,
  type PredictionModel,
} from '../fit/modelFile.js';
import { shareNearer, USUAL } from '../fit/unusual.js';

export interface PredictOptions {
  /** The file of a model that `fit` wrote. */
  readonly model: string;
  /** The images; labels are not needed. */
  readonly data?: JudgedDataSpec;
  /** The CSV file to write. A second one beside it has a line for each subject, where some have several samples. */
  readonly out: string;
  readonly device?: string;
  readonly precision?: 'auto' | Precision;
  readonly overwrite?: boolean;
  readonly console?: MessageConsole;
  readonly cacheFolder?: string;
}

/** What a model says of a sample. */
export interface Prediction {
  readonly sample: Sample;
  /** The modalities that were looked at. */
  readonly seen: readonly string[];
  /** The calibrated probability of each class; absent where an image is missing that the model needs. */
  readonly probabilities?: readonly number[];
  /** The class that is called; absent without probabilities. */
  readonly called?: string;
  /** The share of held-out samples that were nearer to the samples that the model learned from, 0 … 1. */
  readonly distance?: number;
  /** Whether the sample is farther than 99 % of them. */
  readonly unusual: boolean;
  /** Why there is no prediction. */
  readonly note?: string;
}

/** What a model says of a subject: the mean over its samples. */
export interface SubjectPrediction {
  readonly subject: string;
  readonly samples: number;
  readonly probabilities: readonly number[];
  readonly called: string;
  /** The number of its samples that are unusual. */
  readonly unusual: number;
}

/** The AUC by the labels of the new samples, with its interval over subjects. */
export interface LabelledAuc {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** What is too few for an interval of 95 %, such as `3 subjects`; absent where there are enough. */
  readonly few?: string;
}

export interface Predictions {
  readonly description: ModelDescription;
  readonly dataset: Dataset;
  readonly samples: readonly Prediction[];
  /** Empty where every subject has one sample. */
  readonly subjects: readonly SubjectPrediction[];
  /** The AUC on the new samples, where all classes occur among their labels. */
  readonly auc?: LabelledAuc;
  readonly files: readonly string[];
}

/**
 * Writes the class probabilities of all samples as CSV.
 *
 * @throws UsageError when an option does not fit, DataError when model, data and images do not; nothing is written then
 */
export async function predict(options: PredictOptions): Promise<Predictions> {
  const { out, overwrite = false, console = new MessageConsole({ quiet: true }) } = options;
  const bySubject = out.replace(/(\.csv)?$/i, '.subjects.csv');
  refuseToReplace([out, bySubject], out, overwrite);
  const device = resolveDevice(options.device ?? 'auto');
  const model = loadModel(options.model, device);
  try {
    const { description } = model;
    const stored = description.precision === 'fp16' && device === 'cpu' ? 'auto' : description.precision;
    const precision = resolvePrecision(options.precision ?? stored, device);
    const dataset = await openNewData(options.data, model, options.model, console);
    const rows = await featuresOf(model, dataset, { ...options, console, device, precision });
    const samples = answers(model, dataset, rows);
    const subjects = subjectsOf(samples, description);
    const files = [out];
    makeFolderOf(out);
    writeFileAtomic(out, samplesCsv(samples, description));
    if (subjects.length > 0) {
      writeFileAtomic(bySubject, subjectsCsv(subjects, description));
      files.push(bySubject);
    }
    return { description, dataset, samples, subjects, auc: aucOf(samples, description), files };
  } finally {
    disposeModel(model);
  }
}

/** Opens the data with the preprocessing that the model was fitted with, unless the data names its own. */
async function openNewData(
  { complete: _, ...asked }: JudgedDataSpec = {},
  { description }: PredictionModel,
  file: string,
  console: MessageConsole,
): Promise<Dataset> {
  if (asked.path === undefined && asked.folders === undefined) {
    throw new UsageError('predict needs the new images; name them with --data');
  }
  const { preprocess: defaultPreprocess } = description.encoder.input;
  const spec = { defaultPreprocess, ...asked };
  const dataset = await openDataset(spec, { onWarning: (message) => console.warn(message) });
  const needed = isAny(description.images) ? description.encoders.flat() : description.images;
  const missing = needed.filter((modality) => !dataset.modalities.includes(modality));
  const none = isAny(description.images) ? missing.length === needed.length : missing.length > 0;
  if (none) {
    throw new DataError(
      `${dataset.name}: has the modalities ${dataset.modalities.join(', ')}, but ${file} was fitted on ${needed.join(', ')}${isAny(description.images) ? ', any of them' : ''}; name them as there, with --modalities or --data NAME=FOLDER, or fit a model on what there is with anatomy fit --images`,
    );
  }
  return dataset;
}

interface Rows {
  readonly features: Features;
  /** The samples of these rows, by their place in the data. */
  readonly places: readonly number[];
}

/** The features of all samples that have an image of the model's set. */
async function featuresOf(
  model: PredictionModel,
  dataset: Dataset,
  options: Pick<PredictOptions, 'cacheFolder'> & {
    readonly console: MessageConsole;
    readonly device: ReturnType<typeof resolveDevice>;
    readonly precision: Precision;
  },
): Promise<Rows> {
  const { description } = model;
  const { console, device, precision, cacheFolder } = options;
  const { size, cacheSize, normalize } = description.encoder.input;
  const known = description.encoders.flat();
  const modalities = dataset.modalities.filter((modality) => known.includes(modality));
  const set = description.images;
  const places = dataset.samples.flatMap((sample, place) =>
    missingImages(sample, set, modalities).length === 0 ? [place] : [],
  );
  if (places.length === 0) {
    throw new DataError(
      `${dataset.name}: no sample has ${isAny(set) ? 'an image' : `all images`} of ${modalitiesIn(set, known).join(', ')}, so there is nothing to predict`,
    );
  }
  const cache = await openImages(dataset, { data: { size, cacheSize } }, cacheFolder, console);
  const loader = new ImageLoader(cache, device);
  const stream = {
    ...{ encoderFor: (modality: string) => encoderOf(model, modality), loader, cache, modalities, set },
    ...{ kind: { name: description.features }, indices: places, size, normalization: normalize },
    ...{ device, precision },
  };
  const features = await collectFeatures(stream, console, 'predicting').finally(() => loader.dispose());
  return { features, places };
}

/** The images that a sample lacks for a prediction. @param modalities those of the data that the model knows */
function missingImages(
  { images }: Sample,
  set: readonly string[],
  modalities: readonly string[],
): readonly string[] {
  if (isAny(set)) {
    return modalities.some((modality) => images[modality] !== undefined) ? [] : modalities;
  }
  return set.filter((modality) => images[modality] === undefined);
}

function answers(model: PredictionModel, dataset: Dataset, { features, places }: Rows): Prediction[] {
  const { description, probe, heldOut } = model;
  const { classes, temperature, images } = description;
  const { probabilities: raw, distances } = askProbe(probe, features, classes.length);
  const calibrated = withTemperature(raw, classes.length, temperature);
  const rowOf = new Map(places.map((place, row) => [place, row]));
  const known = dataset.modalities.filter((modality) => description.encoders.flat().includes(modality));
  return dataset.samples.map((sample, place): Prediction => {
    const seen = modalitiesIn(images, known).filter((modality) => sample.images[modality] !== undefined);
    const row = rowOf.get(place);
    if (row === undefined) {
      const missing = missingImages(sample, images, known);
      return { sample, seen: [], unusual: false, note: `lacks ${missing.join(', ')}` };
    }
    const probabilities = [...calibrated.subarray(row * classes.length, (row + 1) * classes.length)];
    const distance = shareNearer(distances[row]!, heldOut);
    return {
      sample,
      seen,
      probabilities,
      called: calledClass(probabilities, description),
      distance,
      unusual: distance > USUAL,
    };
  });
}

function calledClass(
  probabilities: readonly number[],
  { classes, threshold }: Pick<ModelDescription, 'classes' | 'threshold'>,
): string {
  const [called] = predictedClasses(probabilities, 1, {
    classes: classes.length,
    threshold: threshold?.value,
  });
  return classes[called!]!;
}

/** The mean over each subject's samples. The threshold is that of samples. */
function subjectsOf(samples: readonly Prediction[], description: ModelDescription): SubjectPrediction[] {
  const grouped = new Map<string, Prediction[]>();
  for (const one of samples) {
    if (one.probabilities === undefined) continue;
    const own = grouped.get(one.sample.subject);
    if (own === undefined) grouped.set(one.sample.subject, [one]);
    else own.push(one);
  }
  if ([...grouped.values()].every((own) => own.length === 1)) return [];
  return [...grouped].map(([subject, own]) => {
    const probabilities = description.classes.map(
      (_, c) => own.reduce((sum, { probabilities: p }) => sum + p![c]!, 0) / own.length,
    );
    return {
      ...{ subject, samples: own.length, probabilities },
      called: calledClass(probabilities, description),
      unusual: own.filter(({ unusual }) => unusual).length,
    };
  });
}

function aucOf(samples: readonly Prediction[], { classes }: ModelDescription): Predictions['auc'] {
  const judged = samples.filter(
    ({ sample, probabilities }) => probabilities !== undefined && classOf(sample, classes) !== undefined,
  );
  const labels = judged.map(({ sample }) => classOf(sample, classes)!);
  if (new Set(labels).size < classes.length) return undefined;
  const probabilities = Float64Array.from(judged.flatMap((one) => [...one.probabilities!]));
  const subjects = judged.map(({ sample }) => sample.subject);
  const metric = resampledAuc({ probabilities, labels, classes: classes.length });
  const { value, low, high } = bootstrapInterval(metric, subjects, { replicates: 2000, seed: 0 });
  const perClass = subjectsPerClass(subjects, labels, classes.length);
  const few = tooFew({ subjects: new Set(subjects).size, perClass, classes });
  return { value, low, high, ...(few !== undefined && { few }) };
}

/** The number of a sample's class; all classes but the positive one may stand together as `not …`. */
function classOf({ label }: Sample, classes: readonly string[]): number | undefined {
  if (label === undefined) return undefined;
  const own = classes.indexOf(label);
  if (own >= 0) return own;
  return classes.length === 2 && classes[0] === `not ${classes[1]}` ? 0 : undefined;
}

function samplesCsv(samples: readonly Prediction[], { classes, use }: ModelDescription): string {
  const labelled = samples.some(({ sample }) => sample.label !== undefined);
  const header = [
    ...['id', 'subject', ...(labelled ? ['label'] : []), ...classes.map((name) => `p(${name})`), 'called'],
    ...['images', 'nearer', 'unusual', 'note', 'use'],
  ];
  const lines = samples.map(({ sample, seen, probabilities, called, distance, unusual, note }) => [
    ...[sample.id, sample.subject, ...(labelled ? [sample.label ?? ''] : [])],
    ...classes.map((_, c) => (probabilities === undefined ? '' : decimal(probabilities[c]!))),
    ...[called ?? '', modalityKey(seen), distance === undefined ? '' : decimal(distance)],
    ...[probabilities === undefined ? '' : unusual ? 'yes' : 'no', note ?? '', use],
  ]);
  return csv([header, ...lines]);
}

function subjectsCsv(subjects: readonly SubjectPrediction[], { classes, use }: ModelDescription): string {
  const header = ['subject', 'samples', ...classes.map((name) => `p(${name})`), 'called', 'unusual', 'use'];
  const lines = subjects.map(({ subject, samples, probabilities, called, unusual }) => [
    ...[subject, String(samples), ...probabilities.map(decimal), called, String(unusual), use],
  ]);
  return csv([header, ...lines]);
}

/** Six places: a probability is not known better, and no rank is lost that means anything. */
function decimal(value: number): string {
  return value.toFixed(6);
}
