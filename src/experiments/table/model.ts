/** What `experiment table` tells: numbers, what was run to get them, and what they mean. */
import type { PairsRecord } from '../../evaluation/results/pairsRecord.js';
import type { ResultRow } from '../../evaluation/results/resultTable.js';
import type { MatchedCounts } from '../../metrics/areas/matchedAuc.js';
import type { ProtocolName } from '../file/protocols.js';
import type { ConfirmationRecord } from '../stored/confirmation.js';
import type { ExperimentDescription } from '../stored/description.js';
import type { Choice } from './compose.js';
import type { CovariateAlone } from './matching.js';
import type { Comparison } from './significance.js';

export interface ExperimentTable
  extends Omit<ExperimentDescription, 'rows' | 'folds' | 'compare' | 'setAside'> {
  /** Of the samples that are set aside. */
  readonly confirmation?: ConfirmationRecord & {
    /** Encoders that were pretrained anew since the last look, with other settings: `ours/seed-0: key: before → after`. */
    readonly outdated: readonly string[];
  };
  /** The measured metric: AUC, macro AUC of more than two classes, or matched AUC; undefined before the first evaluation. */
  readonly metric?: string;
  /** What samples are alike in, where the metric is of such alone; `samples` of the data have a value. */
  readonly matching?: {
    readonly column: string;
    readonly within: number;
    readonly samples: number;
    /** Absent where no predictions are here. */
    readonly alone?: CovariateAlone;
    readonly compared?: MatchedCounts;
  };
  /** Settings of the interval. */
  readonly bootstrap?: { readonly replicates: number; readonly confidence: number };
  /** Number of folds. */
  readonly folds?: number;
  /** What was not the same in all rows stands by value with the rows that have it. */
  readonly facts: Readonly<
    Record<'exposure' | 'steps' | 'batchSize' | 'size' | 'width' | 'precision', readonly Fact[]>
  >;
  readonly parts: readonly TablePart[];
  /** The comparisons that the experiment was made for. */
  readonly family?: TableFamily;
  /** What `evaluate pairs` found. */
  readonly pairs: readonly PairsFound[];
  /** Evaluations that are not there yet, of so many. */
  readonly missing: readonly string[];
  readonly expected: number;
  readonly notes: readonly string[];
  /** About the paper’s numbers that are shown. */
  readonly paperNotes: readonly string[];
}

export interface Fact {
  readonly value: string;
  readonly rows: readonly string[];
}

/** The results of one protocol on features of one kind. */
export interface TablePart {
  /** Of further data; undefined: the data that is pretrained on. */
  readonly set?: string;
  readonly protocol: ProtocolName;
  /** Name of the protocol with its settings. */
  readonly name: string;
  /** Seeds that it judges, where those are not all. */
  readonly seeds?: readonly number[];
  /** What is judged, and what the encoders had seen of it; undefined before the first evaluation. */
  readonly judged?: {
    readonly samples: number;
    readonly subjects: number;
    readonly folds: number;
    readonly exposure: readonly Fact[];
  };
  /** `chosen`: the kind, and of a tuned row the candidate, that did best inside each fold’s training patients. */
  readonly features: 'chosen' | 'pooled' | 'head';
  /** Columns: modalities side by side, as `a+b`. */
  readonly images: readonly string[];
  readonly rows: readonly TableRow[];
  /** Whether equal rows share a mark by a test; else marks go by value alone. */
  readonly tested: boolean;
}

export interface TableRow extends ResultRow {
  readonly paper?: PaperBeside;
  /** Accuracy, F1 and precision of the pooled predictions, by images. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  /** What was chosen in each fold, by images and seed, or `0, draw 1` where labels were drawn several times. */
  readonly choices?: Readonly<Record<string, Readonly<Record<string, readonly Choice[]>>>>;
  /** Numbers of the epoch that did best on the test data, as the paper’s snapshot reports, by images. */
  readonly paperStyle?: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
}

/** What the paper prints, in per cent by metric. */
export interface PaperBeside {
  readonly table: 1 | 2 | 3;
  readonly row: string;
  readonly data: string;
  readonly protocol: string;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface TableFamily {
  readonly reference: string;
  readonly protocol: string;
  readonly features: string;
  readonly images: string;
  readonly comparisons: readonly Comparison[];
  /** What could not be compared. */
  readonly missing: readonly string[];
}

export interface PairsFound {
  /** Of a tuned row its candidate. */
  readonly row: string;
  /** The row itself. */
  readonly of: string;
  readonly seed: number;
  readonly set?: string;
  readonly record: PairsRecord;
}
