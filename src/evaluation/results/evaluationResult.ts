/**
 * The room `evaluation/results` holds the results of evaluations as they are stored, and the words and tables in which
 * they are shown. This file is the schema of an evaluation by labels, `evaluation/NAME.json`. Whatever is written or
 * read passes through it. An undefined value, such as the AUC of one class, is null.
 */
import { z } from 'zod';
import { ENCODER_FEATURES } from './featureKinds.js';
import { countsOf, fewWarning, type SubjectCounts, tooFew } from './fewSubjects.js';
import { isAny, modalityKey } from './modalitySets.js';
import { type Immutable, parseStored, storedNumber } from './stored.js';

/**
 * A metric, summarised in two ways. `mean` averages the values of the single folds, and `pooled` is computed on the
 * test predictions of all folds together. Both intervals are percentile intervals of the bootstrap over subjects.
 */
const metricSummary = z.object({
  /** The mean over the folds in which the metric is defined. */
  mean: storedNumber,
  meanLow: storedNumber,
  meanHigh: storedNumber,
  /** The sample standard deviation over those folds. */
  std: storedNumber,
  /** The value in each fold, in the order of `folds.judged`. */
  folds: z.array(storedNumber),
  /** The number of folds in which the metric is undefined. */
  skipped: z.number(),
  pooled: storedNumber,
  low: storedNumber,
  high: storedNumber,
  /** The standard error of `pooled`. */
  standardError: storedNumber,
});

const rowName = z.object({
  /**
   * A key that is unique in a result, such as `run/pooled/a+b`. The row's column in the predictions has the same name.
   */
  key: z.string(),
  source: z.enum(['run', 'untrained', 'thumbnail']),
  features: z.enum([...ENCODER_FEATURES, 'pixels']),
  /** The modalities that stand side by side in the features; or `any`, the mean of those that a sample has. */
  modalities: z.array(z.string()),
});

/** The samples that a row is judged on, where others lack its images. */
const judgedOn = z.object({
  samples: z.number(),
  subjects: z.number(),
  samplesPerClass: z.array(z.number()),
  subjectsPerClass: z.array(z.number()),
});

/** The metrics at the epoch whose test metrics add up to the most. The test labels choose it; see `bestTestEpoch`. */
const paperStyle = z.object({
  label: z.string(),
  /** The epoch that was chosen in each judged fold, counted from 1. */
  epochs: z.array(z.number()),
  metrics: z.record(z.string(), z.object({ mean: storedNumber, folds: z.array(storedNumber) })),
});

const evaluationRow = rowName.extend({
  /** The number of columns of the features. */
  columns: z.number(),
  /** The C or λ that the inner cross-validation chose in each judged fold. */
  chosen: z.array(z.number()).optional(),
  /**
   * The AUC (or macro AUC) of the inner cross-validation at the chosen C, for each judged fold. A choice between
   * encoders may rest on it, as it knows no test label. Only `logreg` has it.
   */
  validation: z.array(storedNumber).optional(),
  metrics: z.record(z.string(), metricSummary),
  /** The numbers of the best test epoch, where the probe has epochs. `metrics` are those of the last epoch. */
  paperStyle: paperStyle.optional(),
  /** The samples that have the row's images; absent: all of the result. */
  judgedOn: judgedOn.optional(),
});

/**
 * A paired bootstrap of `row − against`, on the pooled predictions. Nothing is tested over too few subjects: both
 * p-values and the detectable difference are then null.
 */
const rowDifference = z.object({
  row: z.string(),
  against: z.string(),
  metric: z.string(),
  value: storedNumber,
  low: storedNumber,
  high: storedNumber,
  standardError: storedNumber,
  pValue: storedNumber,
  /** `pValue` after Holm’s correction over all differences of this evaluation. */
  holm: storedNumber,
  minimumDetectable: storedNumber,
  /**
   * The same difference by DeLong’s test for clustered samples (Obuchowski 1997); absent when there are more than two
   * classes.
   */
  deLong: z
    .object({ value: storedNumber, low: storedNumber, high: storedNumber, pValue: storedNumber })
    .optional(),
});

const patientResult = z.object({
  /** The way in which the probabilities of a subject's samples become one. */
  aggregation: z.enum(['mean', 'max']),
  subjects: z.number(),
  positives: z.number(),
  rows: z.array(
    rowName.extend({
      metrics: z.record(z.string(), metricSummary),
      /** The subjects that have the row's images; absent: all. */
      judgedOn: z.object({ subjects: z.number(), positives: z.number() }).optional(),
    }),
  ),
});

