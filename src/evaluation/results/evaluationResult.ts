/** What an evaluation finds. A value that is undefined, such as the AUC of one class, is NaN here and `null` in the JSON. */
import type { Protocol } from '../probes/probe.js';

export interface EvaluationResult {
  readonly version: 1;
  readonly tool: string;
  readonly protocol: Protocol;
  /** Of a probe that is trained by gradient descent; see `presets.ts`. */
  readonly preset?: string;
  /** Settings of the protocol: grids, epochs, k, … */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly run: JudgedRunSummary;
  readonly data: JudgedData;
  readonly folds: JudgedFolds;
  /** Whether the samples that were set aside are judged; they are the only fold then. */
  readonly setAside: boolean;
  /** What the probes learned from. */
  readonly labels: UsedLabels;
  readonly exposure: Exposure;
  /** Settings of the bootstrap over subjects that all intervals come from. */
  readonly bootstrap: { readonly replicates: number; readonly confidence: number; readonly seed: number };
  /**
   * All metric names, the one that rows are compared by first; tables may show fewer. What needs a decision calls class 1 where
   * its probability is above ½, of more classes the most probable one: no threshold is chosen on test data.
   */
  readonly metrics: readonly string[];
  readonly rows: readonly EvaluationRow[];
  /** Each row of the run against the untrained encoder and the thumbnail on the same images. */
  readonly differences: readonly RowDifference[];
  /** Absent where every subject has one sample, or where subjects cannot be told apart by a label. */
  readonly patients?: readonly PatientResult[];
  /** What a reader must know to read the numbers rightly. */
  readonly notes: readonly string[];
  /** Not part of the JSON: they have a file of their own. */
  readonly predictions: Predictions;
}

export interface JudgedRunSummary {
  /** Name of the run's folder, without a path. */
  readonly name: string;
  readonly method: string;
  readonly recipe: string;
  readonly seed: number;
  readonly size: number;
  readonly precision: string;
  readonly device: string;
  readonly encoders: readonly {
    /** The fold kept out of its pretraining. */
    readonly fold: number | 'none';
    readonly weights: 'final' | 'checkpoint';
    /** Steps done, where a checkpoint tells. */
    readonly step?: number;
  }[];
}

export interface JudgedData {
  readonly name: string;
  /** As in the provenance of a run on the same data. */
  readonly dataHash: string;
  readonly samples: number;
  readonly subjects: number;
  readonly modalities: readonly string[];
  /** Class names by class number; of two, class 1 is the positive one. */
  readonly classes: readonly string[];
  readonly samplesPerClass: readonly number[];
}

export interface JudgedFolds {
  readonly source: 'run' | 'file' | 'published' | 'generated' | 'set-aside';
  readonly k: number;
  /** Fold numbers judged: all, or those that the run has an encoder for. */
  readonly judged: readonly number[];
  readonly inner: number;
  readonly seed: number;
}

export interface UsedLabels {
  /** Share of the training labels of each class. */
  readonly fraction: number;
  /** Training samples and their subjects, one number a judged fold. */
  readonly samples: readonly number[];
  readonly subjects: readonly number[];
}

/**
 * Whether the encoder met the test images in its pretraining (without their labels): `transductive` when it met any,
 * `in-fold` when it was pretrained on the same data without them, `transfer` on other data, `unknown` when the run's own
 * data is not there to compare. `untrained` when the run has pretrained nothing: its weights are random or came from elsewhere,
 * and seen are the test images that batch norm was calibrated on.
 */
export interface Exposure {
  readonly kind: 'transductive' | 'in-fold' | 'transfer' | 'unknown' | 'untrained';
  readonly seenTestSamples: number;
  readonly testSamples: number;
  /** Test samples with the id and subject of one of the run's own data, but other images: possibly the same saved anew. */
  readonly namesakes?: number;
}

export type RowSource = 'run' | 'untrained' | 'thumbnail';
export type FeatureKind = 'pooled' | 'head' | 'pixels';

export interface RowName {
  /** `run/pooled/a+b`: unique in a result, and the name of the row's column in the predictions. */
  readonly key: string;
  readonly source: RowSource;
  readonly features: FeatureKind;
  /** Modalities side by side in the features. */
  readonly modalities: readonly string[];
}

export interface EvaluationRow extends RowName {
  /** Columns of the features. */
  readonly columns: number;
  /** The C or λ that the inner cross-validation chose in each judged fold. */
  readonly chosen?: readonly number[];
  /**
   * AUC (macro AUC) of the inner cross-validation at the chosen C, one a judged fold: what a choice between encoders may be based
   * on, as it knows no test label. Of `logreg` only.
   */
  readonly validation?: readonly number[];
  readonly metrics: Readonly<Record<string, MetricSummary>>;
  /** Of a probe that has epochs. `metrics` are of the last epoch. */
  readonly paperStyle?: PaperStyle;
}

/** The numbers of the epoch whose test metrics add up to the most, chosen by the test labels; see `bestTestEpoch`. */
export interface PaperStyle {
  readonly label: string;
  /** Chosen in each judged fold, counted from 1. */
  readonly epochs: readonly number[];
  readonly metrics: Readonly<Record<string, { readonly mean: number; readonly folds: readonly number[] }>>;
}

/**
 * A metric in two ways: `mean`, of each fold's own value, and `pooled`, of the test predictions of all folds together. Both
 * intervals are percentile intervals of the bootstrap over subjects.
 */
export interface MetricSummary {
  /** Over the folds in which the metric is defined. */
  readonly mean: number;
  readonly meanLow: number;
  readonly meanHigh: number;
  /** Sample standard deviation over those folds. */
  readonly std: number;
  /** In the order of `folds.judged`. */
  readonly folds: readonly number[];
  readonly skipped: number;
  readonly pooled: number;
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
}

/** Paired bootstrap of `row − against`, on the pooled predictions. */
export interface RowDifference {
  readonly row: string;
  readonly against: string;
  readonly metric: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
  readonly pValue: number;
  /** `pValue` after Holm; the family is all differences of this evaluation. */
  readonly holm: number;
  readonly minimumDetectable: number;
  /** The same difference by DeLong’s test for clustered samples (Obuchowski 1997); absent where there are more than two classes. */
  readonly deLong?: {
    readonly value: number;
    readonly low: number;
    readonly high: number;
    readonly pValue: number;
  };
}

export interface PatientResult {
  /** How the probabilities of a subject's samples become one. */
  readonly aggregation: 'mean' | 'max';
  readonly subjects: number;
  readonly positives: number;
  readonly rows: readonly (RowName & { readonly metrics: Readonly<Record<string, MetricSummary>> })[];
}

/** Test predictions in the order of the data. */
export interface Predictions {
  readonly dataHash: string;
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  readonly folds: readonly number[];
  /** Class numbers. */
  readonly labels: readonly number[];
  /**
   * By row key, [n, classes] row-major. Probabilities but for the thumbnail, whose column is the linear estimate of one and
   * may lie outside 0 … 1.
   */
  readonly probabilities: Readonly<Record<string, Float64Array>>;
}
