/**
 * What an evaluation by labels finds: the content of `evaluation/NAME.json`. The schema is the one declaration of it; what is
 * written and what is read pass through it. An undefined value, such as the AUC of one class, is null.
 */
import { z } from 'zod';
import { type Immutable, parseStored, storedNumber } from './stored.js';

/**
 * A metric in two ways: `mean`, of each fold's own value, and `pooled`, of the test predictions of all folds together. Both
 * intervals are percentile intervals of the bootstrap over subjects.
 */
const metricSummary = z.object({
  /** Mean over the folds in which the metric is defined. */
  mean: storedNumber,
  meanLow: storedNumber,
  meanHigh: storedNumber,
  /** Sample standard deviation over those folds. */
  std: storedNumber,
  /** One value a fold, in the order of `folds.judged`. */
  folds: z.array(storedNumber),
  /** Number of folds in which the metric is undefined. */
  skipped: z.number(),
  pooled: storedNumber,
  low: storedNumber,
  high: storedNumber,
  /** Standard error of `pooled`. */
  standardError: storedNumber,
});

const rowName = z.object({
  /** `run/pooled/a+b`: unique in a result, and the name of the row's column in the predictions. */
  key: z.string(),
  source: z.enum(['run', 'untrained', 'thumbnail']),
  features: z.enum(['pooled', 'head', 'pixels']),
  /** Modalities side by side in the features. */
  modalities: z.array(z.string()),
});

/** The numbers of the epoch whose test metrics add up to the most, chosen by the test labels; see `bestTestEpoch`. */
const paperStyle = z.object({
  label: z.string(),
  /** Chosen in each judged fold, counted from 1. */
  epochs: z.array(z.number()),
  metrics: z.record(z.string(), z.object({ mean: storedNumber, folds: z.array(storedNumber) })),
});

const evaluationRow = rowName.extend({
  /** Columns of the features. */
  columns: z.number(),
  /** The C or λ that the inner cross-validation chose in each judged fold. */
  chosen: z.array(z.number()).optional(),
  /**
   * AUC (macro AUC) of the inner cross-validation at the chosen C, one a judged fold: what a choice between encoders may be
   * based on, as it knows no test label. Only `logreg` has it.
   */
  validation: z.array(storedNumber).optional(),
  metrics: z.record(z.string(), metricSummary),
  /** Present where the probe has epochs. `metrics` are those of the last epoch. */
  paperStyle: paperStyle.optional(),
});

/** Paired bootstrap of `row − against`, on the pooled predictions. */
const rowDifference = z.object({
  row: z.string(),
  against: z.string(),
  metric: z.string(),
  value: storedNumber,
  low: storedNumber,
  high: storedNumber,
  standardError: storedNumber,
  pValue: storedNumber,
  /** `pValue` after Holm; the family is all differences of this evaluation. */
  holm: storedNumber,
  minimumDetectable: storedNumber,
  /**
   * The same difference by DeLong’s test for clustered samples (Obuchowski 1997); absent where there are more than two
   * classes.
   */
  deLong: z
    .object({ value: storedNumber, low: storedNumber, high: storedNumber, pValue: storedNumber })
    .optional(),
});

const patientResult = z.object({
  /** How the probabilities of a subject's samples become one. */
  aggregation: z.enum(['mean', 'max']),
  subjects: z.number(),
  positives: z.number(),
  rows: z.array(rowName.extend({ metrics: z.record(z.string(), metricSummary) })),
});

/** The judged run, in a result of any protocol. */
export const judgedRunSummary = z.object({
  /** Name of the run's folder, without a path. */
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
      /** The fold kept out of its pretraining. */
      fold: z.union([z.number(), z.literal('none')]),
      weights: z.enum(['final', 'checkpoint']),
      /** Steps done, where a checkpoint tells. */
      step: z.number().optional(),
    }),
  ),
});