/** The judged run, in a result of any protocol. */
export const judgedRunSummary = z.object({
  /** The name of the run's folder, without a path. */
  name: z.string(),
  /** The name of the pretraining method. Results of old versions do not name it, as there was only one. */
  method: z.string().default('anatomy'),
  recipe: z.string(),
  seed: z.number(),
  size: z.number(),
  precision: z.string(),
  device: z.string(),
  encoders: z.array(
    z.object({
      /** The fold that was kept out of pretraining. */
      fold: z.union([z.number(), z.literal('none')]),
      weights: z.enum(['final', 'checkpoint']),
      /** The number of steps done, where a checkpoint tells it. */
      step: z.number().optional(),
    }),
  ),
});

/**
 * The exposure: whether the encoder saw the test images in its pretraining, without their labels.
 * - `transductive`: it saw some of them.
 * - `in-fold`: it was pretrained on the same data without them.
 * - `transfer`: it was pretrained on other data.
 * - `unknown`: the run's own data is not there to compare.
 * - `untrained`: the run has pretrained nothing, and its weights are random or came from elsewhere. The test images
 *   that batch norm was calibrated on count as seen.
 */
export const exposure = z.object({
  kind: z.enum(['transductive', 'in-fold', 'transfer', 'unknown', 'untrained']),
  seenTestSamples: z.number(),
  testSamples: z.number(),
  /**
   * The number of test samples that share id and subject with a sample of the run's own data but have other images.
   * They may be the same images, saved anew.
   */
  namesakes: z.number().optional(),
});

/** The settings of the bootstrap over subjects, which gives all intervals. */
export const bootstrapSettings = z.object({
  replicates: z.number(),
  confidence: z.number(),
  seed: z.number(),
});

/** The fields of a result. {@link evaluationResult} reads them by the rule of {@link untestedIfFew}. */
export const writtenEvaluation = z.object({
  version: z.literal(1),
  tool: z.string(),
  /** The name of the protocol. */
  protocol: z.string(),
  /** The name of the recipe, where the probe is trained by gradient descent; see `presets.ts`. */
  preset: z.string().optional(),
  /**
   * The settings of the protocol that were asked for, by the names of the registry, with their defaults. Those that a
   * preset decides are in `settings` alone. Older versions did not store them.
   */
  asked: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  /** The settings of the protocol: grids, epochs, k, … */
  settings: z.record(z.string(), z.unknown()),
  run: judgedRunSummary,
  data: z.object({
    name: z.string(),
    /** The hash of the data, as in the provenance of a run on the same data. */
    dataHash: z.string(),
    samples: z.number(),
    subjects: z.number(),
    modalities: z.array(z.string()),
    /** The class names by class number. Of two classes, class 1 is the positive one. */
    classes: z.array(z.string()),
    samplesPerClass: z.array(z.number()),
    /** The number of subjects that have a sample of each class. Older versions did not count them. */
    subjectsPerClass: z.array(z.number()).optional(),
    /** The column of the labels and the positive class, where the evaluation chose others than the run’s. */
    label: z.string().optional(),
    positive: z.string().optional(),
    /** The number of samples that have an image of each modality; absent where none is missing. */
    images: z.record(z.string(), z.number()).optional(),
  }),
  folds: z.object({
    source: z.enum(['run', 'file', 'published', 'generated', 'set-aside']),
    k: z.number(),
    /** The numbers of the judged folds: all, or those that the run has an encoder for. */
    judged: z.array(z.number()),
    /** The number of inner folds. */
    inner: z.number(),
    seed: z.number(),
    /** A digest of the fold of each judged sample, in the order of the data. Older versions did not store it. */
    digest: z.string().optional(),
  }),
  /** Whether the samples that were set aside are judged. They are then the only fold. */
  setAside: z.boolean().default(false),
  /** The labels that the probes learned from. */
  labels: z
    .object({
      /** The share of the training labels of each class. */
      fraction: z.number(),
      /**
       * The numbers of training samples and of their subjects in each judged fold. They are empty where an older
       * version did not count them.
       */
      samples: z.array(z.number()),
      subjects: z.array(z.number()),
    })
    .default({ fraction: 1, samples: [], subjects: [] }),
  exposure,
  bootstrap: bootstrapSettings,
  /**
   * The names of all metrics. The first is the one by which rows are compared, and tables may show only some. For
   * metrics of decisions, class 1 is called where its probability is above ½; with more classes, the most probable one
   * is called. No threshold is chosen on test data.
   */
  metrics: z.array(z.string()),
  rows: z.array(evaluationRow),
  /** The sets of images that too few samples have, and that are not judged for that reason. */
  leftOut: z.array(z.object({ images: z.string(), reason: z.string() })).optional(),
  /** The differences of each of the run's rows to the untrained encoder and to the thumbnail, on the same images. */
  differences: z.array(rowDifference),
  /**
   * The results by patient. They are absent where every subject has one sample, or where no label tells subjects apart.
   */
  patients: z.array(patientResult).optional(),
  /** Sentences that a reader must know to read the numbers rightly. */
  notes: z.array(z.string()),
});

