/**
 * The content of `evaluation/NAME.json`: the result of an evaluation by labels. The schema is its only declaration, and
 * all that is written or read passes through it. An undefined value, such as the AUC of one class, is null.
 */
import { z } from 'zod';
import { type Immutable, parseStored, storedNumber } from './stored.js';

/**
 * A metric in two ways: `mean` averages the folds' own values, and `pooled` is computed on the test predictions of all
 * folds together. Both intervals are percentile intervals of the bootstrap over subjects.
 */
const metricSummary = z.object({
  /** The mean over the folds in which the metric is defined. */
  mean: storedNumber,
  meanLow: storedNumber,
  meanHigh: storedNumber,
  /** The sample standard deviation over those folds. */
  std: storedNumber,
  /** One value for each fold, in the order of `folds.judged`. */
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
  /** A key such as `run/pooled/a+b`, which is unique in a result and names the row's column in the predictions. */
  key: z.string(),
  source: z.enum(['run', 'untrained', 'thumbnail']),
  features: z.enum(['pooled', 'head', 'pixels']),
  /** The modalities whose features are joined. */
  modalities: z.array(z.string()),
});

/** The numbers of the epoch whose test metrics add up to the most, chosen by the test labels; see `bestTestEpoch`. */
const paperStyle = z.object({
  label: z.string(),
  /** The chosen epoch of each judged fold, counted from 1. */
  epochs: z.array(z.number()),
  metrics: z.record(z.string(), z.object({ mean: storedNumber, folds: z.array(storedNumber) })),
});

const evaluationRow = rowName.extend({
  /** The number of columns of the features. */
  columns: z.number(),
  /** The C or λ that the inner cross-validation chose in each judged fold. */
  chosen: z.array(z.number()).optional(),
  /**
   * The AUC (macro AUC) of the inner cross-validation at the chosen C, one for each judged fold. A choice between
   * encoders may be based on it, as it knows no test label. Only `logreg` has it.
   */
  validation: z.array(storedNumber).optional(),
  metrics: z.record(z.string(), metricSummary),
  /** Present when the probe has epochs; `metrics` are those of the last epoch. */
  paperStyle: paperStyle.optional(),
});

/** The paired bootstrap of `row − against`, on the pooled predictions. */
const rowDifference = z.object({
  row: z.string(),
  against: z.string(),
  metric: z.string(),
  value: storedNumber,
  low: storedNumber,
  high: storedNumber,
  standardError: storedNumber,
  pValue: storedNumber,
  /** The `pValue` after Holm's correction over all differences of this evaluation. */
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
  rows: z.array(rowName.extend({ metrics: z.record(z.string(), metricSummary) })),
});

/** The judged run, in a result of any protocol. */
export const judgedRunSummary = z.object({
  /** The name of the run's folder, without a path. */
  name: z.string(),
  /** Name of the pretraining method; before evaluations named it there was one. */
  method: z.string().default('anatomy'),
  recipe: z.string(),
  seed: z.number(),
  size: z.number(),
  precision: z.string(),
  device: z.string(),
  encoders: z.array(
    z.object({
      /** The fold that was kept out of its pretraining. */
      fold: z.union([z.number(), z.literal('none')]),
      weights: z.enum(['final', 'checkpoint']),
      /** The number of steps done, for a checkpoint that tells it. */
      step: z.number().optional(),
    }),
  ),
});

/**
 * The overlap of the test images with the images of the pretraining (which had no labels). It is `transductive` when
 * the encoder saw any of them, `in-fold` when it was pretrained on the same data without them, `transfer` when on other
 * data, `unknown` when the run's own data is not there to compare. It is `untrained` when the run has pretrained
 * nothing: its weights are random or came from elsewhere, and the seen test images are those that batch norm was
 * calibrated on.
 */
export const exposure = z.object({
  kind: z.enum(['transductive', 'in-fold', 'transfer', 'unknown', 'untrained']),
  seenTestSamples: z.number(),
  testSamples: z.number(),
  /**
   * The number of test samples with the id and subject of one of the run's own samples, but other images: possibly the
   * same saved anew.
   */
  namesakes: z.number().optional(),
});

/** The settings of the bootstrap over subjects that all intervals come from. */
export const bootstrapSettings = z.object({
  replicates: z.number(),
  confidence: z.number(),
  seed: z.number(),
});