/**
 * Whether the encoder met the test images in its pretraining (without their labels): `transductive` when it met any,
 * `in-fold` when it was pretrained on the same data without them, `transfer` on other data, `unknown` when the run's own
 * data is not there to compare. `untrained` when the run has pretrained nothing: its weights are random or came from elsewhere,
 * and seen are the test images that batch norm was calibrated on.
 */
export const exposure = z.object({
  kind: z.enum(['transductive', 'in-fold', 'transfer', 'unknown', 'untrained']),
  seenTestSamples: z.number(),
  testSamples: z.number(),
  /** Test samples with the id and subject of one of the run's own data, but other images: possibly the same saved anew. */
  namesakes: z.number().optional(),
});

/** Settings of the bootstrap over subjects that all intervals come from. */
export const bootstrapSettings = z.object({
  replicates: z.number(),
  confidence: z.number(),
  seed: z.number(),
});

export const evaluationResult = z.object({
  version: z.literal(1),
  tool: z.string(),
  /** Name of the protocol. */
  protocol: z.string(),
  /** Name of the recipe, where the probe is trained by gradient descent; see `presets.ts`. */
  preset: z.string().optional(),
  /** Settings of the protocol: grids, epochs, k, … */
  settings: z.record(z.string(), z.unknown()),
  run: judgedRunSummary,
  data: z.object({
    name: z.string(),
    /** As in the provenance of a run on the same data. */
    dataHash: z.string(),
    samples: z.number(),
    subjects: z.number(),
    modalities: z.array(z.string()),
    /** Class names by class number; of two, class 1 is the positive one. */
    classes: z.array(z.string()),
    samplesPerClass: z.array(z.number()),
  }),
  folds: z.object({
    source: z.enum(['run', 'file', 'published', 'generated', 'set-aside']),
    k: z.number(),
    /** Fold numbers judged: all, or those that the run has an encoder for. */
    judged: z.array(z.number()),
    /** Number of inner folds. */
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
   * All metric names, the one that rows are compared by first; tables may show fewer. What needs a decision calls class 1
   * where its probability is above ½, of more classes the most probable one: no threshold is chosen on test data.
   */
  metrics: z.array(z.string()),
  rows: z.array(evaluationRow),
  /** Each row of the run against the untrained encoder and the thumbnail on the same images. */
  differences: z.array(rowDifference),
  /** Absent where every subject has one sample, or where subjects cannot be told apart by a label. */
  patients: z.array(patientResult).optional(),
  /** What a reader must know to read the numbers rightly. */
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

/** Test predictions in the order of the data. They have a file of their own, beside the JSON. */
export interface Predictions {
  readonly dataHash: string;
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  /** Fold in which each sample was tested. */
  readonly folds: readonly number[];
  /** Class numbers. */
  readonly labels: readonly number[];
  /**
   * By row key, [n, classes] row-major. They are probabilities, but for the thumbnail, whose column is the linear estimate of
   * one and may lie outside 0 … 1.
   */
  readonly probabilities: Readonly<Record<string, Float64Array>>;
}

/** An evaluation as it comes out of `evaluate`: the result with the predictions that it was computed from. */
export interface Evaluation extends EvaluationResult {
  readonly predictions: Predictions;
}

/** @param file for the error. @throws DataError when the content is no evaluation of this version */
export function parseEvaluation(content: unknown, file: string): EvaluationResult {
  return parseStored(evaluationResult, content, file, {
    expected: 'is no evaluation',
    command: 'anatomy evaluate',
  });
}

/**
 * The row that stands for the run: pooled features of all modalities, or what comes nearest. It is chosen beforehand, not for
 * its number.
 */
export function primaryRow({ rows }: Pick<EvaluationResult, 'rows'>): EvaluationRow | undefined {
  const own = rows.filter(({ source }) => source === 'run');
  const pooled = own.filter(({ features }) => features === 'pooled');
  return (pooled.length > 0 ? pooled : own).reduce<EvaluationRow | undefined>(
    (most, row) => (most === undefined || row.modalities.length > most.modalities.length ? row : most),
    undefined,
  );
}

/** The untrained encoder's and the thumbnail's rows that a row is compared with. */
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
