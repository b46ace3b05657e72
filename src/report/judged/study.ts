/** What the page of several runs, or of an experiment, is made from. It knows no folders. */

import type { Figure } from '../figures/figure.js';
import type { RunData, Unavailable } from '../source/runData.js';
import type { PageFailures } from './failureSection.js';
import type { Verdict } from './probeSection.js';

export interface Study {
  readonly title: string;
  readonly lead: string;
  /** What must be known before anything is read: a smoke run, results that are missing. */
  readonly banners: readonly string[];
  readonly inShort: readonly Verdict[];
  readonly about: readonly string[];
  /** What was trained on what, by name. */
  readonly facts: readonly NamedFact[];
  readonly data: RunData | Unavailable;
  readonly curves: readonly Figure[];
  /** Values and differences at a glance. */
  readonly overview: readonly Figure[];
  readonly tables: readonly StudyTable[];
  readonly families: readonly StudyFamily[];
  /** What pairs say without labels. */
  readonly mechanism: StudyMechanism;
  /** Of the rows that matter most. */
  readonly judged: readonly JudgedRow[];
  readonly failures: readonly RowFailures[];
  readonly notes: readonly string[];
  /** What is odd about the paper’s numbers. */
  readonly paperNotes: readonly string[];
  readonly provenance: readonly NamedFact[];
}

export type NamedFact = readonly [name: string, value: string];

export interface JudgedRow {
  readonly name: string;
  readonly figures: readonly Figure[];
}

export interface RowFailures {
  readonly name: string;
  readonly failures: PageFailures;
}

export interface StudyMechanism {
  readonly tables: readonly TextTable[];
  readonly groups: readonly FigureGroup[];
}

export interface FigureGroup {
  readonly title: string;
  readonly figures: readonly Figure[];
}

/** A table whose cells are text already. */
export interface TextTable {
  readonly title: string;
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The results of one probe on features of one kind. */
export interface StudyTable {
  readonly title: string;
  /** Of the values. */
  readonly metric: string;
  readonly caption: string;
  /** Columns: modalities side by side, as `a+b`. */
  readonly images: readonly string[];
  readonly rows: readonly StudyRow[];
  /** What must be known of this table alone. */
  readonly notes?: readonly string[];
  /** Names of the metrics of `beside`. */
  readonly besideMetrics: readonly string[];
}

export interface StudyRow {
  readonly name: string;
  readonly source: 'run' | 'untrained' | 'thumbnail';
  readonly exposure?: string;
  /** By images; absent while there is no result. */
  readonly values: Readonly<Record<string, StudyValue>>;
  /** Mean of the AUCs inside the test folds, of the widest images. */
  readonly foldMean?: number | null;
  /** Of the widest images. */
  readonly against: Readonly<Partial<Record<'untrained' | 'thumbnail', StudyDifference>>>;
  /** By metric, of the widest images: what is measured, what the paper prints, what the best test epoch has. */
  readonly beside: Readonly<Record<string, Beside>>;
}

export interface StudyValue {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Sample standard deviation over several seeds. */
  readonly deviation: number | null;
  readonly seeds: number;
  readonly mark?: 'best' | 'second';
}

export interface StudyDifference {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly minimumDetectable: number | null;
}

export interface Beside {
  readonly ours: number | null;
  /** As a share, as ours is. */
  readonly paper?: number;
  readonly paperStyle?: number | null;
}

/** Comparisons that are tested together. */
export interface StudyFamily {
  readonly title: string;
  /** Where there are several families: what this one is on, in a word before each of its comparisons. */
  readonly on?: string;
  readonly caption: string;
  readonly comparisons: readonly (StudyDifference & {
    readonly name: string;
    readonly pValue: number | null;
    readonly holm: number | null;
  })[];
  readonly missing: readonly string[];
}
