/**
 * The room `report/judged` shows what was judged: tables, figures and sections on results and errors, for the pages of
 * runs and of studies. This file is the content of the page of several runs, or of an experiment. It knows no folders.
 */

import type { ResultRow } from '../../evaluation/results/resultTable.js';
import type { Verdict } from '../../evaluation/results/verdict.js';
import type { Table } from '../../text/table/model.js';
import type { Figure } from '../figures/figure.js';
import type { RunData, Unavailable } from '../source/runData.js';
import type { PageFailures } from './failureSection.js';

export interface Study {
  readonly title: string;
  readonly lead: string;
  /** Warnings at the top of the page: a smoke run, missing results. */
  readonly banners: readonly string[];
  readonly inShort: readonly Verdict[];
  /** Paragraphs on what was run. */
  readonly about: readonly string[];
  /** A summary of each method’s training, by name. */
  readonly facts: readonly NamedFact[];
  readonly data: RunData | Unavailable;
  readonly curves: readonly Figure[];
  /** Figures of the values and the differences. */
  readonly overview: readonly Figure[];
  readonly results: readonly StudyResults[];
  readonly families: readonly StudyFamily[];
  /** The claims on pairs, measured without labels. */
  readonly mechanism: StudyMechanism;
  /** The predictions of the rows that matter most. */
  readonly judged: readonly JudgedRow[];
  readonly failures: readonly RowFailures[];
  readonly notes: readonly string[];
  /** Oddities of the paper’s numbers. */
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
  readonly tables: readonly Table[];
  readonly groups: readonly FigureGroup[];
}

export interface FigureGroup {
  readonly title: string;
  readonly figures: readonly Figure[];
}

/** The results of one probe on features of one kind. */
export interface StudyResults {
  readonly title: string;
  /** The name of the metric that the values are of. */
  readonly metric: string;
  readonly caption: string;
  /** Sets of modalities, as `a+b`; the widest is the last. */
  readonly images: readonly string[];
  readonly rows: readonly ResultRow[];
  /** What is too few for a test, as in `3 subjects`; undefined where there are enough. */
  readonly few?: string;
  /** Notes on these results alone. */
  readonly notes?: readonly string[];
  /** The paper’s numbers, and those of the best test epoch, beside the ones that are measured. */
  readonly beside?: BesideTable;
}

export interface BesideTable {
  readonly table: Table;
  /** Whether any number of the paper can be compared with ours. */
  readonly comparable: boolean;
}

/** Comparisons that are tested together. */
export interface StudyFamily {
  /** The name of the samples, which is set before each comparison where there are several families. */
  readonly on?: string;
  /** What is too few for a test, as in `3 subjects`; undefined where there are enough. */
  readonly few?: string;
  readonly comparisons: readonly StudyComparison[];
  readonly table: Table;
}

export interface StudyDifference {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly minimumDetectable: number | null;
  /** The p-value after Holm’s correction, of one evaluation over all its comparisons. */
  readonly holm?: number | null;
}

export interface StudyComparison extends StudyDifference {
  /** `Ours − SimCLR` */
  readonly name: string;
  /** The p-value after Holm’s correction over the family. */
  readonly holm: number | null;
}
