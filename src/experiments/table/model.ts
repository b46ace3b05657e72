/**
 * The content of `experiment table`: its numbers, what was run to get them, and what they mean. Its JSON has these
 * fields.
 */
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import type { PairsResult } from '../../evaluation/results/pairsResult.js';
import type { ResultRow } from '../../evaluation/results/resultTable.js';
import type { MatchedCounts } from '../../metrics/areas/matchedAuc.js';
import type { ConfirmationRecord } from '../stored/confirmation.js';
import type { ExperimentDescription } from '../stored/description.js';
import type { Choice } from './compose.js';
import type { CovariateAlone } from './matching.js';
import type { Comparison } from './significance.js';

export interface ExperimentTable
  extends Omit<ExperimentDescription, 'rows' | 'folds' | 'compare' | 'setAside'> {
  /** The looks at the samples that were set aside; undefined where the table is of all others. */
  readonly confirmation?: ConfirmationRecord & {
    /**
     * Encoders that were pretrained anew since the last look, with other settings: `ours/seed-0: key: before →
     * after`.
     */
    readonly outdated: readonly string[];
  };
  /**
   * The measured metric: AUC, macro AUC of more than two classes, or matched AUC; undefined before the first
   * evaluation.
   */
  readonly metric?: string;
  /** The column in which compared samples are alike, where the metric is the matched AUC. */
  readonly matching?: {
    readonly column: string;
    /** The largest distance in that column between two samples that are compared. */
    readonly within: number;
    /** The number of samples with a value in that column. */
    readonly samples: number;
    /** The AUC of that column by itself; undefined where no predictions are stored here. */
    readonly alone?: CovariateAlone;
    /** The number of positives that have such a negative, and of pairs. */
    readonly compared?: MatchedCounts;
  };
  /** The settings of the intervals. */
  readonly bootstrap?: { readonly replicates: number; readonly confidence: number };
  /** The number of folds. */
  readonly folds?: number;
  /** Settings of the runs. A setting that differs between rows has several values, each with its rows. */
  readonly facts: Readonly<
    Record<'exposure' | 'steps' | 'batchSize' | 'size' | 'width' | 'precision', readonly Fact[]>
  >;
  readonly parts: readonly TablePart[];
  /** The comparisons that the experiment was made for. */
  readonly family?: TableFamily;
  /** The results of `evaluate pairs`. */
  readonly pairs: readonly PairsFound[];
  /** Titles of the evaluations that are not finished. */
  readonly missing: readonly string[];
  /** The number of evaluations that the experiment has when it is finished. */
  readonly expected: number;
  readonly notes: readonly string[];
  /** Remarks on the paper’s numbers that are shown. */
  readonly paperNotes: readonly string[];
}

/** A value, and the names of the rows that have it. */
export interface Fact {
  readonly value: string;
  readonly rows: readonly string[];
}

/** The results of one protocol on features of one kind. */
export interface TablePart {
  /** The name of the further data that were judged; undefined for the data that the encoders were pretrained on. */
  readonly set?: string;
  readonly protocol: string;
  /** The name of the protocol in the experiment file. */
  readonly name: string;
  /** The seeds that the protocol judges; undefined where it judges all. */
  readonly seeds?: readonly number[];
  /** The size of the judged data, and what the encoders had seen of it; undefined before the first evaluation. */
  readonly judged?: {
    readonly samples: number;
    readonly subjects: number;
    readonly folds: number;
    readonly exposure: readonly Fact[];
    /** What is too few for a test, as in `3 subjects`; undefined where there are enough. */
    readonly few?: string;
  };
  /**
   * With `chosen`, each fold uses the features that did best inside its training patients, and of a tuned row the
   * best candidate.
   */
  readonly features: 'chosen' | EncoderFeatures;
  /** Sets of modalities, as `a+b`: a column for each. */
  readonly images: readonly string[];
  readonly rows: readonly TableRow[];
  /** Whether rows that no test tells apart share a mark; otherwise marks go by value alone. */
  readonly tested: boolean;
}

export interface TableRow extends ResultRow {
  /** The paper’s numbers for this row. */
  readonly paper?: PaperBeside;
  /** Accuracy, F1 and precision of the pooled predictions, by images. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  /** The choice of each fold, by images and seed; the seed is `0, draw 1` where labels were drawn several times. */
  readonly choices?: Readonly<Record<string, Readonly<Record<string, readonly Choice[]>>>>;
  /** Metrics of the epoch that did best on the test data, which the paper’s snapshot reports, by images. */
  readonly paperStyle?: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
}

/** A row of the paper’s tables. */
export interface PaperBeside {
  readonly table: 1 | 2 | 3;
  readonly row: string;
  readonly data: string;
  readonly protocol: string;
  /** The printed numbers in per cent, by the paper’s names of metrics. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** The comparisons of one row with others, which are tested together. */
export interface TableFamily {
  readonly reference: string;
  readonly protocol: string;
  readonly features: string;
  readonly images: string;
  readonly comparisons: readonly Comparison[];
  /** The rows that the reference could not be compared with. */
  readonly missing: readonly string[];
  /** What is too few for a test, as in `3 subjects`; undefined where there are enough. */
  readonly few?: string;
}

/** The result of `evaluate pairs` for one encoder. */
export interface PairsFound {
  /** The row’s name, or that of the candidate where the row is tuned. */
  readonly row: string;
  /** The row’s name. */
  readonly of: string;
  readonly seed: number;
  /** The name of the further data; undefined for the data that the encoder was pretrained on. */
  readonly set?: string;
  readonly record: PairsResult;
}