type Tested = Pick<z.output<typeof writtenEvaluation>, 'data' | 'differences' | 'notes'>;

/**
 * Takes the tests from a result of too few subjects, and says so in its notes. Results of older versions, which tested
 * them, are shown by the same rule.
 */
export function untestedIfFew<Result extends Tested>(result: Result): Result {
  const few = tooFew(countsOf(result.data));
  if (few === undefined) return result;
  const warning = fewWarning(few);
  return {
    ...result,
    differences: result.differences.map(({ deLong, ...one }) => ({
      ...one,
      pValue: null,
      holm: null,
      minimumDetectable: null,
      ...(deLong && { deLong: { ...deLong, pValue: null } }),
    })),
    notes: [warning, ...result.notes.filter((note) => note !== warning)],
  };
}

export const evaluationResult = writtenEvaluation.transform(untestedIfFew);

export type EvaluationResult = Immutable<z.output<typeof evaluationResult>>;
export type JudgedRunSummary = Immutable<z.output<typeof judgedRunSummary>>;
export type Exposure = Immutable<z.output<typeof exposure>>;
export type BootstrapSettings = Immutable<z.output<typeof bootstrapSettings>>;
export type JudgedOn = NonNullable<EvaluationRow['judgedOn']>;
export type JudgedFolds = EvaluationResult['folds'];
export type RowName = Immutable<z.output<typeof rowName>>;
export type RowSource = RowName['source'];
export type FeatureKind = RowName['features'];
export type EvaluationRow = EvaluationResult['rows'][number];
export type MetricSummary = Immutable<z.output<typeof metricSummary>>;
export type PaperStyle = Immutable<z.output<typeof paperStyle>>;
export type RowDifference = EvaluationResult['differences'][number];
export type PatientResult = NonNullable<EvaluationResult['patients']>[number];

/** The test predictions, in the order of the data. They have a file of their own, beside the JSON. */
export interface Predictions {
  readonly dataHash: string;
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  /** The fold in which each sample was tested. */
  readonly folds: readonly number[];
  /** The class number of each sample. */
  readonly labels: readonly number[];
  /**
   * The probabilities by row key, [n, classes] row-major. For the thumbnail, the column is a linear estimate of a
   * probability and may lie outside 0 … 1. A sample that lacks an image of the row has NaN.
   */
  readonly probabilities: Readonly<Record<string, Float64Array>>;
  /** For the rows that are not judged on all samples, whether each sample is; by row key. */
  readonly judged: Readonly<Record<string, readonly boolean[]>>;
}

/** An evaluation as `evaluate` returns it: the result with the predictions that it was computed from. */
export interface Evaluation extends EvaluationResult {
  readonly predictions: Predictions;
}

/**
 * Reads the content of an evaluation file.
 *
 * @param file the name of the file for the error
 * @throws DataError when the content is no evaluation of this version
 */
export function parseEvaluation(content: unknown, file: string): EvaluationResult {
  return parseStored(evaluationResult, content, file, {
    expected: 'is no evaluation',
    command: 'anatomy evaluate',
  });
}

/**
 * The row that stands for the run: pooled features of all modalities side by side, or of any of them where images are
 * missing, so that all patients are judged; or the nearest to that. The choice does not depend on the numbers.
 */
export function primaryRow({
  rows,
  data,
}: Pick<EvaluationResult, 'rows' | 'data'>): EvaluationRow | undefined {
  const own = rows.filter(({ source }) => source === 'run');
  const pooled = own.filter(({ features }) => features === 'pooled');
  const candidates = pooled.length > 0 ? pooled : own;
  const any = candidates.find(({ modalities }) => isAny(modalities));
  const widest = candidates.reduce<EvaluationRow | undefined>(
    (most, row) => (most === undefined || row.modalities.length > most.modalities.length ? row : most),
    undefined,
  );
  const together = widest?.modalities.length === data.modalities.length && widest.judgedOn === undefined;
  return any === undefined || together ? widest : any;
}

/** Counts the subjects of a row, for {@link tooFew}. */
export function countsOfRow(
  { data }: Pick<EvaluationResult, 'data'>,
  { judgedOn }: Pick<EvaluationRow, 'judgedOn'>,
): SubjectCounts {
  return countsOf({ ...data, ...judgedOn });
}

/** The rows of the untrained encoder and of the thumbnail that a row is compared with. */
export function baselinesOf(
  { rows }: Pick<EvaluationResult, 'rows'>,
  { features, modalities }: EvaluationRow,
): EvaluationRow[] {
  const images = modalityKey(modalities);
  return rows.filter(
    (row) =>
      modalityKey(row.modalities) === images &&
      (row.source === 'thumbnail' || (row.source === 'untrained' && row.features === features)),
  );
}