export const evaluationResult = z.object({
  version: z.literal(1),
  tool: z.string(),
  /** The name of the protocol. */
  protocol: z.string(),
  /** The name of the recipe, for a probe that is trained by gradient descent; see `presets.ts`. */
  preset: z.string().optional(),
  /** The settings of the protocol: grids, epochs, k, … */
  settings: z.record(z.string(), z.unknown()),
  run: judgedRunSummary,
  data: z.object({
    name: z.string(),
    /** The hash that the provenance of a run on the same data has. */
    dataHash: z.string(),
    samples: z.number(),
    subjects: z.number(),
    modalities: z.array(z.string()),
    /** The class names by class number. When there are two, class 1 is the positive one. */
    classes: z.array(z.string()),
    samplesPerClass: z.array(z.number()),
  }),
  folds: z.object({
    source: z.enum(['run', 'file', 'published', 'generated', 'set-aside']),
    k: z.number(),
    /** The numbers of the judged folds: all, or those that the run has an encoder for. */
    judged: z.array(z.number()),
    /** The number of inner folds. */
    inner: z.number(),
    seed: z.number(),
  }),
  /** Whether the samples that were set aside are judged; they are the only fold then. */
  setAside: z.boolean().default(false),
  /** What the probes learned from. */
  labels: z
    .object({
      /** Share of the training labels of each class. */
      fraction: z.number(),
      /** Training samples and their subjects, one number a judged fold; empty where an older version did not count. */
      samples: z.array(z.number()),
      subjects: z.array(z.number()),
    })
    .default({ fraction: 1, samples: [], subjects: [] }),
  exposure,
  bootstrap: bootstrapSettings,
  /**
   * All metric names; rows are compared by the first. Tables may show fewer. A metric that needs a decision calls class
   * 1 where its probability is above ½, or the most probable of more classes: no threshold is chosen on test data.
   */
  metrics: z.array(z.string()),
  rows: z.array(evaluationRow),
  /** The comparison of each row of the run with the untrained encoder and the thumbnail on the same images. */
  differences: z.array(rowDifference),
  /**
   * Absent when every subject has one sample, when every subject has a positive one, or when there are more than two
   * classes.
   */
  patients: z.array(patientResult).optional(),
  /** What a reader must know to read the numbers rightly, one sentence each. */
  notes: z.array(z.string()),
});

export type EvaluationResult = Immutable<z.output<typeof evaluationResult>>;
export type JudgedRunSummary = Immutable<z.output<typeof judgedRunSummary>>;
export type Exposure = Immutable<z.output<typeof exposure>>;
export type BootstrapSettings = Immutable<z.output<typeof bootstrapSettings>>;
export type JudgedFolds = EvaluationResult['folds'];
export type RowName = Immutable<z.output<typeof rowName>>;
export type RowSource = RowName['source'];
export type FeatureKind = RowName['features'];
export type EvaluationRow = EvaluationResult['rows'][number];
export type MetricSummary = Immutable<z.output<typeof metricSummary>>;
export type PaperStyle = Immutable<z.output<typeof paperStyle>>;
export type RowDifference = EvaluationResult['differences'][number];
export type PatientResult = NonNullable<EvaluationResult['patients']>[number];

/** The test predictions in the order of the data. They have a file of their own, beside the JSON. */
export interface Predictions {
  readonly dataHash: string;
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  /** The fold in which each sample was tested. */
  readonly folds: readonly number[];
  /** The class number of each sample. */
  readonly labels: readonly number[];
  /**
   * The predictions by row key, [n, classes] row-major. They are probabilities, except for the thumbnail, whose column
   * is the linear estimate of one and may lie outside 0 … 1.
   */
  readonly probabilities: Readonly<Record<string, Float64Array>>;
}

/** The result of `evaluate`, with the predictions that it was computed from. */
export interface Evaluation extends EvaluationResult {
  readonly predictions: Predictions;
}

/**
 * Parses an evaluation.
 * @param file for the error.
 * @throws DataError when the content is no evaluation of this version
 */
export function parseEvaluation(content: unknown, file: string): EvaluationResult {
  return parseStored(evaluationResult, content, file, {
    expected: 'is no evaluation',
    command: 'anatomy evaluate',
  });
}

/**
 * The row that stands for the run: pooled features of all modalities, or the nearest to it. It is chosen beforehand,
 * not for its number.
 */
export function primaryRow({ rows }: Pick<EvaluationResult, 'rows'>): EvaluationRow | undefined {
  const own = rows.filter(({ source }) => source === 'run');
  const pooled = own.filter(({ features }) => features === 'pooled');
  return (pooled.length > 0 ? pooled : own).reduce<EvaluationRow | undefined>(
    (most, row) => (most === undefined || row.modalities.length > most.modalities.length ? row : most),
    undefined,
  );
}

/** The rows of the untrained encoder and of the thumbnail that a row is compared with. */
export function baselinesOf(
  { rows }: Pick<EvaluationResult, 'rows'>,
  { features, modalities }: EvaluationRow,
): EvaluationRow[] {
  const images = modalities.join('+');
  return rows.filter(
    (row) =>
      row.modalities.join('+') === images &&
      (row.source === 'thumbnail' || (row.source === 'untrained' && row.features === features)),
  );
}
